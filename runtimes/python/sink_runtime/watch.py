"""Whether `web` listens where it is asked: said in the task's log where it does not.

A load balancer only tells that a target does not answer, and ECS only stops the task for it. From inside
it can be told what is wrong: that nothing listens yet, that the server listens on another port, or on the
loopback address alone.

`web` takes the place of container-init, so who watches it is a process of its own. It is made before, is
no child of `web` (which may wait for its children), never waits for anything but the end of `web`, and
ends as soon as the port is listened on, at the latest after five minutes. It needs Linux; elsewhere
nothing is watched.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from sink_runtime import sockets
from sink_runtime.layout import LOOPBACK_HOSTS, say

_ELSEWHERE_S = 5.0
"""A server that listens somewhere by then has booted."""

_REPORTS_S = (10.0, 60.0, 300.0)
"""When it is said that nothing listens; the last is the time that a task has to become healthy."""

_SHORTEST_S, _LONGEST_S, _GROWTH = 0.2, 2.0, 1.5
_POLL_S = 0.2

Await = Callable[[float], bool]
"""Waits that many seconds for the end of what is watched; says whether it has ended."""


def leave_watching(environment: Mapping[str, str]) -> None:
    """Leave a process behind that watches this one, whatever it becomes; no error where none can be made."""
    watched = os.getpid()
    if not any(table.exists() for table in sockets.TABLES):
        return
    with contextlib.suppress(OSError):
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            return
        # Nothing of what container-init would do at its own end may happen here.
        try:
            if os.fork() == 0:
                _watch_process(watched, environment)
        finally:
            os._exit(0)


def _watch_process(pid: int, environment: Mapping[str, str]) -> None:
    os.setsid()  # what is meant for the app, such as Ctrl-C in a terminal, does not reach it
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)  # whoever reads what the app writes must see its end
    watch(pid, environment, _await_end(pid))


def _await_end(pid: int) -> Await:
    try:
        ends = os.pidfd_open(pid)
    except (AttributeError, OSError):  # a Python or a kernel without it

        def poll(seconds: float) -> bool:
            deadline = time.monotonic() + seconds
            while (is_running := sockets.is_running(pid)) and time.monotonic() < deadline:
                time.sleep(_POLL_S)
            return not is_running

        return poll
    return lambda seconds: bool(select.select([ends], [], [], seconds)[0])


@contextlib.contextmanager
def watching(pid: int, environment: Mapping[str, str]) -> Iterator[None]:
    """Watch a process and what it starts, for as long as the block runs."""
    ended = threading.Event()
    arguments = (pid, environment, ended.wait)
    threading.Thread(target=watch, args=arguments, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def watch(root: int, environment: Mapping[str, str], has_ended: Await) -> None:
    """Say it when a process and those below it do not listen on PORT, and when they do after all."""
    port = environment["PORT"]
    if not port.isdigit():
        return
    began = time.monotonic()
    reports = [_ELSEWHERE_S, *_REPORTS_S]
    has_complained = False
    pause = _SHORTEST_S
    while not has_ended(pause):
        elapsed = time.monotonic() - began
        listeners = sockets.find_listeners()
        asked = [each for each in listeners if each.port == int(port)]
        if asked:
            if all(each.is_loopback for each in asked) and environment["HOST"] not in LOOPBACK_HOSTS:
                say(
                    f"web listens on port {port} of {asked[0].address} alone, where no load balancer "
                    f"reaches it; it must listen on $HOST ({environment['HOST']})."
                )
            elif has_complained:
                say(f"web listens on port {port} now, {elapsed:.0f} s after its start.")
            return
        if elapsed >= reports[0]:
            due = reports.pop(0)
            # Of those found above: by now it may listen where it is asked.
            elsewhere = _ports(root, listeners)
            if elsewhere or due != _ELSEWHERE_S:
                say(_complaint(port, due, elsewhere))
                has_complained = True
            if not reports:
                return
        pause = min(pause * _GROWTH, _LONGEST_S, max(began + reports[0] - time.monotonic(), 0.0))


def _complaint(port: str, elapsed_s: float, elsewhere: list[int]) -> str:
    nothing = f"nothing listens on port {port} ($PORT) {elapsed_s:g} s after the start of web"
    if not elsewhere:
        return f"{nothing}."
    named = " and ".join(str(each) for each in elsewhere)
    return f"{nothing}, which listens on port {named}."


def _ports(root: int, listeners: Sequence[sockets.Listener]) -> list[int]:
    own = sockets.find_inodes(root)
    return sorted({each.port for each in listeners if each.inode in own})
