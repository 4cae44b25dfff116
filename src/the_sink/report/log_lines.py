"""The lines of a log for eyes: moment, task, level, message, further fields, and tracebacks as lines."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from typing import Any

from the_sink.models import LogEvent
from the_sink.report.terminal import visible, visible_json

_LEVELS = ("level", "levelname", "severity")
_MESSAGES = ("message", "msg", "event")
_TIMES = frozenset({"time", "timestamp", "asctime"})
"""Said by the event's own moment."""
_TRACEBACKS = ("exception", "exc_info", "traceback", "stack_info")

_PLAIN = re.compile(r"[^\s\"=]+")
"""A value that can stand behind ``name=`` as it is."""

# Colours: https://learn.microsoft.com/windows/console/console-virtual-terminal-sequences
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

_UNDER = "    | "
"""Before each further line of an event: none can pass for an event of its own."""


def show(pages: Iterable[tuple[LogEvent, ...]], *, grep: str = "", raw: bool = False) -> int:
    """Print events as they come, each page at once, and return how many those were.

    Args:
        pages: Of events, as the log is read.
        grep: Only events with this text, as they were written or as they are shown.
        raw: As they were written; JSON stays the same JSON.
    """
    count = 0
    for page in pages:
        for event in page:
            shown = render_log_event(event)
            if grep in event.message or grep in shown:
                print(_render_raw(event) if raw else shown)
                count += 1
        sys.stdout.flush()
    return count


def render_log_event(event: LogEvent) -> str:
    """Return one event as one line, and a line more for each further line of its text."""
    moment = f"{event.at:%Y-%m-%d %H:%M:%S}.{event.at.microsecond // 1000:03d}"
    fields = _parse(event.message)
    if fields is None:
        text, level, below = event.message, "", ""
    else:
        text = _take(fields, _MESSAGES)
        level = f"{_take(fields, _LEVELS).upper():<7}"
        below = "\n".join(filter(None, (_take(fields, (name,)) for name in _TRACEBACKS)))
    first, *more = _COLOURS.sub("", text).rstrip().splitlines() or [""]
    further = [f"{name}={_render_value(value)}" for name, value in (fields or {}).items()]
    head = "  ".join(filter(None, (moment, _task_of(event), level, first, " ".join(further))))
    more += _COLOURS.sub("", below).rstrip().splitlines()
    return visible("\n".join([head.rstrip(), *(f"{_UNDER}{line}" for line in more)]))


def _parse(message: str) -> dict[str, Any] | None:
    """The fields of a line of JSON that says something; None for any other line."""
    try:
        fields = json.loads(message)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not any(isinstance(fields.get(name), str) for name in _MESSAGES):
        return None
    return {name: value for name, value in fields.items() if name not in _TIMES}


def _take(fields: dict[str, Any], names: tuple[str, ...]) -> str:
    """Take the first of those fields that is a text out of the others; "" where there is none."""
    for name in names:
        if isinstance(fields.get(name), str):
            return str(fields.pop(name))
    return ""


def _render_value(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _task_of(event: LogEvent) -> str:
    """The beginning of the task's id, "" for the stream of a build: prefix/container/task are its parts."""
    parts = event.stream.split("/")
    return parts[2][:8] if len(parts) == 3 else ""


def _render_raw(event: LogEvent) -> str:
    text = event.message.rstrip("\r\n")
    return visible(text) if _parse(text) is None else visible_json(text)
