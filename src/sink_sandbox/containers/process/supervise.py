"""Start, signal and outlive-proof the processes of containers and builds; see :mod:`.supervisor`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from sink_sandbox.containers.process import supervisor
from sink_sandbox.containers.process.supervisor import process_identity

RECORD_NAME = "process.json"
_GRACE_S = 2.0
"""How long a process may take to end after the death of the sandbox that started it."""


class Supervised:
    """One program under its supervisor.

    Args:
        argv: The program's absolute path and its arguments.
        environment: Its whole environment; goes through no argument list and no file.
        folder: Where it starts.
        record_dir: Gets ``process.json``, by which :func:`end_orphans` finds it again.
        output: Takes standard output and standard error; None shares this process's own.
    """

    def __init__(
        self,
        argv: list[str],
        environment: Mapping[str, str],
        folder: Path,
        record_dir: Path,
        output: IO[bytes] | int | None = None,
    ) -> None:
        self._record = record_dir / RECORD_NAME
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__, str(self._record), str(_GRACE_S), *argv],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self._supervisor.pid

    @property
    def stdout(self) -> IO[bytes] | None:
        """What the program writes, where ``output`` was a pipe."""
        return self._supervisor.stdout

    def send_signal(self, number: int) -> None:
        """Signal the main process, as a container engine signals process 1; no error if it has ended."""
        self._order(f"S{int(number)}\n")

    def kill(self) -> None:
        """Kill the main process and its group; no error if they have ended."""
        self._order("K\n")

    def wait(self) -> int:
        """Return the exit code once program and group have ended; 128 + n after signal n."""
        code = self._supervisor.wait()
        if code < 0:
            # Somebody killed the supervisor itself: what it kept must not go on unseen.
            _kill_recorded(self._record)
            code = 128 - code
        if self._supervisor.stdin:
            with contextlib.suppress(OSError):
                self._supervisor.stdin.close()
        return code

    def _order(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            assert self._supervisor.stdin is not None  # noqa: S101 - Popen was given a pipe
            self._supervisor.stdin.write(line.encode())
            self._supervisor.stdin.flush()


def end_orphans(folder: Path) -> int:
    """End what a killed sandbox left running and remove its containers' folders; return how many.

    Below ``folder`` each sub-folder is one container. A container whose starter is alive is not touched,
    and no process is signalled unless it is the very one that was recorded.
    """
    if not folder.is_dir():
        return 0
    left = [path for path in folder.iterdir() if path.is_dir() and not _is_owned(path / RECORD_NAME)]
    for path in left:
        _kill_recorded(path / RECORD_NAME)
        shutil.rmtree(path, ignore_errors=True)
    return len(left)


def _is_owned(record: Path) -> bool:
    roles = _read_record(record)
    if not roles:
        # A container that is being made has no record yet; one that was given up long ago has none either.
        return time.time() - record.parent.stat().st_mtime < 60
    pid, identity = roles["owner"]
    return bool(identity) and process_identity(pid) == identity


def _read_record(record: Path) -> dict[str, tuple[int, str]]:
    try:
        found = json.loads(record.read_bytes())
        return {str(role): (int(pid), str(identity)) for role, (pid, identity) in found.items()}
    except (OSError, ValueError):
        return {}


def _kill_recorded(record: Path) -> None:
    roles = _read_record(record)
    for role in ("supervisor", "main"):
        pid, identity = roles.get(role, (0, ""))
        if identity and process_identity(pid) == identity:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                # Both lead a group of their own.
                os.killpg(pid, signal.SIGKILL)
