"""The processes of a task: signals reach all of them, and the task ends when one does."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from sink_runtime.signals import SignalHandling

_GRACE_S = 25.0
"""What the others have to end in when one has: less than the StopTimeout of the platform's stack, 30 s."""


_POLL_S = 0.05


class Children(SignalHandling):
    """SIGTERM and SIGINT reach every process that was started here; between two they end this one."""

    def __init__(self) -> None:
        self._running: dict[subprocess.Popen[bytes], bool] = {}
        self._is_starting = False
        self.received = 0

    def start(
        self,
        argv: Sequence[str],
        folder: Path,
        environ: Mapping[str, str],
        *,
        whole_group: bool = False,
        pass_fds: Sequence[int] = (),
        uid: int | None = None,
        gid: int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process.

        Args:
            argv: The program's path and its arguments.
            folder: Where it starts.
            environ: Its environment.
            whole_group: A signal goes to what it has started too, as a shell needs it. Otherwise a process
                tells its own, which may finish what they do; what it leaves behind gets the signal then.
            pass_fds: What it inherits besides the standard ones.
            uid: Whom it runs as; None for whoever this process is.
            gid: That user's group.
        """
        self._is_starting = True
        child = subprocess.Popen(
            list(argv),
            cwd=folder,
            env=environ,
            start_new_session=True,
            pass_fds=pass_fds,
            user=uid,
            group=gid,
            extra_groups=None if gid is None else [gid],
        )
        self._running[child] = whole_group
        self._is_starting = False
        if self.received:  # while it was being made
            self._tell(child, self.received)
        return child

    def wait(self, child: subprocess.Popen[bytes]) -> int:
        """Return a process's exit code once it has ended; 128 + n after signal n.

        Where a signal was passed on, all of its group has ended too: a shell ends at once, and what it has
        started may still drain.
        """
        code = child.wait()
        if child in self._running and self.received:
            self._tell_rest(child)
            _await_group(child.pid)
        self._running.pop(child, None)
        return 128 - code if code < 0 else code

    def wait_together(self, children: Sequence[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        """Return the one that ended first, once all have.

        When one has, the others are told to end, and each one's rest as soon as that has ended.
        """
        first = _await_first(children)
        deadline = math.inf
        if not self.received:  # else they know, and a second signal may meet one that is all but gone
            deadline = time.monotonic() + _GRACE_S
            for child in children:
                self._tell(child, signal.SIGTERM)
        lasting = list(children)
        while lasting and time.monotonic() < deadline:
            for child in [each for each in lasting if each.poll() is not None]:
                lasting.remove(child)
                self._tell_rest(child)
            time.sleep(_POLL_S)
        for child in children:
            if child not in lasting:
                _await_group(child.pid, deadline)
            _signal_group(child.pid, signal.SIGKILL)
            child.wait()
            del self._running[child]
        return first

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
        if not self._running and not self._is_starting:
            raise SystemExit(128 + number)
        for child in list(self._running):
            self._tell(child, number)

    def _tell(self, child: subprocess.Popen[bytes], number: int) -> None:
        if self._running.get(child):
            _signal_group(child.pid, number)
        elif child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, number)

    def _tell_rest(self, child: subprocess.Popen[bytes]) -> None:
        """Tell what a process that has ended left behind, unless it was told together with it."""
        if not self._running[child]:
            _signal_group(child.pid, self.received or signal.SIGTERM)


def _await_first(children: Sequence[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    by_id = {child.pid: child for child in children}
    first = None
    while first is None:
        # Of any child, orphans that process 1 inherits among them; os.waitid, which could leave its
        # result for Popen, is not on macOS.
        pid, status = os.waitpid(-1, 0)
        first = by_id.get(pid)
    first.returncode = os.waitstatus_to_exitcode(status)
    return first


def _signal_group(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)


def _await_group(leader: int, deadline: float = math.inf) -> None:
    """Wait until nothing of a process group is left, whoever its processes belong to by now.

    Orphans become children of process 1: of this process, or of the init that stands before it
    (`InitProcessEnabled` of the platform's stack), and then nothing but the group still leads to them.
    """
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-leader, os.WNOHANG)[0]:
                pass
        try:
            os.killpg(leader, 0)
        except ProcessLookupError:
            return
        except PermissionError:
            pass  # it is there
        time.sleep(_POLL_S)
