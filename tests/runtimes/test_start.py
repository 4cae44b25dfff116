"""container-init starts the app as its Procfile says, and steps aside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import DEADLINE_S, Image, Start, await_end, refusal, wait_for


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
    image: Image, start: Start, number: signal.Signals
) -> None:
    image.write(
        "src/shop.py",
        """\
        import pathlib, signal, sys

        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        pathlib.Path("ready").write_text("yes")
        received = signal.sigwait({signal.SIGTERM, signal.SIGINT})
        print("drained", signal.Signals(received).name, flush=True)
        sys.exit(3)
        """,
    )
    process = start()
    wait_for(image.app / "ready")

    process.send_signal(number)
    stdout, _ = process.communicate(timeout=DEADLINE_S)

    assert (process.returncode, stdout) == (3, f"drained {number.name}\n")


LAST_MOMENT = """\
    import os, signal

    def execve(*_):
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        print(*(signal.getsignal(each).name for each in (signal.SIGTERM, signal.SIGINT)), blocked, flush=True)
        os._exit(0)

    os.execve = execve
    """


def test_no_handler_notes_a_signal_that_web_would_never_hear_of(image: Image) -> None:
    """What comes between the last line of container-init and the first of `web` has its usual effect."""
    image.write("patches/sitecustomize.py", LAST_MOMENT)

    done = image.run("container-init", variables={"PYTHONPATH": str(image.app / "patches")})

    assert done.stdout == "SIG_DFL SIG_DFL set()\n", done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_before_anything_has_begun_it_ends(
    image: Image, start: Start, number: signal.Signals
) -> None:
    """By a handler, because process 1 hears of nothing else; without a traceback."""
    procfile = image.app / "Procfile"
    procfile.unlink()
    os.mkfifo(procfile)
    process = start()
    writer = await_reader(procfile)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=DEADLINE_S)
    os.close(writer)

    assert (process.returncode, stderr) == (128 + number, "")


def await_reader(fifo: Path) -> int:
    """Open a named pipe for writing, once somebody reads it."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_signal_during_release_stops_it_and_web_does_not_start(image: Image, start: Start) -> None:
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
def test_web_takes_the_place_of_the_script(image: Image, start: Start, web: str) -> None:
    """No process, not even a shell, stands between whoever stops the task and the server."""
    image.write("Procfile", f"web: {web}\n")
    image.write(
        "src/shop.py",
        """\
        import os, pathlib, time

        pathlib.Path("pid").write_text(str(os.getpid()))
        time.sleep(600)
        """,
    )
    process = start()

    assert int(wait_for(image.app / "pid")) == process.pid


def test_a_signal_reaches_every_command_of_a_web_that_is_several(image: Image, start: Start) -> None:
    image.write("Procfile", "web: cd src && python3 -m shop | cat\n")
    image.write(
        "src/shop.py",
        """\
        import os, pathlib, time

        pathlib.Path("pid").write_text(str(os.getpid()))
        time.sleep(600)
        """,
    )
    process = start()
    server = int(wait_for(image.app / "src/pid"))

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 128 + signal.SIGTERM
    await_end(server)


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
