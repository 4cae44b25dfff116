"""Processes that end together, and to which a task's end is told."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from sink_runtime.earlier.layout import USER
from sink_runtime.signals import SignalHandling


@dataclass(frozen=True)
class Service:
    """The user without rights that a service runs as; only root can become another.

    Attributes:
        uid: None where this process is not root: it stays who it is.
    """

    uid: int | None = None
    gid: int | None = None
    home: str = ""

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return an environment with this user's home."""
        return {**environ, "HOME": self.home, "USER": USER} if self.home else dict(environ)


def find_service_user() -> Service:
    """Return whom a service runs as."""
    if os.geteuid() != 0:
        return Service()
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:  # no image: a process of somebody who is root here
        return Service()
    return Service(entry.pw_uid, entry.pw_gid, entry.pw_dir)


def become(argv: Sequence[str], folder: Path, environ: Mapping[str, str], user: Service) -> NoReturn:
    """Let a program take this process's place, as that user."""
    os.chdir(folder)
    if user.uid is not None and user.gid is not None:
        os.setgroups([user.gid])
        os.setgid(user.gid)
        os.setuid(user.uid)
    os.execve(argv[0], list(argv), user.environment(environ))  # noqa: S606 - no shell, on purpose


class Children(SignalHandling):
    """SIGTERM and SIGINT reach every process that was started here; before the first they end this one."""

    def __init__(self) -> None:
        self._running: dict[subprocess.Popen[bytes], bool] = {}
        self.received = 0

    def start(
        self,
        argv: Sequence[str],
        folder: Path,
        environ: Mapping[str, str],
        user: Service,
        *,
        whole_group: bool = False,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a process.

        Args:
            argv: The program's path and its arguments.
            folder: Where it starts.
            environ: Its environment, but for the user's home.
            user: Whom it runs as.
            whole_group: Signals go to what it has started too, as a shell needs it; a server tells its own.
            pass_fds: What it inherits besides the standard ones.
        """
        child = subprocess.Popen(
            list(argv),
            cwd=folder,
            env=user.environment(environ),
            start_new_session=True,
            pass_fds=pass_fds,
            user=user.uid,
            group=user.gid,
            extra_groups=None if user.gid is None else [user.gid],
        )
        self._running[child] = whole_group
        if self.received:  # while it was being made
            self._tell(child, self.received)
        return child

    def wait(self, child: subprocess.Popen[bytes]) -> int:
        """Return a process's exit code once it has ended; 128 + n after signal n."""
        code = child.wait()
        self._running.pop(child, None)
        return 128 - code if code < 0 else code

    def wait_together(self, children: Sequence[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        """Return the one that ended first, once all have: the others are told to end when one has."""
        by_id = {child.pid: child for child in children}
        first = None
        while first is None:
            # Of any child, orphans that process 1 inherits among them; os.waitid, which could leave its
            # result for Popen, is not on macOS.
            pid, status = os.waitpid(-1, 0)
            first = by_id.get(pid)
        first.returncode = os.waitstatus_to_exitcode(status)
        if not self.received:  # else they know, and a second signal may meet one that is all but gone
            for child in children:
                if child is not first:
                    self._tell(child, signal.SIGTERM)
        for child in children:
            child.wait()
        return first

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
        if not self._running:
            raise SystemExit(128 + number)
        for child in list(self._running):
            self._tell(child, number)

    def _tell(self, child: subprocess.Popen[bytes], number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._running.get(child):
                os.killpg(child.pid, number)
            elif child.returncode is None:
                os.kill(child.pid, number)
