"""Where a task's words go: data to standard output, everything else to standard error.

All of them pass :func:`the_sink.report.terminal.visible`, because any of them may hold text from outside.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

from the_sink.report.terminal import visible, visible_json


def data(text: str) -> None:
    """Write a line that a reader or the next program in a pipe came for."""
    print(visible(text))


def data_as_json(value: Any) -> None:
    """Write a value for a script to read; moments as ISO 8601 with their zone, paths as their text."""
    print(visible_json(json.dumps(value, indent=2, ensure_ascii=False, default=_as_text)))


def say(text: str) -> None:
    """Write a line about what is going on, at once."""
    print(visible(text), file=sys.stderr, flush=True)


def ask(question: str) -> str:
    """Write a question, wait for a line that answers it, and return that line."""
    print(visible(question), end=" ", file=sys.stderr, flush=True)
    return sys.stdin.readline()


def ask_hidden(question: str) -> str:
    """Write a question and return the line that answers it, which the terminal does not show."""
    import getpass

    return getpass.getpass(f"{visible(question)} ", stream=sys.stderr)


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
