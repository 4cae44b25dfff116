"""The sandbox as a process: started, found, stopped, killed, and what survives of it."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import sink_sandbox
from sink_host import postgres_state
from sink_sandbox.client import lifecycle
from sink_sandbox.client.process import exclusive, is_held
from sink_sandbox.errors import InputError, SandboxUnavailable
from the_sink.tasks.sandbox import start

from .images import push_image


@pytest.fixture
def own(free_port: Callable[[], int]) -> Iterator[lifecycle.Sandbox]:
    """A sandbox of this test's own, stopped however the test ends."""
    server = lifecycle.start("mine", port=free_port())
    yield server
    lifecycle.stop("mine")


def client(server: lifecycle.Sandbox, service: str) -> Any:
    import boto3

    return boto3.client(
        service,
        endpoint_url=server.endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id=lifecycle.ACCOUNT_ID,
        aws_secret_access_key=server.secret,
    )


def kill(server: lifecycle.Sandbox) -> None:
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: lifecycle.find(server.name) is None)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_state_survives_a_stop_and_a_kill(own: lifecycle.Sandbox) -> None:
    s3 = client(own, "s3")
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket="kept", Key="a.zip", Body=b"\x00bytes")["VersionId"]
    client(own, "ecr").create_repository(repositoryName="images")
    client(own, "secretsmanager").create_secret(Name="core", SecretString="{}")
    wait_until(lambda: sink_sandbox.status("mine")["saved"])

    kill(own)
    with pytest.raises(SandboxUnavailable, match="was killed") as raised:
        lifecycle.require("mine")

    assert raised.value.hint == f"Bring it back with its state: invoke sandbox.start --port {own.port}"
    for _ in ("after the kill", "after the stop"):
        again = lifecycle.start("mine")
        assert again.port == own.port
        stored = client(again, "s3").get_object(Bucket="kept", Key="a.zip", VersionId=version)
        assert stored["Body"].read() == b"\x00bytes"
        assert client(again, "ecr").describe_repositories()["repositories"][0]["repositoryName"] == "images"
        assert client(again, "secretsmanager").get_secret_value(SecretId="core")["SecretString"] == "{}"
        lifecycle.stop("mine")


def test_a_sandbox_whose_environment_was_deleted_is_not_used(
    free_port: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the folder of the app is gone from which it was started."""
    shutil.copytree(Path(sink_sandbox.__file__).parent, tmp_path / "app/sink_sandbox")
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path / "app"))
        server = lifecycle.start("mine", port=free_port())
    try:
        assert lifecycle.require("mine") == server
        shutil.rmtree(tmp_path / "app")

        with pytest.raises(SandboxUnavailable) as raised:
            lifecycle.require("mine")

        package = tmp_path / "app/sink_sandbox"
        assert str(raised.value).startswith(f"The sandbox 'mine' was started from {package}, which is gone,")
        start = f"invoke sandbox.start --port {server.port}"
        assert raised.value.hint == f"Start it from here, with its state: invoke sandbox.stop, then {start}"
        assert lifecycle.stop("mine")
        lifecycle.start("mine")
        assert lifecycle.require("mine").port == server.port
    finally:
        lifecycle.stop("mine")


def test_starting_twice_is_the_same_sandbox(own: lifecycle.Sandbox) -> None:
    assert lifecycle.start("mine").pid == own.pid
    assert lifecycle.require("mine") == own
    assert sink_sandbox.status("mine")["compute"] == "processes"
    with pytest.raises(SandboxUnavailable, match="already running, with compute processes") as raised:
        lifecycle.start("mine", compute="docker")
    assert raised.value.hint == (
        "Start it anew: invoke sandbox.stop && invoke sandbox.start --compute docker"
    )


def test_it_listens_on_loopback_only(own: lifecycle.Sandbox) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", own.port))  # fails if the server had taken every address


def test_a_port_taken_by_another_sandbox_names_it(own: lifecycle.Sandbox) -> None:
    with pytest.raises(SandboxUnavailable, match="taken by the sandbox 'mine'") as raised:
        lifecycle.start("other", port=own.port, compute="processes")

    again = "invoke sandbox.start --compute processes"
    stop, _, port = raised.value.hint.rpartition(" --port ")
    assert stop == (
        f"Stop that one: THE_SINK_SANDBOX=mine invoke sandbox.stop, and then: {again} --port {own.port}. "
        f"Or let it run and choose another port: {again}"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", int(port)))


def test_a_sandbox_that_no_command_from_here_reaches_is_a_program_like_any_other(
    own: lifecycle.Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state, and so its secret, is in another folder: it tells nobody here even its name."""
    with monkeypatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
        with pytest.raises(SandboxUnavailable, match="taken by another program") as raised:
            lifecycle.start("other", port=own.port)

    assert raised.value.hint.startswith("Choose another: invoke sandbox.start --port ")


def test_a_sandbox_without_a_secret_is_started_anew(own: lifecycle.Sandbox) -> None:
    """One that an earlier version started still runs when the tasks are a newer one's."""
    (own.state_dir / "secret").unlink()

    with pytest.raises(SandboxUnavailable, match="has no secret") as raised:
        lifecycle.require("mine")

    stop = f"invoke sandbox.stop, then invoke sandbox.start --port {own.port}"
    assert raised.value.hint == f"Start it from here, with its state: {stop}"
    lifecycle.stop("mine")
    assert lifecycle.start("mine").secret == lifecycle.require("mine").secret != ""


def test_its_state_is_its_users_alone(own: lifecycle.Sandbox) -> None:
    """What is written now, and what a version before left open to others."""

    def open_to_others() -> list[str]:
        home = own.state_dir
        entries = [home, *home.iterdir(), *(home / "state").iterdir(), *(home / "registry").rglob("*")]
        return [str(entry) for entry in entries if not entry.is_symlink() and entry.stat().st_mode & 0o077]

    client(own, "sqs").create_queue(QueueName="q")
    client(own, "ecr").create_repository(repositoryName="app")
    push_image(own, "app", "one")
    wait_until(lambda: (own.state_dir / "state" / "sqs.json").exists())
    assert list((own.state_dir / "registry").rglob("*"))
    assert open_to_others() == []

    lifecycle.stop("mine")
    for entry in (own.state_dir, *own.state_dir.iterdir(), own.state_dir / "state" / "sqs.json"):
        entry.chmod(0o755)
    lifecycle.start("mine")
    assert open_to_others() == []


def test_a_port_taken_by_another_program_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SandboxUnavailable, match="taken by another program") as raised:
            lifecycle.start("other", port=taken.getsockname()[1])
    assert raised.value.hint.startswith("Choose another: invoke sandbox.start --port ")


def test_a_stopped_sandbox_is_not_called_killed(own: lifecycle.Sandbox) -> None:
    assert lifecycle.stop("mine") is True
    assert lifecycle.stop("mine") is False
    with pytest.raises(SandboxUnavailable, match="is stopped") as raised:
        lifecycle.require("mine")

    assert raised.value.hint == f"Start it: invoke sandbox.start --port {own.port}"


@pytest.fixture
def starting(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[subprocess.Popen[str]]:
    """`sandbox.start` in a process of its own, whose server does not answer yet."""
    (tmp_path / "tasks.py").write_text("from the_sink.tasks import app_namespace\n\nns = app_namespace()\n")
    process = subprocess.Popen(
        [
            *(str(Path(sys.executable).parent / "invoke"), "sandbox.start"),
            *("--port", str(free_port())),
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "THE_SINK_SANDBOX": "mine"},
    )
    try:
        wait_until((lifecycle.state_dir("mine") / "server.log").exists)
        yield process
    finally:
        process.kill()
        process.communicate()
        lifecycle.stop("mine")


def test_an_interrupted_start_ends_what_it_started_and_says_so(starting: subprocess.Popen[str]) -> None:
    starting.send_signal(signal.SIGINT)
    out, err = starting.communicate(timeout=60)

    assert (starting.returncode, out) == (130, "")
    assert err == "Interrupted: the sandbox 'mine' was not started.\n"
    assert not is_held(lifecycle.state_dir("mine") / "server.lock")
    with pytest.raises(SandboxUnavailable, match="is not running"):
        lifecycle.require("mine")


def test_an_interrupted_start_of_a_sandbox_that_runs_says_how_to_stop_it(
    own: lifecycle.Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("THE_SINK_SANDBOX", "mine")
    monkeypatch.setattr(sink_sandbox, "start", interrupted)
    with pytest.raises(Exit) as ended:
        start(Context())

    assert ended.value.code == 130
    assert ended.value.message == (
        "Interrupted; the sandbox 'mine' is running.\nStop it: invoke sandbox.stop"
    )


def test_a_sandbox_whose_starter_was_killed_can_be_stopped_before_it_answers(
    starting: subprocess.Popen[str],
) -> None:
    wait_until((lifecycle.state_dir("mine") / "server.lock").exists)
    starting.kill()

    assert lifecycle.stop("mine") is True
    assert not is_held(lifecycle.state_dir("mine") / "server.lock")


def test_a_sandbox_that_another_command_starts_is_neither_stopped_nor_emptied_meanwhile(
    own: lifecycle.Sandbox,
) -> None:
    lifecycle.stop("mine")
    with exclusive(own.state_dir / "start.lock", 1):
        with pytest.raises(SandboxUnavailable, match="'mine' is being started or stopped") as raised:
            lifecycle.require("mine")
        for act in (lifecycle.stop, lifecycle.reset):
            with pytest.raises(SandboxUnavailable, match="Another command is still starting or stopping"):
                act("mine", timeout_s=0.1)

    assert raised.value.hint == "See in a moment: invoke sandbox.status"


def test_a_start_waits_longer_than_a_database_may_take_to_recover() -> None:
    """One that does not is failed, with its reason, in a sandbox that runs."""
    assert inspect.signature(lifecycle.start).parameters["timeout_s"].default >= 2 * postgres_state._START_S


def test_a_sandbox_that_never_was_is_not_running() -> None:
    with pytest.raises(SandboxUnavailable, match="is not running") as raised:
        lifecycle.require("never")

    assert raised.value.exit_code == 2


def test_reset_empties_a_running_and_a_stopped_sandbox(own: lifecycle.Sandbox) -> None:
    ecr = client(own, "ecr")
    ecr.create_repository(repositoryName="images")
    lifecycle.reset("mine")
    assert ecr.describe_repositories()["repositories"] == []

    ecr.create_repository(repositoryName="images")
    lifecycle.stop("mine")
    lifecycle.reset("mine")
    again = lifecycle.start("mine")
    assert client(again, "ecr").describe_repositories()["repositories"] == []


def test_a_reset_that_nobody_answers_is_not_called_done(free_port: Callable[[], int]) -> None:
    home = lifecycle.state_dir("mine")
    home.mkdir(parents=True)
    entry = {"pid": os.getpid(), "port": free_port(), "endpoint_url": "", "compute": "processes"}
    (home / "sandbox.json").write_text(json.dumps(entry))
    with exclusive(home / "server.lock", 1), pytest.raises(SandboxUnavailable) as raised:
        lifecycle.reset("mine")

    assert raised.value.message == "The sandbox 'mine' did not answer that it is empty."
    assert raised.value.hint == f"Its log: {home / 'server.log'}"


@pytest.mark.parametrize("name", ["", "../up", "Big", "a b", "x" * 41])
def test_a_name_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot name a sandbox"):
        lifecycle.state_dir(name)


def test_the_default_name_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert lifecycle.default_name() == "default"
    monkeypatch.setenv("THE_SINK_SANDBOX", "second")
    assert lifecycle.default_name() == "second"
