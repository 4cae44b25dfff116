"""The exception that a Python program ended with, or what it logged last as an error, from its lines (pure).

A traceback stands in lines of its own, or as one field of a line of JSON.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

_BEGIN = "Traceback (most recent call last):"
_RAISED = re.compile(r"(?:[^\W\d]\w*\.)*(?P<type>[^\W\d]\w*)(?P<said>: .*)?")

# https://docs.pydantic.dev/latest/errors/errors/: a count, then two lines or three for each field.
_REFUSED = re.compile(r"\d+ validation errors? for ")
_DETAILS = re.compile(r" \[type=.*\]$")
"""What pydantic says of a value; it may quote it, and it may be a secret."""

_SETTINGS = re.compile(
    r"SettingsError: |ValidationError: \d+ validation errors? for \w*(?:Settings|Config)\b"
)
_ENVIRONMENT = re.compile(r'File "(?:<frozen os>|[^"]*/os\.py)", line \d+, in __getitem__')

_ERRORS = frozenset({"ERROR", "CRITICAL", "FATAL"})

_LONGEST = 300
_LONGEST_LINE = 500


@dataclass(frozen=True)
class LoggedException:
    """An exception as a log tells it.

    Attributes:
        text: Its class and its message in one line, without a full stop.
        is_about_settings: Whether a setting is missing, or has a value that is refused.
    """

    text: str
    is_about_settings: bool = False


def find_exception(lines: Sequence[str]) -> LoggedException | None:
    """Return the last exception whose traceback the lines hold, the outermost of a chain."""
    told = [part for line in lines for part in _unfold(line)]
    begin = next((at for at in range(len(told) - 1, -1, -1) if told[at].strip() == _BEGIN), None)
    if begin is None:
        return None
    end = begin + 1
    while end < len(told) and (not told[end].strip() or told[end].startswith(" ")):
        end += 1
    found = _RAISED.fullmatch(told[end].strip()) if end < len(told) else None
    if found is None:
        return None
    said = (found["said"] or "").strip()
    if _REFUSED.search(said):
        said = f"{said}: {'; '.join(_refused_fields(told[end + 1 :]))}".rstrip(": ")
    text = f"{found['type']}{said}".rstrip(".")
    is_unset = found["type"] == "KeyError" and any(_ENVIRONMENT.search(each) for each in told[begin:end])
    return LoggedException(_cut(text, _LONGEST), is_unset or bool(_SETTINGS.match(text)))


def find_logged_error(lines: Sequence[str]) -> str:
    """Return what the last line of JSON says whose level is an error's; "" for none.

    Of a message of several lines the first, without a full stop.
    """
    for line in reversed(lines):
        fields = _fields(line)
        said = fields.get("message")
        if str(fields.get("level")).upper() in _ERRORS and isinstance(said, str) and said.strip():
            return _cut(said.strip().splitlines()[0].rstrip("."), _LONGEST)
    return ""


def shorten_line(line: str) -> str:
    """Return a line of a log as a terminal can take it: a traceback within it by its last line alone."""
    fields = _fields(line)
    told = {
        name: found.text
        for name, value in fields.items()
        if isinstance(value, str) and _BEGIN in value and (found := find_exception(value.splitlines()))
    }
    return _cut(json.dumps({**fields, **told}, ensure_ascii=False) if told else line, _LONGEST_LINE)


def _unfold(line: str) -> list[str]:
    for value in _fields(line).values():
        if isinstance(value, str) and _BEGIN in value:
            return value.splitlines()
    return [line]


def _fields(line: str) -> dict[str, object]:
    if not line.startswith("{"):
        return {}
    try:
        fields = json.loads(line)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _refused_fields(lines: Sequence[str]) -> list[str]:
    """Return "field: what is wrong with it" for each that pydantic lists."""
    listed: list[str] = []
    for name, said in itertools.pairwise(lines):
        if name.startswith("    For further information"):
            continue
        if name.startswith("  ") and listed:
            continue  # the message of the field before
        if name.startswith(" ") or not said.startswith("  "):
            break
        listed.append(f"{name.strip()}: {_DETAILS.sub('', said.strip())}")
    return listed


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
