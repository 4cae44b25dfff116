"""What a process does when it is told to end, for as long as it waits for others."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from types import FrameType
from typing import TypeVar

Handling = TypeVar("Handling", bound="SignalHandling")


class SignalHandling(ABC):
    """A block in which SIGTERM and SIGINT go to ``_handle``."""

    def __enter__(self: Handling) -> Handling:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)

    @abstractmethod
    def _handle(self, number: int, _frame: FrameType | None) -> None:
        """Do what the signal asks for; called in the main thread, between two instructions."""
