"""Small questions to a sandbox's process: does it live, does it answer; one command at a time.

On the standard library, as ``lifecycle``, which they serve, is imported on every invocation of a task.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from sink_sandbox.authentication.secret import ROOT_KEY
from sink_sandbox.authentication.signature import sign
from sink_sandbox.errors import SandboxUnavailable

HOST = "127.0.0.1"

_POLL_S = 0.05


def request(port: int, method: str, path: str, secret: str, timeout_s: float) -> Any:
    """The decoded JSON answer to a request that is signed by root's key, or None when there is none."""
    from http.client import HTTPConnection, HTTPException

    headers = sign(method, path, f"{HOST}:{port}", ROOT_KEY, secret)
    connection = HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return json.loads(response.read()) if response.status == 200 else None
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()


def make_private(folder: Path) -> None:
    """Make a folder and those above it that are missing, each its user's alone; one that is there stays."""
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(exist_ok=True, mode=0o700)


def open_private(path: str, flags: int) -> int:
    """Open a file as ``open`` does, and make it its user's alone, whatever the umask says."""
    return os.open(path, flags, 0o600)


def send_signal(pid: int, name: str) -> None:
    """Send a signal by its name; a process that is gone needs none."""
    import signal

    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, getattr(signal, name))


def is_alive(pid: int) -> bool:
    """Whether a process exists."""
    with contextlib.suppress(ChildProcessError):  # started by this very process: nobody else collects it
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Poll until the condition holds; False when the time is up."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(_POLL_S)
    return bool(condition())


def is_held(path: Path) -> bool:
    """Whether a live process holds the lock file."""
    import fcntl

    try:
        handle = path.open("rb")
    except OSError:
        return False
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


@contextlib.contextmanager
def exclusive(path: Path, timeout_s: float) -> Iterator[IO[bytes]]:
    """Hold the lock file, waiting for another start or end of the same sandbox to finish.

    A process that inherits the file holds the lock too, until it has closed it.
    """
    import fcntl

    with open(path, "wb", opener=open_private) as handle:

        def acquired() -> bool:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
            return True

        if not wait_until(acquired, timeout_s):
            raise SandboxUnavailable(
                "Another command is still starting or stopping this sandbox.", "Try again."
            )
        yield handle
