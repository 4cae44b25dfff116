"""Text typed after a flag becomes what a verb needs, or a sentence that names the flag."""

from __future__ import annotations

import pytest

from the_sink.errors import InputError
from the_sink.tasks import flags


@pytest.mark.parametrize(
    ("typed", "expected"), [("", 60.0), ("5", 5.0), ("90s", 90.0), ("0.5", 0.5), (" 7 ", 7.0)]
)
def test_seconds(typed, expected):
    assert flags.seconds(typed, default=60.0) == expected


@pytest.mark.parametrize("typed", ["abc", "0", "-5", "1e3", "5m", "nan", "inf"])
def test_seconds_refuses(typed):
    with pytest.raises(InputError) as caught:
        flags.seconds(typed)

    assert caught.value.message == f"--timeout {typed}: that is not a number of seconds."


@pytest.mark.parametrize(("typed", "expected"), [("", 8080), ("1", 1), ("65535", 65535)])
def test_port(typed, expected):
    assert flags.port(typed, default=8080) == expected


@pytest.mark.parametrize("typed", ["0", "65536", "http", "80.5", "-1", "²", "٣"])
def test_port_refuses(typed):
    with pytest.raises(InputError) as caught:
        flags.port(typed)

    assert caught.value.message == f"--port {typed}: a port is a number from 1 to 65535."


def test_whole_number():
    assert flags.whole_number("", "--limit", default=10) == 10
    assert flags.whole_number("3", "--limit", minimum=1, maximum=5) == 3


@pytest.mark.parametrize(
    ("typed", "bounds", "message"),
    [
        ("x", {}, "--limit x: a whole number of at least 0 is needed."),
        ("6", {"minimum": 1, "maximum": 5}, "--limit 6: a whole number from 1 to 5 is needed."),
        ("0", {"minimum": 1}, "--limit 0: a whole number of at least 1 is needed."),
        ("²", {}, "--limit ²: a whole number of at least 0 is needed."),
    ],
)
def test_whole_number_refuses(typed, bounds, message):
    with pytest.raises(InputError) as caught:
        flags.whole_number(typed, "--limit", **bounds)

    assert caught.value.message == message


def test_required_says_how_to_give_it():
    assert flags.required("abc", "--commit", "1a2b3c") == "abc"
    with pytest.raises(InputError) as caught:
        flags.required("", "--commit", "1a2b3c")

    assert (caught.value.message, caught.value.hint) == (
        "--commit is missing.",
        "Add it, for example: --commit 1a2b3c.",
    )
