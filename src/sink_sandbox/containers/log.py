"""A container's log as a file, read as docker-py's ``Container.logs`` is; both kinds of compute keep one.

https://docker-py.readthedocs.io/en/stable/containers.html
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

STOP_TIMEOUT_LABEL = "the-sink.stop-timeout"
"""Of a container that plays an ECS task: the seconds between SIGTERM and SIGKILL."""

_POLL_S = 0.1


def read_log(
    path: Path, short_id: str, ended: threading.Event, stream: bool, follow: bool | None, tail: int | str
) -> bytes | Iterator[bytes]:
    """Return what a container wrote, both outputs as one.

    Args:
        path: The file.
        short_id: The container's, for the error.
        ended: Set once nothing more is written.
        stream: Return an iterator over whole lines instead of all bytes.
        follow: With ``stream``, go on until the container has ended; docker-py's default (None) is yes.
        tail: Without ``stream``, only that many last lines, or ``all``.

    Raises:
        docker.errors.NotFound: the container was removed.
    """
    try:
        # Opened here, not in the iterator: a container that is removed meanwhile is read to its end.
        log = path.open("rb")
    except FileNotFoundError as error:
        from docker.errors import NotFound

        raise NotFound(f"Container {short_id} was removed.") from error
    if stream:
        return _lines(log, ended, follow is not False)
    with log:
        lines = log.read().splitlines(keepends=True)
    return b"".join(lines if tail == "all" else lines[-int(tail) :] if int(tail) else [])


def deaf_line(timeout_s: float, number: int) -> str:
    """Return the line that goes to the log of a task that must be killed."""
    return (
        f"[sandbox] {signal.Signals(number).name} has not ended the task within {timeout_s:g} s: it is "
        "killed (SIGKILL, exit code 137), with all that it was answering.\n"
    )


def note_end(path: Path, code: int) -> None:
    """Tell in a task's log that it has ended and was not told to; of itself a program may say nothing."""
    with contextlib.suppress(OSError), path.open("a") as log:  # removed meanwhile: nobody reads it
        log.write(f"[sandbox] The task ended with exit code {code}, and nobody had told it to.\n")


def _lines(log: IO[bytes], ended: threading.Event, follow: bool) -> Iterator[bytes]:
    rest = b""
    with log:
        while True:
            # Asked before reading: what was written before the end is then read in this round.
            is_last = ended.is_set() or not follow
            *lines, rest = (rest + log.read()).split(b"\n")
            for line in lines:
                yield line + b"\n"
            if is_last:
                break
            ended.wait(_POLL_S)
        if rest:
            yield rest
