"""The process that keeps one PostgreSQL: started by path, standard library only.

``postgres_supervisor.py FOLDER REMOVE PROGRAM [ARGUMENT…]`` leaves its starter at once and runs the server
until nobody holds ``FOLDER/in-use.lock`` any more or SIGTERM comes. The kernel releases a lock however its
holder ends, and a lock goes on through ``exec``: so the server follows whoever asked for it, even one that
was killed.
A server that dies by itself is started again, as long as it does not die over and over. REMOVE is ``remove``
where the folder goes with the server.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

_POLL_S = 0.1
_DEATHS = 5
_WITHIN_S = 60.0
_RESTART_PAUSE_S = 0.3

_is_ending = False


def main(folder: Path, remove: bool, program: list[str]) -> int:
    """Keep the server to its end; the starter gets 0 as soon as this process stands on its own."""
    lock = (folder / "supervisor.lock").open("wb")
    for _ in range(40):  # one that looks whether it is held holds it for a moment
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        time.sleep(0.05)
    else:
        return 1
    # A supervisor that was killed leaves its number, which may be another process's by now.
    (folder / "supervisor.pid").unlink(missing_ok=True)
    if os.fork():
        os._exit(0)
    os.setsid()
    # The starter reads those to their end.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)
    (folder / "supervisor.pid").write_text(str(os.getpid()))
    with (folder / "server.log").open("wb") as log, (folder / "in-use.lock").open("wb") as in_use:
        code = _keep(program, folder, log.fileno(), in_use.fileno())
        (folder / "supervisor.pid").unlink(missing_ok=True)
        if remove:
            shutil.rmtree(folder, ignore_errors=True)
    return code


def _keep(program: list[str], folder: Path, log: int, in_use: int) -> int:
    deaths: list[float] = []  # of servers that had answered
    is_ready = False
    server = _start(program, log)
    while not _is_ending:
        has_ended = server.poll() is not None
        is_ready = is_ready or _is_ready(folder, server.pid)  # one that was killed leaves its file
        if has_ended:
            now = time.monotonic()
            if is_ready:
                deaths = [then for then in deaths if now - then < _WITHIN_S] + [now]
                is_ready = False
            # A new one is refused while a process of the one that was killed still has its memory, and such a
            # process may be waiting for the disk.
            if not deaths or len(deaths) > _DEATHS or now - deaths[-1] > _WITHIN_S:
                return 1
            time.sleep(_RESTART_PAUSE_S)
            server = _start(program, log)
        with contextlib.suppress(OSError):
            fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break  # and kept, so that whoever comes now waits until the server has ended
        time.sleep(_POLL_S)
    # Fast, then immediate, then not asked any more:
    # https://www.postgresql.org/docs/18/server-shutdown.html
    for number, patience_s in ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
        if server.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                server.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(patience_s)
            break
    return 0


def _start(program: list[str], log: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        program, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True
    )


def _is_ready(folder: Path, server: int) -> bool:
    """Whether this server, not the one before it that was killed, says that it accepts connections."""
    try:
        lines = (folder / "data" / "postmaster.pid").read_text().split()
    except OSError:
        return False
    return lines[:1] == [str(server)] and lines[-1] == "ready"


def _end(_number: int, _frame: FrameType | None) -> None:
    global _is_ending
    _is_ending = True


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] == "remove", sys.argv[3:]))
