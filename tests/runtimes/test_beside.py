"""Further process types beside web."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import DEADLINE_S, SCRIPTS, Image, Start, is_zombie, wait_for

JOBS = """\
    import os, pathlib, signal, sys

    def drain(received, frame):
        os.write(1, b"the job is done\\n")  # at once: two processes write here
        sys.exit(0)

    signal.signal(signal.SIGTERM, drain)
    pathlib.Path("jobs").write_text("ready")
    while True:
        signal.pause()
    """


def test_further_process_types_run_beside_web_and_drain_with_it(image: Image, start: Start) -> None:
    image.write("Procfile", "worker: FAST=1 python3 -m jobs\nweb: python3 -m shop\n")
    image.write("src/jobs.py", JOBS)
    image.write("src/shop.py", JOBS.replace('"jobs"', '"shop"').replace("the job", "the answer"))
    process = start()
    wait_for(image.app / "jobs")
    wait_for(image.app / "shop")

    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=DEADLINE_S)

    assert sorted(stdout.splitlines()) == ["the answer is done", "the job is done"]
    assert stderr.splitlines() == [
        "container-init: web: python3 -m shop",
        "container-init: worker: FAST=1 python3 -m jobs",
    ]
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize("code", [0, 3])
def test_a_task_ends_with_the_first_of_its_processes(image: Image, code: int) -> None:
    """ECS starts another; a task whose worker is gone would go on serving and do no work."""
    image.write("Procfile", f"web: python3 -m jobs\nworker: until [ -s jobs ]; do :; done; exit {code}\n")
    image.write("src/jobs.py", JOBS)

    done = image.run("container-init")

    assert (done.returncode, done.stdout) == (code, "the job is done\n")
    last = done.stderr.splitlines()[-1]
    assert last == f"container-init: worker ended with exit code {code}, and the task with it."


def test_what_does_not_end_with_the_others_is_killed(image: Image) -> None:
    image.write(
        "end.py",
        """\
        import os, pathlib, sys
        from sink_runtime import children

        children._GRACE_S = 0.3
        with children.Children() as both:
            deaf = "trap '' TERM; sleep 60 & echo $! > pid; wait; wait"
            commands = [deaf, "until [ -s pid ]; do :; done; exit 4"]
            here = pathlib.Path.cwd()
            shells = [["sh", "-c", each] for each in commands]
            started = [both.start(each, here, os.environ, whole_group=True) for each in shells]
            first = both.wait_together(started)
            print(both.wait(first), started[0].returncode, pathlib.Path("pid").read_text())
        """,
    )
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "end.py"], cwd=image.app, env=environment, capture_output=True, text=True, timeout=20
    )

    code, killed, pid = map(int, done.stdout.split())
    assert (code, killed) == (4, -signal.SIGKILL), done.stderr
    assert not Path(f"/proc/{pid}").exists() or is_zombie(pid)
