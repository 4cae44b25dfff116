"""Ctrl-C, where it must wait until something has been tidied away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def interrupted_afterwards() -> Iterator[list[Any]]:
    """Let Ctrl-C wait until the block has ended; pressed meanwhile, it is heard then.

    The block is given a list that is empty until then. A program that it starts hears Ctrl-C as ever.
    """
    heard: list[Any] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield heard  # signals are the main thread's; and what is ignored stays ignored
        return
    signal.signal(signal.SIGINT, lambda number, frame: heard.append((number, frame)))
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)
        if heard:
            before(*heard[0])
