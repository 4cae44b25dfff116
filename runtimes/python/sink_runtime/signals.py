"""What a process does when it is told to end, for as long as it waits for others."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from types import FrameType
from typing import TypeVar

Handling = TypeVar("Handling", bound="SignalHandling")

_HANDLED = (signal.SIGTERM, signal.SIGINT)


def give_back_signals() -> None:
    """Let both signals do what they do by default, and lose none that comes meanwhile.

    For a process that becomes another program: of a signal that Python has noted and not handled yet, the
    new program would never hear.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)  # handles what has come by now
    for number in _HANDLED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


class SignalHandling(ABC):
    """A block in which SIGTERM and SIGINT go to ``_handle``."""

    def __enter__(self: Handling) -> Handling:
        for number in _HANDLED:
            signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number in _HANDLED:
            signal.signal(number, signal.SIG_DFL)

    @abstractmethod
    def _handle(self, number: int, _frame: FrameType | None) -> None:
        """Do what the signal asks for; called in the main thread, between two instructions."""
