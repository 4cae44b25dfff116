"""What a database's folder tells of its server: who keeps it, whether it answers, who uses it.

Locks decide, not files: the kernel lets them go however their holder ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sink_host.errors import SinkError

_START_S = 60.0
"""Recovery after a crash may take its time."""

_POLL_S = 0.02


def wait_ready(folder: Path) -> tuple[int, int] | None:
    """Pid and port once the server accepts connections; None when it has ended instead."""
    found: list[tuple[int, int]] = []

    def is_settled() -> bool:
        ready = ready_postmaster(folder)
        if ready is not None:
            found[:] = [ready]
        return bool(found) or not is_kept(folder)

    if not wait(is_settled, _START_S):
        raise SinkError(
            f"The database in {folder} did not accept connections within {_START_S:g} s.",
            f"Its log: {folder / 'server.log'}",
        )
    return found[0] if found else None


def ready_postmaster(folder: Path) -> tuple[int, int] | None:
    """Pid and port of the server if it lives and its own file says that it accepts connections."""
    # Line 1 is the process, 4 the port, 8 the state: https://www.postgresql.org/docs/18/storage-file-layout.html
    try:
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
        if len(lines) < 8 or lines[7].strip() != "ready":
            return None
        os.kill(int(lines[0]), 0)
        return int(lines[0]), int(lines[3])
    except (OSError, ValueError):
        return None


def end_orphan(folder: Path) -> bool:
    """End a server whose supervisor was killed; a file that names a process of somebody else's is stale."""
    import psutil

    file = folder / "data" / "postmaster.pid"
    try:
        process = psutil.Process(int(file.read_text().splitlines()[0]))
        is_server = process.name() == "postgres" and Path(process.cwd()) == (folder / "data").resolve()
    except (OSError, ValueError, IndexError, psutil.Error):
        is_server = False
    if is_server:
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
                process.wait(5)
                break
    with contextlib.suppress(OSError):
        file.unlink()
    return is_server


def take_hold(folder: Path) -> int:
    """Return a descriptor that keeps the server running as long as it is open; waits for one that is ending.

    Raises:
        SinkError: it does not end.
    """
    handle = os.open(folder / "in-use.lock", os.O_RDWR | os.O_CREAT, 0o600)
    if not wait(lambda: _lock(handle, fcntl.LOCK_SH), _START_S):
        os.close(handle)
        raise SinkError(f"The database in {folder} is still stopping.", "Try again.")
    return handle


def is_kept(folder: Path) -> bool:
    """Whether its supervisor lives."""
    try:
        handle = os.open(folder / "supervisor.lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _lock(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Let one command at a time start or stop the folder's server.

    Raises:
        SinkError: another one takes too long.
    """
    handle = os.open(folder / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not wait(lambda: _lock(handle, fcntl.LOCK_EX), 2 * _START_S):
            raise SinkError(f"Another command is still starting the database in {folder}.", "Try again.")
        yield
    finally:
        os.close(handle)


def _lock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def wait(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Poll until the condition holds; False when the time is up."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True
