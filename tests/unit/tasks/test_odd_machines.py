"""Machines and shells that are set up in unusual ways: it works, or a sentence says what is missing."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

UNKNOWN_UID = "54321"
BIN = Path(sys.executable).parent

# A user without an entry in passwd, who may still read wherever these tests' Python lies.
AS_UNKNOWN_USER = (
    *("setpriv", "--reuid", UNKNOWN_UID, "--regid", UNKNOWN_UID, "--clear-groups"),
    *("--inh-caps", "+dac_override,+dac_read_search", "--ambient-caps", "+dac_override,+dac_read_search"),
)
only_as_root = pytest.mark.skipif(
    os.getuid() != 0 or not shutil.which("setpriv"), reason="becoming another user takes root and setpriv"
)
NO_HOME = [
    f"This user (uid {UNKNOWN_UID}) has no home folder: HOME is not set, and passwd has no entry.",
    "Set HOME, or XDG_STATE_HOME.",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of tasks that anybody may use."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "tasks.py").write_text("from the_sink.tasks import app_namespace\n\nns = app_namespace()\n")
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    return folder


def run(
    folder: Path, *command: str, env: Mapping[str, str], before: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a program with this environment and nothing else of ours."""
    return subprocess.run(
        [*before, str(BIN / command[0]), *command[1:]],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_help_is_there_without_docstrings(folder: Path) -> None:
    with_docstrings = run(folder, "invoke", "--list", env={})
    without = run(folder, "invoke", "--list", env={"PYTHONOPTIMIZE": "2"})

    assert (without.returncode, without.stdout) == (0, with_docstrings.stdout)
    assert "Show whether the sandbox runs" in without.stdout
    options = run(folder, "invoke", "--help", "sandbox.start", env={"PYTHONOPTIMIZE": "2"})
    assert "--port" in options.stdout
    assert "Docstring:\n  none" not in options.stdout


def test_a_sandbox_starts_without_docstrings(folder: Path, free_port: Callable[[], int]) -> None:
    """Neither ours nor what it is made of may need them, or an assert."""
    env = {"PYTHONOPTIMIZE": "2", "XDG_STATE_HOME": str(folder / "state"), "THE_SINK_COMPUTE": "processes"}
    port = str(free_port())
    try:
        started = run(folder, "invoke", "sandbox.start", "--port", port, env=env)
        assert started.returncode == 0, started.stderr
        status = run(folder, "invoke", "sandbox.status", env=env)
        assert f":{port}" in status.stdout
    finally:
        stopped = run(folder, "invoke", "sandbox.stop", env=env)
    assert stopped.returncode == 0
    assert "Traceback" not in started.stderr + status.stderr + stopped.stderr


@only_as_root
@pytest.mark.parametrize("task", ["sandbox.status", "sandbox.start", "sandbox.stop"])
def test_a_user_without_home_and_entry_is_told(folder: Path, task: str) -> None:
    done = run(folder, "invoke", task, env={}, before=AS_UNKNOWN_USER)

    assert (done.returncode, done.stdout, done.stderr.splitlines()) == (2, "", NO_HOME)


@only_as_root
def test_a_user_without_an_entry_has_a_sandbox(folder: Path, free_port: Callable[[], int]) -> None:
    home = folder / "home"
    home.mkdir()
    os.chown(home, int(UNKNOWN_UID), int(UNKNOWN_UID))
    env = {"HOME": str(home), "THE_SINK_COMPUTE": "processes"}
    port = free_port()
    try:
        started = run(folder, "invoke", "sandbox.start", "--port", str(port), env=env, before=AS_UNKNOWN_USER)
        assert started.returncode == 0, started.stderr
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/_sandbox/status")
        assert connection.getresponse().status in (200, 401, 403)
        connection.close()
    finally:
        stopped = run(folder, "invoke", "sandbox.stop", env=env, before=AS_UNKNOWN_USER)
    assert stopped.returncode == 0, stopped.stderr


DATABASE = """
import sys
from pathlib import Path

from the_sink.errors import SinkError
from sink_host import postgres

try:
    postgres.start(Path(sys.argv[1]), throw_away=True).stop()
except SinkError as error:
    print(error.message)
    print(error.hint)
"""


@only_as_root
def test_a_database_for_a_user_without_an_entry_is_refused(folder: Path) -> None:
    data = folder / "data"
    data.mkdir()
    os.chown(data, int(UNKNOWN_UID), int(UNKNOWN_UID))

    done = run(folder, "python", "-c", DATABASE, str(data), env={"HOME": str(data)}, before=AS_UNKNOWN_USER)

    assert done.stdout.splitlines() == [
        f"PostgreSQL runs for no user without an entry in passwd, and uid {UNKNOWN_UID} has none.",
        "Add an entry, or name a server of your own with PGHOST.",
    ], done.stderr
