"""Show what a verb tells while it works, and hand back its result.

A verb is a generator: it yields events and returns its result. On a terminal the events become a live
display, elsewhere (a pipe, ``CI``) plain lines, each one complete in itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

from the_sink.models import Event
from the_sink.report import lines
from the_sink.report.wording import render_event

R = TypeVar("R")


class Display(Protocol):
    """Something that shows events."""

    def show(self, event: Event) -> None:
        """Show one event."""


class PlainDisplay:
    """One line per event that is worth one, on standard error."""

    def show(self, event: Event) -> None:
        """Print the event's line, if it has one."""
        if line := render_event(event):
            lines.say(line)


def watch(events: Generator[Event, None, R]) -> R:
    """Run a verb to its end, show what it tells, and return its result.

    What the verb raises passes through, after the display has been closed.
    """
    with _display() as display:
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                result: R = end.value
                return result
            display.show(event)


def is_live() -> bool:
    """Whether someone watches on a terminal that can be redrawn."""
    return sys.stderr.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


def _display() -> AbstractContextManager[Display]:
    if not is_live():
        return nullcontext(PlainDisplay())
    from the_sink.report.live import LiveDisplay

    return LiveDisplay()
