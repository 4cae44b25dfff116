"""Programs are run as lists of arguments, and one that is missing is a sentence."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from sink_host.process import run, show, uninterrupted, with_path_first
from the_sink.errors import InputError


def test_what_a_program_said_is_returned_with_its_exit_code(tmp_path):
    script = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"

    done = run([sys.executable, "-c", script], tmp_path)

    assert (done.code, done.text, done.error_text) == (3, "out", "err")


def test_a_program_reads_what_it_is_given_and_else_nothing(tmp_path):
    script = "import sys; print(repr(sys.stdin.read()))"

    assert run([sys.executable, "-c", script], tmp_path, stdin=b"words").text == "'words'"
    assert run([sys.executable, "-c", script], tmp_path).text == "''"


@pytest.mark.parametrize("runner", [run, show])
def test_a_missing_program_is_a_sentence(tmp_path, runner):
    with pytest.raises(InputError) as caught:
        runner(["no-such-program"], tmp_path)

    assert caught.value.message == "no-such-program is not installed, or not on the PATH."


def test_a_missing_folder_is_a_sentence(tmp_path):
    with pytest.raises(InputError) as caught:
        run([sys.executable, "-c", ""], tmp_path / "gone")

    assert caught.value.message == f"There is no folder {tmp_path / 'gone'}."


def test_a_script_whose_interpreter_is_gone_is_a_sentence(tmp_path):
    script = tmp_path / "tool"
    script.write_text("#!/no/such/python\n")
    script.chmod(0o755)

    with pytest.raises(InputError) as caught:
        run([str(script)], tmp_path)

    assert caught.value.message == "tool cannot be started: the interpreter in its first line is missing."


def test_shown_output_goes_where_ours_goes(tmp_path, capfd):
    code = show([sys.executable, "-c", "print('words'); raise SystemExit(4)"], tmp_path)

    assert (code, capfd.readouterr().out) == (4, "words\n")


def test_a_folder_is_put_first_and_no_environment_is_active(tmp_path):
    env = with_path_first(
        tmp_path, {"PATH": "/usr/bin", "VIRTUAL_ENV": "/x", "PYTHONHOME": "/y", "KEPT": "1"}
    )

    assert env == {"PATH": f"{tmp_path}{os.pathsep}/usr/bin", "KEPT": "1"}


def test_ctrl_c_waits_for_a_step_that_is_not_to_be_interrupted(tmp_path):
    """Neither this process nor the program that it runs ends by it; afterwards both would again."""
    script = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('alive')"

    with uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        done = run([sys.executable, "-c", script], tmp_path)

    assert (done.code, done.text) == (0, "alive")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        run([sys.executable, "-c", script], tmp_path)


@pytest.mark.parametrize("runner", [run, show])
@pytest.mark.parametrize("ending", ["kill -INT $$", "exit 130"])
def test_a_program_that_ctrl_c_ended_is_an_interruption(tmp_path, runner, ending):
    with pytest.raises(KeyboardInterrupt):
        runner(["sh", "-c", ending], tmp_path)


@pytest.mark.parametrize(("code", "ended"), [(0, "0"), (2, "KeyboardInterrupt")])
def test_ctrl_c_is_waited_for_until_the_shown_program_has_ended(tmp_path, code, ended):
    """As a terminal sends it, to both; the program has an exit code of its own for it, or goes on."""
    script = f"trap 'echo told >told; exit {code}' INT; kill -INT $PPID; kill -INT $$; sleep 1"
    # In a process of its own: it is Ctrl-C for all of the one that shows.
    body = f"""
from pathlib import Path
from sink_host.process import show

try:
    print(show(["sh", "-c", {script!r}], Path.cwd()))
except KeyboardInterrupt as interrupted:
    print(type(interrupted).__name__)
"""
    done = run([sys.executable, "-c", body], tmp_path)

    assert (done.text, done.error_text) == (ended, "")
    assert (tmp_path / "told").read_text() == "told\n"


@pytest.mark.parametrize("moment", ["read", "waitpid"])
@pytest.mark.parametrize(("code", "ended"), [(0, "0"), (2, "KeyboardInterrupt")])
def test_ctrl_c_as_a_shown_program_starts_or_ends_loses_nothing(tmp_path, moment, code, ended):
    """The system calls in which Popen() learns that the program has started, and how it ended."""
    body = f"""
import os, signal
from pathlib import Path
from sink_host.process import show

call = os.{moment}

def interrupted(*arguments):
    found = call(*arguments)
    os.kill(os.getpid(), signal.SIGINT)
    return found

os.{moment} = interrupted
try:
    print(show(["sh", "-c", "sleep 0.2; touch ended; exit {code}"], Path.cwd()))
except KeyboardInterrupt as interruption:
    print(type(interruption).__name__)
"""
    done = run([sys.executable, "-c", body], tmp_path)

    assert (done.text, done.error_text) == (ended, "")
    assert (tmp_path / "ended").exists()
