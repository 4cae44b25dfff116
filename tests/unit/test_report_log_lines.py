"""A log's events as lines for eyes, and as they were written."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from the_sink.models import LogEvent
from the_sink.report import log_lines

AT = datetime(2026, 11, 27, 19, 58, 52, 648000, UTC)
TASK = "app/my-app-stage-app/3f2c1ab09d8e4c0f9b1d0a7e6c5b4a39"


def event(message: str, stream: str = TASK, number: int = 0) -> LogEvent:
    return LogEvent(str(number), AT, stream, message)


def test_json_is_shown_as_level_message_and_fields() -> None:
    line = {
        "time": "2026-11-27T19:58:52.648Z",
        "level": "INFO",
        "logger": "app.logs",
        "message": "GET /nothere 404",
        "status": 404,
        "user agent": 'curl "8"',
    }

    assert log_lines.render_log_event(event(json.dumps(line))) == (
        "2026-11-27 19:58:52.648  3f2c1ab0  INFO     GET /nothere 404  "
        'logger=app.logs status=404 user agent="curl \\"8\\""'
    )


def test_a_traceback_is_lines_of_its_own() -> None:
    line = {"level": "error", "message": "unhandled", "exception": "Traceback:\n  File\nValueError: \x1b[2J"}

    assert log_lines.render_log_event(event(json.dumps(line))).splitlines() == [
        "2026-11-27 19:58:52.648  3f2c1ab0  ERROR    unhandled",
        "    | Traceback:",
        "    |   File",
        r"    | ValueError: \x1b[2J",
    ]


@pytest.mark.parametrize("text", ["plain words", "[1, 2]", '{"no": "message"}', '{"message": 3}', "{" * 9])
def test_any_other_line_stays_as_it_is(text: str) -> None:
    assert log_lines.render_log_event(event(f"{text}\n")) == f"2026-11-27 19:58:52.648  3f2c1ab0  {text}"


def test_a_message_cannot_pass_for_two_events_or_move_the_cursor() -> None:
    forged = "first\n2026-11-27 19:58:52.648  3f2c1ab0  INFO     all is well\rx\x1b[1A"

    assert log_lines.render_log_event(event(forged)).splitlines() == [
        "2026-11-27 19:58:52.648  3f2c1ab0  first",
        "    | 2026-11-27 19:58:52.648  3f2c1ab0  INFO     all is well",
        r"    | x\x1b[1A",
    ]


def test_a_builds_lines_have_no_task_and_no_colours() -> None:
    shown = log_lines.render_log_event(event("\x1b[91mapp-init: no\x1b[0m", "0a1b-2c3d"))

    assert shown == "2026-11-27 19:58:52.648  app-init: no"


def test_raw_lines_keep_their_values_and_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ['{"message": "a\u202eb", "n": 1}', "two\x1b[1A"]

    count = log_lines.show([tuple(map(event, lines))], raw=True)

    first, second = capsys.readouterr().out.splitlines()
    assert count == 2
    assert "\u202e" not in first
    assert json.loads(first) == json.loads(lines[0])
    assert second == r"two\x1b[1A"


def test_grep_finds_what_was_written_and_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    page = (event('{"message": "Z\\u00fcrich", "status": 404}'), event("else"))

    assert [
        log_lines.show([page], grep=text) for text in ("Zürich", "status=404", '"status": 404', "no")
    ] == [
        1,
        1,
        1,
        0,
    ]
    assert "else" not in capsys.readouterr().out
