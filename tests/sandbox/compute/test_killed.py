"""Nothing goes on running when whoever started it dies, however it dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sink_sandbox.containers.process import ProcessEngine

from .conftest import Docker, Emulator, eventually
from .test_engine import is_alive

# Starts one container and waits to be killed; with "fork", a child of it holds all its pipes open.
OWNER = """
import os, pathlib, sys, time
from sink_sandbox.containers.process import ProcessEngine
state, endpoint, image, pids, mode = sys.argv[1:]
engine = ProcessEngine(pathlib.Path(state), endpoint)
engine.containers.run(image, ["stubborn", pids], detach=True)
if mode == "fork" and os.fork() == 0:
    pathlib.Path(pids + ".fork").write_text(str(os.getpid()))
time.sleep(600)
"""


@pytest.mark.parametrize("mode", ["plain", "fork"])
def test_container_ends_with_a_killed_sandbox(
    emulator: Emulator, state_dir: Path, app: str, tmp_path: Path, mode: str
) -> None:
    """The process ignores SIGTERM and has a helper in a session of its own: both end."""
    pids = tmp_path / "pids"
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(state_dir), emulator.endpoint_url, app, str(pids), mode]
    )
    try:
        main, helper = map(int, eventually(lambda: pids.exists() and pids.read_text().split()))
        fork = Path(f"{pids}.fork")
        eventually(lambda: mode == "plain" or (fork.exists() and fork.read_text()))
        assert is_alive(main) and is_alive(helper)

        owner.send_signal(signal.SIGKILL)
        owner.wait()

        eventually(lambda: not is_alive(main), timeout_s=60)
        if sys.platform == "linux":
            eventually(lambda: not is_alive(helper))
        folders = list((state_dir / "containers").iterdir())
        assert len(folders) == 1
        ProcessEngine(state_dir, emulator.endpoint_url)
        assert not list((state_dir / "containers").iterdir())
    finally:
        owner.kill()
        if mode == "fork" and Path(f"{pids}.fork").exists():
            os.kill(int(Path(f"{pids}.fork").read_text()), signal.SIGKILL)


@pytest.mark.skipif(
    sys.platform != "linux", reason="needs PR_SET_PDEATHSIG; elsewhere the next start cleans up"
)
def test_container_ends_with_a_killed_supervisor(
    emulator: Emulator, state_dir: Path, app: str, tmp_path: Path
) -> None:
    engine = ProcessEngine(state_dir, emulator.endpoint_url)
    pids = tmp_path / "pids"
    container = engine.containers.run(app, ["stubborn", str(pids)], detach=True)
    main, helper = map(int, eventually(lambda: pids.exists() and pids.read_text().split()))
    supervisor, _ = json.loads((container.facts.folder / "process.json").read_text())["supervisor"]

    os.kill(supervisor, signal.SIGKILL)

    assert container.wait(timeout=60)["StatusCode"] == 128 + signal.SIGKILL
    eventually(lambda: not is_alive(main))
    os.kill(helper, signal.SIGKILL)  # in a session of its own, nobody is left who knows it
    container.remove()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_container_ends_with_docker_run(docker: Docker, app: str, tmp_path: Path, number: int) -> None:
    reports = tmp_path / "reports"
    reports.mkdir()
    command = subprocess.Popen(
        ["docker", "run", "--rm", "-e", f"REPORT={reports}", app],
        env=docker.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    (report,) = eventually(lambda: list(reports.iterdir()))
    pid = int(eventually(report.read_text))

    command.send_signal(number)

    assert command.wait(60) == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    eventually(lambda: not is_alive(pid))
    left = list((docker.state_dir / "containers").iterdir())
    assert len(left) == (0 if number == signal.SIGTERM else 1)
