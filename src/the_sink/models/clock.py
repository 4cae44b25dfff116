"""Time as an argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Clock:
    """Time as an argument.

    Attributes:
        now: Seconds that only grow, from any beginning.
        sleep: Lets so many of them pass.
        utc: What AWS's own times are compared with.
    """

    now: Callable[[], float]
    sleep: Callable[[float], None]
    utc: Callable[[], datetime]
