"""Further process types beside web."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from .conftest import DEADLINE_S, SCRIPTS, Image, Start, await_end, wait_for

JOBS = """\
    import os, pathlib, signal

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    pathlib.Path("jobs").write_text("ready")
    signal.sigwait({signal.SIGTERM})
    os.write(1, b"the job is done\\n")  # at once: two processes write here
    """

POOL = """\
    import pathlib, signal, subprocess, sys

    job = [sys.executable, "-c", "import sys; sys.stdin.read(); print('the job is done')"]
    started = subprocess.Popen(job, stdin=subprocess.PIPE)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    pathlib.Path("jobs").write_text("ready")
    signal.sigwait({signal.SIGTERM})
    started.stdin.close()
    sys.exit(started.wait())
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


def test_a_worker_that_is_told_to_end_lets_its_own_processes_finish(image: Image, start: Start) -> None:
    """Those of Celery die of a SIGTERM of their own: https://github.com/celery/celery/issues/4795."""
    image.write("Procfile", "worker: python3 -m pool\nweb: sleep 600\n")
    image.write("src/pool.py", POOL)
    process = start()
    wait_for(image.app / "jobs")

    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=DEADLINE_S)

    assert stdout == "the job is done\n"


def test_what_a_script_leaves_behind_is_told_too_and_waited_for(image: Image, start: Start) -> None:
    """The shell ends at once, and what it has started serves on."""
    image.write("Procfile", "worker: sh run.sh\nweb: sleep 600\n")
    image.write("run.sh", "python3 -m jobs\necho never\n")
    image.write("src/jobs.py", JOBS)
    process = start()
    wait_for(image.app / "jobs")

    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=DEADLINE_S)

    assert stdout == "the job is done\n"


def test_that_is_told_at_once_however_long_the_others_drain(image: Image, start: Start) -> None:
    """All of it has the stop timeout of one task."""
    image.write("Procfile", "worker: sh run.sh\nweb: python3 -m shop\n")
    image.write("run.sh", "python3 -m jobs\necho never\n")
    image.write("src/jobs.py", JOBS + "pathlib.Path('done').touch()\n")
    image.write(
        "src/shop.py",
        """\
        import pathlib, signal, time

        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        pathlib.Path("shop").write_text("ready")
        signal.sigwait({signal.SIGTERM})
        while not pathlib.Path("done").exists():
            time.sleep(0.02)
        """,
    )
    process = start()
    wait_for(image.app / "jobs")
    wait_for(image.app / "shop")

    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=DEADLINE_S)

    assert (process.returncode, stdout) == (128 + signal.SIGTERM, "the job is done\n")


def test_of_several_commands_the_others_are_told_when_one_ends(image: Image) -> None:
    image.write("Procfile", "web: python3 -m jobs & until [ -s jobs ]; do :; done; exit 4\n")
    image.write("src/jobs.py", JOBS)

    done = image.run("container-init")

    assert (done.returncode, done.stdout) == (4, "the job is done\n")


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
            ignoring = "trap '' TERM; sleep 600 & echo $! > pid; wait; wait"
            commands = [ignoring, "until [ -s pid ]; do :; done; exit 4"]
            here = pathlib.Path.cwd()
            shells = [["sh", "-c", each] for each in commands]
            started = [both.start(each, here, os.environ, whole_group=True) for each in shells]
            first = both.wait_together(started)
            print(both.wait(first), started[0].returncode, pathlib.Path("pid").read_text())
        """,
    )
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "end.py"], cwd=image.app, env=environment, capture_output=True, text=True, timeout=60
    )

    code, killed, pid = map(int, done.stdout.split())
    assert (code, killed) == (4, -signal.SIGKILL), done.stderr
    await_end(pid)
