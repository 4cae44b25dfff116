"""How often AWS is asked while something is waited for: soon after a change, seldom in a long quiet."""

from __future__ import annotations

from dataclasses import dataclass, field

from the_sink.errors import TimedOut
from the_sink.models import Clock

_FIRST_S = 0.25
_LONGEST_S = 2.0
"""A terminal state is seen within this time."""
_GROWTH = 1.4


@dataclass
class Pace:
    """A deadline and the pauses on the way to it.

    Args:
        clock: Tells and passes time.
        timeout_s: How long may be waited; None waits for ever.
        what: What is waited for, as the end of "… did not end".
        hint: What resumes or mends it.
    """

    clock: Clock
    timeout_s: float | None
    what: str
    hint: str = ""
    _pause_s: float = _FIRST_S
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self.clock.now()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the waiting began."""
        return self.clock.now() - self._started

    def wait(self, changed: bool = False) -> None:
        """Let some time pass; ``changed`` says that something was just seen to happen.

        Raises:
            TimedOut: the deadline has passed.
        """
        if self.timeout_s is not None and self.elapsed_s >= self.timeout_s:
            raise TimedOut(f"{self.what} did not end within {self.timeout_s:g} s.", self.hint)
        self._pause_s = _FIRST_S if changed else min(self._pause_s * _GROWTH, _LONGEST_S)
        self.clock.sleep(self._pause_s)
