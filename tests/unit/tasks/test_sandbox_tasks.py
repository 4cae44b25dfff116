"""The sandbox's tasks: which one is meant, what is said of it, and nothing lost without a yes."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys

import pytest

from sink_sandbox.patches import PATCHES
from the_sink.errors import ConfigError, InputError
from the_sink.tasks import asking
from the_sink.tasks.sandbox import chosen_name

TASKS = "from the_sink.tasks import app_namespace\n\nns = app_namespace()\n"


@pytest.fixture(autouse=True)
def tasks_file(tmp_path, monkeypatch):
    (tmp_path / "tasks.py").write_text(TASKS)
    monkeypatch.chdir(tmp_path)


def test_a_sandbox_is_started_seen_emptied_and_stopped(invoke, free_port):
    port = str(free_port())
    started = invoke("sandbox.start", "--port", port)
    try:
        assert started.code == 0, started.err
        assert started.out.startswith(f"The sandbox 'default' is ready: http://127.0.0.1:{port}\nState: ")

        seen = invoke("sandbox.status")
        assert seen.out.startswith("The sandbox 'default' is running.\nState: ")
        assert f"Endpoint: http://127.0.0.1:{port}\n" in seen.out

        found = json.loads(invoke("sandbox.status", "--json").out)
        assert (found["running"], found["endpoint_url"]) == (True, f"http://127.0.0.1:{port}")
        for told in (started.out, seen.out):
            assert 'For aws and boto3: eval "$(invoke sandbox.env)"\n' in told

        patches = json.loads(invoke("sandbox.status", "--patches", "--json").out)["patches"]
        assert [patch["name"] for patch in patches] == [patch.name for patch in PATCHES]
        shown = invoke("sandbox.status", "--patches").out
        assert shown.startswith(
            " 1. iam/credentials (services.iam.patch.credentials)\n    ministack takes any "
        )
        assert "    after iam/roles\n 5. iam/boundaries (services.iam.patch.boundaries)\n" in shown

        assert invoke("sandbox.access").out == "No role has asked for anything yet: deploy something.\n"
        assert json.loads(invoke("sandbox.access", "--json").out) == {"access": []}

        assert invoke("sandbox.reset", "--yes").out == "The sandbox 'default' is empty.\n"
    finally:
        stopped = invoke("sandbox.stop")

    assert (stopped.code, stopped.err) == (0, "")
    assert stopped.out.startswith("The sandbox 'default' is stopped; its state stays in ")
    assert invoke("sandbox.stop").out == "The sandbox 'default' was not running.\n"


SHELLS = [shell for shell in ("sh", "bash", "zsh", "fish") if shutil.which(shell)]


@pytest.mark.parametrize("shell", SHELLS)
def test_one_line_lets_aws_reach_the_sandbox_in_a_shell(shell, sandbox):
    """Over what the shell had before: a session of another account, and its endpoint."""
    invoke, aws = (f"{sys.executable} -m {module}" for module in ("invoke", "awscli"))
    environment = {**os.environ, "AWS_SESSION_TOKEN": "of another account", "AWS_SECRET_ACCESS_KEY": "none"}
    del environment["AWS_ENDPOINT_URL"]
    script = (
        f'eval "$({invoke} sandbox.env --region us-east-1)"\n'
        f"{aws} sts get-caller-identity --query Arn --output text\n"
        "echo $AWS_REGION $AWS_DEFAULT_REGION\n"
    )

    done = subprocess.run([shell, "-c", script], env=environment, capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == (
        "arn:aws:iam::000000000000:root\nus-east-1 us-east-1\n",
        "",
    )


def test_the_region_of_the_line_is_that_of_stage(invoke, sandbox, tmp_path):
    state = str(sandbox.state_dir.parent.parent)
    (tmp_path / "sink.toml").write_text('[environments.stage]\nregion = "eu-central-1"\n')

    assert "export AWS_REGION=eu-central-1\n" in invoke("sandbox.env", XDG_STATE_HOME=state).out

    (tmp_path / "sink.toml").write_text('[platform]\nname = "the-sink"\n')
    assert "export AWS_REGION=eu-west-1\n" in invoke("sandbox.env", XDG_STATE_HOME=state).out


def test_without_a_sandbox_there_is_no_line_to_set(invoke):
    ran = invoke("sandbox.env")

    assert (ran.code, ran.out) == (2, "")
    assert "Start it: invoke sandbox.start" in ran.err


def test_a_sandbox_that_does_not_run_is_an_answer_and_exit_code_1(invoke):
    ran = invoke("sandbox.status")
    as_json = invoke("sandbox.status", "--json")

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "The sandbox 'default' is not running.\nStart it: invoke sandbox.start\n"
    assert as_json.code == 1
    assert json.loads(as_json.out) == {
        "sandbox": "default",
        "running": False,
        "reason": "The sandbox 'default' is not running.",
    }


def test_nothing_is_thrown_away_without_a_yes(invoke, tmp_path):
    kept = tmp_path / "state" / "the-sink" / "default" / "kept"
    kept.parent.mkdir(parents=True)
    kept.touch()

    refused = invoke("sandbox.reset")
    shown = invoke("sandbox.reset", "--dry-run")

    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        "Throw away everything in the sandbox 'default'? There is no terminal to ask at.\n"
        "If you mean it, add --yes.\n"
    )
    assert (shown.code, shown.out) == (0, f"Would throw away everything in {kept.parent}.\n")
    assert kept.exists()

    assert invoke("sandbox.reset", "--yes").code == 0
    assert not kept.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "abc"], "--port abc: a port is a number from 1 to 65535."),
        (["--timeout", "soon"], "--timeout soon: that is not a number of seconds."),
    ],
)
def test_numbers_that_are_none_are_refused(invoke, arguments, message):
    ran = invoke("sandbox.start", *arguments)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[0] == message


def test_the_variable_decides_then_the_file_then_the_default(tmp_path, monkeypatch):
    assert chosen_name() == "default"

    (tmp_path / "sink.toml").write_text('[sandbox]\nname = "mine"\n')
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert chosen_name() == "mine"

    monkeypatch.setenv("THE_SINK_SANDBOX", "other")
    assert chosen_name() == "other"


def test_a_malformed_file_does_not_mean_the_default(tmp_path):
    (tmp_path / "sink.toml").write_text("[sandbox")

    with pytest.raises(ConfigError):
        chosen_name()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("answer", ["y\n", "Yes\n"])
def test_a_yes_at_the_terminal_goes_on(monkeypatch, capsys, answer):
    monkeypatch.setattr("sys.stdin", Terminal(answer))

    asking.confirm("Do it", yes=False)

    assert capsys.readouterr() == ("", "Do it? [y/N] ")


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "perhaps\n"])
def test_anything_else_at_the_terminal_does_nothing(monkeypatch, answer):
    monkeypatch.setattr("sys.stdin", Terminal(answer))

    with pytest.raises(InputError) as caught:
        asking.confirm("Do it", yes=False)

    assert caught.value.message == "Nothing was done."
