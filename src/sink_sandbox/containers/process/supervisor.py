"""The process that keeps one container's process: started by path, standard library only.

It stands between the sandbox and what an image runs, so that nothing outlives the sandbox, not even a
sandbox that is killed: its standard input is a pipe that only its starter holds open. A line ``S15``
signals the main process, ``K`` kills its group, and the end of the pipe means that the starter is gone.
It ends with the main process's exit code (128 + signal, as containers do), after everything that
process left behind is killed too.

``supervisor.py RECORD GRACE_S PROGRAM [ARGUMENT…]`` writes who is who to RECORD before the program begins, so
that a later sandbox can clean up where even this process was killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

# Not compared in place: a type checker would take the other systems' branches for dead code.
_IS_LINUX = sys.platform.startswith("linux")
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 1.0


def process_identity(pid: int) -> str:
    """Return what tells this process from a later one with the same number; "" if none is running."""
    try:
        if _IS_LINUX:
            # Field 3 is the state and 22 the start time; the name in field 2 may hold spaces.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            return "" if fields[0] in "ZX" else f"{boot}:{fields[19]}"
        command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
    state, _, started = answer.partition(" ")
    return "" if state.startswith("Z") else started.strip()


def _linux_prctl(option: int, value: int) -> None:
    if _IS_LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _start(program: list[str]) -> tuple[int, int]:
    """Make the program's process, in a session of its own; it dies with this one, where the system offers it.

    The program begins once something is written to the pipe that is returned beside the process's id, and
    never if this process ends before.
    """
    supervisor = os.getpid()
    may_begin, begin = os.pipe()
    pid = os.fork()
    if pid:
        os.close(may_begin)
        return pid, begin
    try:
        os.close(begin)
        os.setsid()
        _linux_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(137)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if not os.read(may_begin, 1):
            os._exit(137)
        os.execv(program[0], program)  # noqa: S606 - there is no shell to start it with
    except OSError as exc:
        os.write(2, f"{program[0]}: {exc.strerror}\n".encode())
        os._exit(126)


def _kill_group(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _kill(main: int) -> None:
    """Kill the main process, which may not lead its group yet, and its group."""
    _signal(main, signal.SIGKILL)
    _kill_group(main, signal.SIGKILL)


def _kill_strays() -> None:
    """Kill what the main process started and left, also in sessions of their own (Linux only)."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while True:
        with contextlib.suppress(OSError):
            for stray in children.read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(stray), signal.SIGKILL)
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            if not _IS_LINUX:
                return
            time.sleep(0.01)


def _watch(main: int, grace_s: float, wakeup: int) -> int:
    """Obey the pipe until the main process has ended; return its exit code."""
    starter = os.getppid()
    inputs = [0, wakeup]
    kill_at = float("inf")
    while True:
        ready, _, _ = select.select(inputs, [], [], _POLL_S)
        if wakeup in ready:
            os.read(wakeup, 4096)
        orders = os.read(0, 4096).decode() if 0 in ready else None
        # A fork of the starter may hold the pipe open: its death shows in the parent's number too.
        if 0 in inputs and (orders == "" or os.getppid() != starter):
            inputs.remove(0)
            kill_at = time.monotonic() + grace_s
            _signal(main, signal.SIGTERM)
        for order in (orders or "").split():
            if order == "K":
                _kill(main)
            else:
                _signal(main, int(order.removeprefix("S")))
        if time.monotonic() >= kill_at:
            _kill(main)
        code = _reap(main)
        if code is not None:
            return code


def _reap(main: int) -> int | None:
    """Collect what has ended, and return the main process's exit code if that has.

    Orphans too, as a container's init does: container-init waits until nothing is left of a process group,
    and one that nobody collects is still there.
    """
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == main:
                code = os.waitstatus_to_exitcode(ended[1])
                return 128 - code if code < 0 else code
    return None


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def main(record: str, grace_s: str, *program: str) -> int:
    """Run ``program`` to its end."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    _linux_prctl(_PR_SET_CHILD_SUBREAPER, 1)
    child, begin = _start(list(program))

    def forward(number: int, _frame: FrameType | None) -> None:
        _signal(child, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    roles = {"owner": os.getppid(), "supervisor": os.getpid(), "main": child}
    known = json.dumps({role: [pid, process_identity(pid)] for role, pid in roles.items()})
    draft = Path(f"{record}.{os.getpid()}")
    draft.write_text(known)
    draft.replace(record)
    os.write(begin, b"1")
    os.close(begin)
    code = _watch(child, float(grace_s), reading)
    _kill_group(child, signal.SIGKILL)
    _kill_strays()
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
