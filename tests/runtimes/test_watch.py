"""A server that is not where it is asked is told in the task's log, and nothing else changes for that.

The waiting times are shortened, and who watches begins to count when `web` has come to the line `ready()`: a
busy machine may be long in starting it. What watches is the same.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from .conftest import SCRIPTS, Image, Start

sys.path.insert(0, str(SCRIPTS))
from sink_runtime import sockets, watch

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it needs Linux, as images do")

SERVER = """\
import os, pathlib, socket, sys, time

def listen(address):
    server = socket.create_server(address)
    print("listening", *server.getsockname(), flush=True)
    return server

def ready():
    pathlib.Path(os.environ["SINK_ROOT"], "ready").touch()

def until(name):
    while not pathlib.Path(os.environ["SINK_ROOT"], name).exists():
        time.sleep(0.02)

{body}
time.sleep(600)
"""

# container-init as it is, but for the waiting times and what is counted.
FAST = """\
import os, pathlib, sys, time
from types import SimpleNamespace
sys.argv[0] = "container-init"
sys.path.insert(0, {scripts!r})
from sink_runtime import start, watch
watch._ELSEWHERE_S, watch._REPORTS_S = 0.3, {reports}
began = time.monotonic()

def count():
    global began
    if not pathlib.Path(os.environ["SINK_ROOT"], "ready").exists():
        began = time.monotonic()
    return time.monotonic() - began

watch.time = SimpleNamespace(monotonic=count, sleep=time.sleep)
sys.exit(start.main([]))
"""

LATE_S = 600.0
"""A report that no test waits for."""


@pytest.fixture
def port(free_port: Callable[[], int]) -> int:
    return free_port()


@pytest.fixture
def start(image: Image, port: int) -> Iterator[Start]:
    """Start container-init; what is left at the end is stopped by its id."""
    started: list[subprocess.Popen[str]] = []

    def run(
        body: str,
        procfile: str = "web: python3 -u -m shop\n",
        reports: tuple[float, ...] = (0.6, LATE_S),
        **variables: str,
    ) -> subprocess.Popen[str]:
        image.write("Procfile", procfile)
        image.write("src/shop.py", SERVER.format(body=body))
        process = subprocess.Popen(
            [sys.executable, "-c", FAST.format(scripts=str(SCRIPTS), reports=reports)],
            env=image.environment({"PORT": str(port), "HOST": "127.0.0.1", **variables}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()  # which reaches all of a web that is several commands
        process.communicate(timeout=60)


def told(process: subprocess.Popen[str], lines: int) -> list[str]:
    """Read that many lines of the log after the announcement, without the script's name."""
    assert process.stderr is not None
    said = [process.stderr.readline().rstrip("\n") for _ in range(lines + 1)]
    assert said[0].startswith("container-init: web: "), said
    return [line.removeprefix("container-init: ") for line in said[1:]]


@pytest.mark.parametrize(
    "web", ["python3 -u -m shop", "cd src && python3 -u -m shop"], ids=["one", "several"]
)
def test_a_server_on_another_port_is_named(start: Start, port: int, web: str) -> None:
    """Of all that listens on this machine, what the app's own processes listen on."""
    with socket.create_server(("127.0.0.1", 0)):
        process = start('kept = listen(("127.0.0.1", 0)); ready()', f"web: {web}\n")
        assert process.stdout is not None
        other = process.stdout.readline().split()[-1]

        [said] = told(process, 1)

    assert said == (
        f"nothing listens on port {port} ($PORT) 0.3 s after the start of web, which listens on port {other}."
    )


def test_a_server_that_does_not_listen_is_told_again_and_again(start: Start, port: int) -> None:
    said = told(start("ready()", reports=(0.6, 1.0)), 2)

    assert said == [
        f"nothing listens on port {port} ($PORT) {after} s after the start of web." for after in ("0.6", "1")
    ]


def test_a_server_that_listens_late_is_told_after_the_complaint(
    start: Start, image: Image, port: int
) -> None:
    process = start('ready(); until("told"); kept = listen(("127.0.0.1", int(os.environ["PORT"])))')

    [complaint] = told(process, 1)
    (image.root / "told").touch()
    assert process.stderr is not None
    said = process.stderr.readline()

    assert complaint == f"nothing listens on port {port} ($PORT) 0.6 s after the start of web."
    assert said.startswith(f"container-init: web listens on port {port} now, ")


def test_a_server_on_loopback_alone_is_told_where_that_is_not_asked(start: Start, port: int) -> None:
    """In a container nobody outside reaches it; a check from inside would go well."""
    body = 'kept = listen(("127.0.0.1", int(os.environ["PORT"]))); ready()'
    process = start(body, HOST="0.0.0.0")  # noqa: S104 - of a container

    assert told(process, 1) == [
        f"web listens on port {port} of 127.0.0.1 alone, where no load balancer reaches it; "
        "it must listen on $HOST (0.0.0.0)."
    ]


def test_of_a_server_that_listens_nothing_is_said_and_nobody_stays(start: Start, image: Image) -> None:
    """Who watched has ended, and was no child of the server, which may wait for its children."""
    process = start(
        'kept = listen(("127.0.0.1", int(os.environ["PORT"]))); ready()\n'
        'try: os.waitpid(-1, os.WNOHANG); print("a child", flush=True)\n'
        'except ChildProcessError: print("no child", flush=True)'
    )
    assert process.stdout is not None
    process.stdout.readline()
    assert process.stdout.readline() == "no child\n"
    deadline = time.monotonic() + 60
    while others(image, process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert stderr.splitlines() == ["container-init: web: python3 -u -m shop"]


def test_who_watches_ends_with_the_server(start: Start, image: Image) -> None:
    """At once: whoever reads the log to its end would wait otherwise."""
    process = start("ready(); sys.exit(4)", reports=(LATE_S,))

    process.communicate(timeout=60)

    assert process.returncode == 4
    assert others(image, process.pid) == []


def test_a_server_that_begins_to_listen_during_a_look_is_not_complained_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What nothing was found of cannot be what listens elsewhere."""
    looks = iter([[]])
    server = sockets.Listener(IPv4Address("127.0.0.1"), 8080, "its socket")
    monkeypatch.setattr(watch, "_ELSEWHERE_S", 0.0)
    monkeypatch.setattr(sockets, "find_listeners", lambda: next(looks, [server]))
    monkeypatch.setattr(sockets, "find_inodes", lambda _root: {server.inode})

    watch.watch(os.getpid(), {"PORT": "8080", "HOST": "127.0.0.1"}, lambda _seconds: False)

    assert capsys.readouterr().err == ""


def others(image: Image, server: int) -> list[str]:
    """Processes that were started for this image, but for the server."""
    mark = f"SINK_ROOT={image.root}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) not in (server, os.getpid()):
            with contextlib.suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(folder.name)
    return found
