"""container-init starts the app as its Procfile says, and steps aside."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import SCRIPTS, Image, refusal

DEADLINE_S = 20


@pytest.fixture
def start(image: Image) -> Iterator[Callable[..., subprocess.Popen[str]]]:
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
            process.kill()
        process.communicate()


def wait_for(path: Path) -> str:
    """Return what a process has written into a file, once it has."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.02)
    raise AssertionError(f"{path} was not written")


def environment_of(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_the_app_finds_its_dependencies_and_its_sources_first(image: Image) -> None:
    done = image.run("container-init", variables={"PYTHONPATH": "/elsewhere"})

    found = environment_of(done)
    assert found["PATH"].split(os.pathsep)[0] == f"{image.root}/opt/venv/bin"
    assert found["VIRTUAL_ENV"] == f"{image.root}/opt/venv"
    assert found["PYTHONPATH"] == f"{image.app}/src:/elsewhere"
    assert found["PWD"] == str(image.app)
    assert "container-init: web: python3 -m shop" in done.stderr


def test_an_environment_of_its_own_is_used_where_it_is_named(image: Image) -> None:
    done = image.run("container-init", variables={"SINK_VENV": "/shared/venv"})

    assert environment_of(done)["PATH"].startswith("/shared/venv/bin:")


def test_host_and_port_have_defaults_and_can_be_said(image: Image) -> None:
    usual = environment_of(image.run("container-init"))
    said = environment_of(image.run("container-init", variables={"HOST": "127.0.0.1", "PORT": "9000"}))

    assert (usual["HOST"], usual["PORT"]) == ("0.0.0.0", "8080")  # noqa: S104 - inside a container
    assert (said["HOST"], said["PORT"]) == ("127.0.0.1", "9000")


def test_release_ends_before_web_begins(image: Image) -> None:
    image.write("Procfile", "release: sleep 0.3; echo release >> order\nweb: echo web >> order; cat order\n")

    done = image.run("container-init")

    assert (done.returncode, done.stdout) == (0, "release\nweb\n")


def test_web_does_not_start_after_a_failed_release(image: Image) -> None:
    image.write("Procfile", "release: exit 7\nweb: echo serving\n")

    done = image.run("container-init")

    assert (done.returncode, done.stdout) == (7, "")
    assert "release ended with exit code 7; web is not started." in done.stderr


@pytest.mark.parametrize("code", [0, 1, 42])
def test_the_exit_code_is_that_of_web(image: Image, code: int) -> None:
    image.write("Procfile", f"web: exit {code}\n")

    assert image.run("container-init").returncode == code


def test_the_end_of_a_web_that_is_several_commands_is_told(image: Image) -> None:
    """Also where it ends well: a web process is meant to go on."""
    image.write("Procfile", "web: true && true\n")

    done = image.run("container-init")

    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "container-init: web ended with exit code 0."


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_web_which_ends_in_its_own_way(
    image: Image, start: Callable[..., subprocess.Popen[str]], number: signal.Signals
) -> None:
    image.write(
        "src/shop.py",
        """\
        import pathlib, signal, sys

        def drain(received, frame):
            print("drained", signal.Signals(received).name, flush=True)
            sys.exit(3)

        signal.signal(signal.SIGTERM, drain)
        signal.signal(signal.SIGINT, drain)
        pathlib.Path("ready").write_text("yes")
        while True:
            signal.pause()
        """,
    )
    process = start()
    wait_for(image.app / "ready")

    process.send_signal(number)
    stdout, _ = process.communicate(timeout=DEADLINE_S)

    assert (process.returncode, stdout) == (3, f"drained {number.name}\n")


def test_a_signal_during_release_stops_it_and_web_does_not_start(
    image: Image, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """Even where release takes the signal for a reason to end well."""
    image.write(
        "Procfile", "release: trap 'exit 0' TERM; echo $$ > pid; while :; do :; done\nweb: echo serving\n"
    )
    process = start()
    running = int(wait_for(image.app / "pid"))

    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=DEADLINE_S)

    assert (process.returncode, stdout) == (128 + signal.SIGTERM, "")
    assert "web is not started" in stderr
    with pytest.raises(ProcessLookupError):
        os.kill(running, 0)


@pytest.mark.parametrize("web", ["python3 -m shop", "SLOW=1 LEVEL='a b' python3 -m shop > log 2>&1"])
def test_web_takes_the_place_of_the_script(
    image: Image, start: Callable[..., subprocess.Popen[str]], web: str
) -> None:
    """No process, not even a shell, stands between whoever stops the task and the server."""
    image.write("Procfile", f"web: {web}\n")
    image.write(
        "src/shop.py",
        """\
        import os, pathlib, time

        pathlib.Path("pid").write_text(str(os.getpid()))
        time.sleep(60)
        """,
    )
    process = start()

    assert int(wait_for(image.app / "pid")) == process.pid


def test_a_signal_reaches_every_command_of_a_web_that_is_several(
    image: Image, start: Callable[..., subprocess.Popen[str]]
) -> None:
    image.write("Procfile", "web: cd src && python3 -m shop | cat\n")
    image.write(
        "src/shop.py",
        """\
        import os, pathlib, time

        pathlib.Path("pid").write_text(str(os.getpid()))
        time.sleep(60)
        """,
    )
    process = start()
    server = int(wait_for(image.app / "src/pid"))

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 128 + signal.SIGTERM
    assert not Path(f"/proc/{server}").exists() or is_zombie(server)


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


def test_further_process_types_run_beside_web_and_drain_with_it(
    image: Image, start: Callable[..., subprocess.Popen[str]]
) -> None:
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


def test_releases_run_one_after_the_other(image: Image, start: Callable[..., subprocess.Popen[str]]) -> None:
    """By a lock among the files that tasks share, which goes with whoever held it."""
    shared = image.root / "mnt/shared"
    shared.mkdir(parents=True)
    image.write("Procfile", "release: echo $PORT >> order; exit 9\nweb: true\n")
    with (shared / ".release.lock").open("a") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        waiting = start()
        assert waiting.stderr is not None
        assert waiting.stderr.readline() == "container-init: release waits for that of another task.\n"
        told = start()
        assert told.stderr is not None
        told.stderr.readline()
        told.send_signal(signal.SIGTERM)
        assert told.wait(DEADLINE_S) == 128 + signal.SIGTERM
        assert not (image.app / "order").exists()

    assert waiting.wait(DEADLINE_S) == 9
    assert (image.app / "order").read_text() == "8080\n"


def is_zombie(pid: int) -> bool:
    """Whether a process has ended and waits to be counted by its parent."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True)
    return state.stdout.strip()[:1] in ("", "Z")


@pytest.mark.parametrize(
    ("procfile", "sentence"),
    [
        ("release: true\n", "has no line `web: <command>`: nothing would serve requests."),
        ("web: true\nserve it\n", "line 2 is not `name: command`."),
        ("web:\n", "line 1 is not `name: command`."),
        ("# a comment\n\nweb: true\nweb: false\n", "line 4 names 'web' a second time."),
    ],
)
def test_a_procfile_that_says_nothing_useful_is_refused(image: Image, procfile: str, sentence: str) -> None:
    file = image.write("Procfile", procfile)

    for script, arguments in (("container-init", []), ("container-init", ["check"]), ("app-init", ["app"])):
        assert refusal(image.run(script, *arguments)) == f"{file} {sentence}"


def test_a_missing_procfile_is_named(image: Image) -> None:
    (image.app / "Procfile").unlink()

    expected = f"{image.app}/Procfile is missing: write `web: <command>` into it."
    assert refusal(image.run("container-init")) == expected


def test_a_misspelt_command_is_refused(image: Image) -> None:
    expected = "'chekc' is not understood: write container-init [check|env|health]."

    assert refusal(image.run("container-init", "chekc")) == expected


class TestCheck:
    def test_it_runs_the_procfiles_line_with_the_settings(self, image: Image) -> None:
        image.write("Procfile", 'check: test "$TOKEN" = s3cret\nweb: echo serving\n')
        image.write(".env", "TOKEN=s3cret\n")

        done = image.run("container-init", "check")

        assert (done.returncode, done.stdout) == (0, "")

    def test_a_failed_check_is_1_whatever_its_own_code(self, image: Image) -> None:
        image.write("Procfile", "check: exit 9\nweb: echo serving\n")

        done = image.run("container-init", "check")

        assert done.returncode == 1
        assert "check ended with exit code 9: a task of this image would not start." in done.stderr

    def test_without_such_a_line_the_settings_are_read(self, image: Image) -> None:
        assert image.run("container-init", "check").returncode == 0
        image.write(".env", 'TOKEN="never closed\n')

        assert refusal(image.run("container-init", "check")) == (
            f"{image.app}/.env line 1 is not NAME=value, or its quotes do not close."
        )
