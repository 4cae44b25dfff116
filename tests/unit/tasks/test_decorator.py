"""The task decorator, held against the real invoke in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from invoke.context import Context

from the_sink.tasks.decorator import task

TASKS = '''
"""Tasks that do nothing but say what they were given."""
import json as json_module
import time
from the_sink.errors import DeployFailed, InputError
from the_sink.tasks import flags
from the_sink.tasks.decorator import task


@task
def deploy(c, env="", commit="", sandbox=False, dry_run=False, yes=False, json=False, timeout=""):
    """Deploy a commit.

    And say so.

    Args:
        commit: The commit
            to deploy.

    Raises:
        InputError: never shown to users.
    """
    env = flags.required_env(env)
    wait = flags.seconds(timeout, default=600.0)
    print(json_module.dumps([env, commit, sandbox, dry_run, yes, json, wait]))


@task
def store(c):
    """Write where there is no room."""
    with open("/dev/full", "w") as file:
        file.write("x")


@task(iterable=("only",), name="list")
def list_(c, only=None):
    """List things.

    Args:
        only: A thing.
    """
    print(only, flags.passed_on(c))


@task
def fail(c, how=""):
    """Fail in a way.

    Args:
        how: The way.
    """
    if how == "input":
        raise InputError("The thing is wrong.", "Write it otherwise.")
    if how == "bare":
        raise InputError("The thing is wrong.")
    if how == "deploy":
        raise DeployFailed("The build failed.", "Look at it.")
    if how == "bug":
        raise ZeroDivisionError("a bug")
    if how == "wait":
        print("waiting", flush=True)
        time.sleep(600)


@task
def speak(c):
    """Say a lot."""
    for number in range(100_000):
        print(number)
'''


@pytest.fixture(autouse=True)
def tasks_file(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)


def test_help_is_shown_where_a_required_option_would_have_eaten_it(invoke):
    ran = invoke("deploy", "--help")

    assert ran.code == 0
    assert "Usage: inv[oke] [--core-opts] deploy [--options]" in ran.out
    assert "Deploy a commit." in ran.out
    assert "And say so." in ran.out


def test_option_help_comes_from_the_docstring_and_else_from_the_table_of_flags(invoke):
    out = " ".join(invoke("deploy", "--help").out.split())

    assert "--commit=STRING The commit to deploy." in out
    assert "--env=STRING The environment: stage, uat or prod." in out
    assert "-s, --sandbox Act on the sandbox of this machine instead of AWS." in out
    assert "Args:" not in out
    assert "never shown to users" not in out


def test_option_help_is_there_for_every_reader():
    """Invoke hands it out once: a menu that is read after a command ran would have none."""

    @task
    def deploy(_c, commit=""):
        """Deploy.

        Args:
            commit: The commit to deploy.
        """

    assert [[each.help for each in deploy.get_arguments()] for _ in range(2)] == [
        ["The commit to deploy."]
    ] * 2


def test_the_list_shows_the_first_docstring_line_and_the_given_name(invoke):
    ran = invoke("--list")

    assert "deploy   Deploy a commit." in ran.out
    assert "list     List things." in ran.out


def test_defaults_arrive_where_nothing_is_given(invoke):
    assert invoke("deploy", "--env", "uat").out == '["uat", "", false, false, false, false, 600.0]\n'


def test_every_flag_arrives(invoke):
    given = ["--env", "stage", "--commit=abc", "-s", "--dry-run", "-y", "--json", "--timeout", "5"]

    assert invoke("deploy", *given).out == '["stage", "abc", true, true, true, true, 5.0]\n'


@pytest.mark.parametrize(
    "arguments",
    [
        ["deploy", "--env", "stage", "--dry"],
        ["deploy", "--env", "stage", "-R"],
        ["-R", "deploy", "--env", "stage"],
        ["--dry", "deploy", "--env", "stage"],
    ],
)
def test_invokes_own_dry_run_is_ours(invoke, arguments):
    assert invoke(*arguments).out == '["stage", "", false, true, false, false, 600.0]\n'


def test_invokes_own_dry_run_is_refused_where_a_task_has_none(invoke):
    ran = invoke("-R", "speak")

    assert ran.code == 2
    assert ran.out == ""
    assert ran.err == "speak has no dry run, so -R and --dry are refused.\nRun it without them.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--env is missing.\nAdd --env with one of: stage, uat, prod.\n"),
        (
            ["--env", "dev"],
            "--env dev: there is no such environment here.\nAdd --env with one of: stage, uat, prod.\n",
        ),
        (
            ["--env", "stage", "--timeout", "abc"],
            "--timeout abc: that is not a number of seconds.\nGive a number above 0: --timeout 600.\n",
        ),
    ],
)
def test_a_wrong_or_missing_value_is_a_sentence_that_names_the_flag(invoke, arguments, message):
    ran = invoke("deploy", *arguments)

    assert ran.code == 2
    assert ran.err == message
    assert ran.out == ""


@pytest.mark.parametrize(
    ("how", "code", "err"),
    [
        ("input", 2, "The thing is wrong.\nWrite it otherwise.\n"),
        ("bare", 2, "The thing is wrong.\n"),
        ("deploy", 1, "The build failed.\nLook at it.\n"),
    ],
)
def test_our_errors_are_a_line_and_a_hint_on_standard_error(invoke, how, code, err):
    ran = invoke("fail", "--how", how)

    assert (ran.code, ran.out, ran.err) == (code, "", err)


def test_a_bug_keeps_its_traceback(invoke):
    ran = invoke("fail", "--how", "bug")

    assert ran.code == 1
    assert ran.err.startswith("Traceback (most recent call last):")
    assert ran.err.endswith("ZeroDivisionError: a bug\n")


def test_ctrl_c_is_one_line_and_130(tmp_path):
    command = [str(Path(sys.executable).parent / "invoke"), "fail", "--how", "wait"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()

    assert (process.returncode, err) == (130, "Interrupted.\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_one_line_and_what_to_do(tmp_path):
    command = [str(Path(sys.executable).parent / "invoke"), "store"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "The disk is full.\nMake room, then run the same command again.\n"


def test_a_reader_that_goes_away_is_no_error_to_speak_of(tmp_path):
    command = [str(Path(sys.executable).parent / "invoke"), "speak"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "0\n"
        process.stdout.close()
        err = process.stderr.read()
        process.wait(timeout=60)
    finally:
        process.kill()
        process.stderr.close()

    assert (process.returncode, err) == (141, "")


def test_options_may_be_repeated_and_arguments_passed_on_as_they_were_typed(invoke):
    ran = invoke("list", "--only", "a", "--only", "b", "--", "-k", "one or two")

    assert ran.out == "['a', 'b'] ['-k', 'one or two']\n"


def test_a_task_can_call_another_and_its_error_passes_through():
    @task
    def inner(_c: Context) -> None:
        """Fail."""
        from the_sink.errors import InputError

        raise InputError("Inner.", "Hint.")

    @task
    def outer(c: Context) -> None:
        """Call."""
        inner(c)

    from invoke.exceptions import Exit

    with pytest.raises(Exit) as caught:
        outer(Context())

    assert (caught.value.message, caught.value.code) == ("Inner.\nHint.", 2)


def _positional(_c: Context, env: str) -> None:
    """Take a positional."""


def _number(_c: Context, port: int = 8080) -> None:
    """Take a number.

    Args:
        port: A port.
    """


def _other_meaning(_c: Context, yes: str = "") -> None:
    """Take a flag to mean something else."""


def _undocumented(_c: Context, colour: str = "") -> None:
    """Take something unknown."""


def _wrong_list(_c: Context, yes: bool = False, only: tuple[str, ...] = ()) -> None:
    """Take several.

    Args:
        only: A thing.
    """


def _misdocumented(_c: Context) -> None:
    """Take nothing.

    Args:
        colour: Gone.
    """


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_positional, "env needs a default, it would be positional"),
        (_number, "port must be text, parsed by the task"),
        (_other_meaning, "yes must default to False"),
        (_undocumented, r"Args and parameters differ: \['colour'\]"),
        (_misdocumented, r"Args and parameters differ: \['colour'\]"),
    ],
)
def test_a_task_that_breaks_the_rules_cannot_be_made(function, message):
    with pytest.raises(TypeError, match=message):
        task(function)


def test_an_option_that_may_be_repeated_defaults_to_none():
    with pytest.raises(TypeError, match="only must default to None"):
        task(iterable=("only",))(_wrong_list)
