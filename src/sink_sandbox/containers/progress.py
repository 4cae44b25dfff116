"""How work tells what it is doing: one line at a time, to whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str], None]
"""Takes one line of progress."""


def quiet(_line: str) -> None:
    """Tell nobody."""
