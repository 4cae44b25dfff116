"""The demo, where it does not get to its end: what is left, where it is, and how to stop it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sink_sandbox.client import lifecycle
from tests.e2e.walks import use_port

from .conftest import Invoke

CHECKOUT = Path(__file__).resolve().parents[3]
STOP = "THE_SINK_SANDBOX=demo .venv/bin/invoke sandbox.stop"


@pytest.fixture
def demo(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[subprocess.Popen[str]]:
    """A demo that has just been started, in a session of its own as in a terminal."""
    use_port("demo", free_port())
    (tmp_path / "bin").mkdir()
    git = tmp_path / "bin" / "git"
    git.write_text(f'#!/bin/sh\n[ "$1" != clone ] || exit 5\nexec {shutil.which("git")} "$@"\n')
    git.chmod(0o755)
    process = subprocess.Popen(
        [
            *(str(Path(sys.executable).parent / "invoke"), "demo"),
            *("--folder", str(tmp_path / "walk"), "--compute", "processes"),
        ],
        cwd=CHECKOUT,
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process
    process.kill()
    process.communicate()
    lifecycle.stop("demo")


def test_a_wrong_compute_is_refused_before_an_earlier_demo_is_touched(invoke: Invoke, tmp_path: Path) -> None:
    refused = invoke("demo", "--folder", str(tmp_path / "walk"), "--compute", "x", cwd=CHECKOUT)

    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        "--compute x: a sandbox plays containers by docker or by processes.\n"
        "Write --compute docker, --compute processes, or leave it out.\n"
    )
    assert not (tmp_path / "walk").exists()
    assert not (tmp_path / "state").exists()


def test_a_folder_that_cannot_be_made_is_said_before_an_earlier_demo_is_touched(
    invoke: Invoke, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    refused = invoke("demo", "--folder", str(tmp_path / "file" / "walk"), cwd=CHECKOUT)

    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith(f"{tmp_path / 'file' / 'walk'} cannot be made: Not a directory.\n")
    assert not (tmp_path / "state").exists()


@pytest.mark.long
def test_a_demo_that_fails_says_what_is_left_and_how_to_stop_it(demo: subprocess.Popen[str]) -> None:
    _, err = demo.communicate(timeout=180)

    running = lifecycle.require("demo")
    assert demo.returncode == 1
    stopped, log, runs = err.splitlines()[-3:]
    assert re.fullmatch(r"The demo stopped: 'git clone .*' ended with exit code 5\.", stopped)
    assert log == f"Its sandbox's log is {running.state_dir / 'server.log'}."
    assert runs == f"Its sandbox runs on, at {running.endpoint_url}. Stop it: {STOP}"


@pytest.mark.long
def test_ctrl_c_is_told_once_with_what_is_left(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    said = demo.stderr
    assert said is not None
    while "invoke sandbox.start" not in said.readline():
        assert demo.poll() is None
    while not (lifecycle.state_dir("demo") / "server.log").exists():
        assert demo.poll() is None
        time.sleep(0.01)
    os.killpg(demo.pid, signal.SIGINT)
    _, err = demo.communicate(timeout=180)

    assert demo.returncode == 130
    assert err == (
        "Interrupted: the sandbox 'demo' was not started.\nThe demo stopped here.\n"
        f"Its sandbox's log is {lifecycle.state_dir('demo') / 'server.log'}.\n"
    )
    assert not (tmp_path / "walk").exists()
