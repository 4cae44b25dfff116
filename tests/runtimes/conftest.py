"""app-init and container-init as the processes that they are, in a folder that stands for an image."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "runtimes" / "python"
DEADLINE_S = 60

Start = Callable[..., subprocess.Popen[str]]


@dataclass(frozen=True)
class Image:
    """A folder that stands for the root of an image, and the ways to run the runtime's scripts in it."""

    root: Path

    @property
    def app(self) -> Path:
        return self.root / "app"

    def write(self, path: str, text: str) -> Path:
        file = self.app / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def command(self, script: str, *arguments: str) -> list[str]:
        return [sys.executable, str(SCRIPTS / script), *arguments]

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        # What a container has, and nothing of whoever runs the tests: a version manager's python3 would
        # be a script that puts itself first on the PATH.
        return {"PATH": f"{self.root}/bin:/usr/bin:/bin", "SINK_ROOT": str(self.root), **variables}

    def run(
        self, script: str, *arguments: str, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a script to its end."""
        return subprocess.run(
            self.command(script, *arguments),
            env=self.environment(variables or {}),
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """An image whose app prints the environment that it was given, as JSON, and ends."""
    image = Image(tmp_path / "root")
    (image.root / "bin").mkdir(parents=True)
    (image.root / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
    image.write("Procfile", "web: python3 -m shop\n")
    image.write(
        "src/shop.py",
        """\
        import json, os

        print(json.dumps(dict(os.environ)))
        """,
    )
    return image


@pytest.fixture
def start(image: Image) -> Iterator[Start]:
    """Start container-init and leave it running; what is left at the end is killed by its id."""
    started: list[subprocess.Popen[str]] = []

    def run(**variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            image.command("container-init"),
            env=image.environment(variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            kill_family(process)
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe:  # unread: who was left behind may hold it open
                pipe.close()


def kill_family(process: subprocess.Popen[str]) -> None:
    """Kill container-init and, where it has stayed, what it has started: each leads a group of its own."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    leaders = children.read_text().split() if children.exists() else []
    process.kill()
    for leader in leaders:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(leader), signal.SIGKILL)


def wait_for(path: Path) -> str:
    """Return what a process has written into a file, once it has."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.02)
    raise AssertionError(f"{path} was not written")


def await_end(pid: int) -> None:
    """Wait until a process has ended, reaped or not: what was killed is gone a moment later."""
    deadline = time.monotonic() + DEADLINE_S
    while state_of(pid) not in ("", "Z"):
        assert time.monotonic() < deadline, f"process {pid} goes on"
        time.sleep(0.02)


def state_of(pid: int) -> str:
    """The first letter of a process's state as ps tells it, "" where there is none."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True)
    return state.stdout.strip()[:1]


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one sentence of a refused command; nothing else may have been said."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    return line.partition(": ")[2]
