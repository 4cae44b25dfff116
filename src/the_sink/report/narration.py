"""The demo's voice: numbered headings and lines on standard error, so that output stays the commands'."""

from __future__ import annotations

from the_sink.report import lines


class Narration:
    """Write headings and lines for someone who watches."""

    def __init__(self) -> None:
        self._steps = 0

    def step(self, title: str) -> None:
        """Begin a numbered step."""
        self._steps += 1
        self.line(f"\n━━ {self._steps}. {title}")

    def line(self, text: str) -> None:
        """Write one line at once, so that it stands before the output of the command it announces."""
        lines.say(text)
