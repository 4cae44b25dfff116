"""The last exception of a log is told in one line, and no line of it floods a terminal."""

from __future__ import annotations

import json

import pytest

from the_sink.diagnosis.exceptions import LoggedException, find_exception, find_logged_error, shorten_line

FRAME = ["Traceback (most recent call last):", '  File "/app/src/shop/main.py", line 3, in <module>']
PYDANTIC = [
    *FRAME,
    "    settings = Settings()",
    "pydantic_core._pydantic_core.ValidationError: 2 validation errors for Settings",
    "greeting",
    "  Field required [type=missing, input_value={'API_KEY': 'hidden'}, input_type=dict]",
    "    For further information visit https://errors.pydantic.dev/2.11/v/missing",
    "log_level",
    "  Input should be 'DEBUG' or 'INFO' [type=literal_error]",
    "    For further information visit https://errors.pydantic.dev/2.11/v/literal_error",
]
CHECKED = "container-init: check ended with exit code 1: a task of this image would not start."


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([], None),
        (["INFO: all is well", CHECKED], None),
        (FRAME, None),
        (
            [*FRAME, "    import arrow", "ModuleNotFoundError: No module named 'arrow'", CHECKED],
            LoggedException("ModuleNotFoundError: No module named 'arrow'"),
        ),
        (
            [*PYDANTIC, CHECKED],
            LoggedException(
                "ValidationError: 2 validation errors for Settings: greeting: Field required; "
                "log_level: Input should be 'DEBUG' or 'INFO'",
                is_about_settings=True,
            ),
        ),
        (
            [*FRAME, '  File "<frozen os>", line 685, in __getitem__', "KeyError: 'GREETING'"],
            LoggedException("KeyError: 'GREETING'", is_about_settings=True),
        ),
        ([*FRAME, "KeyError: 'shelf'"], LoggedException("KeyError: 'shelf'")),
        (
            [
                *[
                    *FRAME,
                    "json.decoder.JSONDecodeError: Expecting value",
                    "",
                    "The above exception was …",
                    "",
                ],
                *[*FRAME, 'pydantic_settings.exceptions.SettingsError: error parsing value for field "a"'],
            ],
            LoggedException('SettingsError: error parsing value for field "a"', is_about_settings=True),
        ),
        ([*FRAME, "AssertionError"], LoggedException("AssertionError")),
    ],
)
def test_the_last_exception_of_a_log_is_told_in_one_line(
    lines: list[str], found: LoggedException | None
) -> None:
    assert find_exception(lines) == found


def test_an_exception_within_a_line_of_json_is_found_and_the_line_keeps_its_last_line_alone() -> None:
    traceback = "\n".join([*FRAME, *['  File "/app/x.py", line 1, in call'] * 200, "RuntimeError: no shelf"])
    line = json.dumps({"level": "ERROR", "message": "unhandled error", "exception": traceback})

    assert find_exception([line, '{"message": "GET /health 500"}']) == LoggedException(
        "RuntimeError: no shelf"
    )
    assert json.loads(shorten_line(line)) == {
        "level": "ERROR",
        "message": "unhandled error",
        "exception": "RuntimeError: no shelf",
    }


@pytest.mark.parametrize("line", ["plain", '{"message": "short"}', "{no json", "{}"])
def test_a_line_that_is_short_stays_as_it_is(line: str) -> None:
    assert shorten_line(line) == line


def test_a_line_that_is_long_is_cut() -> None:
    assert shorten_line("x" * 4000) == "x" * 499 + "…"


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([], ""),
        (['{"level": "INFO", "message": "all is well"}', "ERROR: no JSON", '{"level": "ERROR"}'], ""),
        (
            [
                '{"level": "ERROR", "message": "an earlier one"}',
                r'{"level": "ERROR", "message": "The database was not migrated: no such table.\nLINE 1: …"}',
                '{"level": "INFO", "message": "ends"}',
            ],
            "The database was not migrated: no such table",
        ),
        (['{"level": "critical", "message": " stops. "}'], "stops"),
    ],
)
def test_the_last_error_of_a_log_in_json_is_told_by_its_first_line(lines: list[str], found: str) -> None:
    assert find_logged_error(lines) == found
