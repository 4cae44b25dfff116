"""Where a task's words go: data to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any


def data(text: str) -> None:
    """Write a line that a reader or the next program in a pipe came for."""
    print(text)


def data_as_json(value: Any) -> None:
    """Write a value for a script to read; moments as ISO 8601 with their zone, paths as their text."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=_as_text))


def say(text: str) -> None:
    """Write a line about what is going on, at once."""
    print(text, file=sys.stderr, flush=True)


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
