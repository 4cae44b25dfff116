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


@pytest.mark.parametrize(("typed", "expected"), [("", 20), ("1", 1), ("250", 250), ("all", None)])
def test_number_or_all(typed, expected):
    assert flags.number_or_all(typed, "--limit", default=20) == expected


@pytest.mark.parametrize("typed", ["0", "-1", "x", "1.5", "²"])
def test_number_or_all_refuses(typed):
    with pytest.raises(InputError) as caught:
        flags.number_or_all(typed, "--limit", default=20)

    assert caught.value.message == f"--limit {typed}: a number above 0, or `all`, is needed."
    assert caught.value.hint == "For example: --limit 20."


@pytest.mark.parametrize(("typed", "expected"), [("", 8080), ("1", 1), ("65535", 65535)])
def test_port(typed, expected):
    assert flags.port(typed, default=8080) == expected


@pytest.mark.parametrize("typed", ["0", "65536", "http", "80.5", "-1", "²", "٣"])
def test_port_refuses(typed):
    with pytest.raises(InputError) as caught:
        flags.port(typed)

    assert caught.value.message == f"--port {typed}: a port is a number from 1 to 65535."
