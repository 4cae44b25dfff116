"""What every tier shares: no test sees the developer's AWS settings or sandboxes, and one real sandbox."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sink_sandbox.client import lifecycle

REGION = "eu-west-1"

os.environ["THE_SINK_COMPUTE"] = "processes"  # for fixtures of every scope: these tests need no engine
# Environments that uv makes here have no bytecode: without keeping it, every command compiles boto3 again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

LONGEST = (
    "tests/e2e/",
    "tests/template/test_generated_app.py",
    "tests/update/test_versions.py",
    "tests/update/",
    "tests/sandbox/test_targets.py",
    "tests/sandbox/databases/",
    "tests/template/",
    "tests/unit/local/test_postgres.py",
    "tests/unit/tasks/",
    "tests/aws/",
)
"""What takes longest, which begins first: what is left then is small, and the processes end together."""


def pytest_configure(config: pytest.Config) -> None:
    """Let xdist hand out modules in the order below, not the one with the most tests first."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest modules first; the order within a module stays."""

    def rank(item: pytest.Item) -> int:
        places = [place for place, prefix in enumerate(LONGEST) if item.nodeid.startswith(prefix)]
        return min(places, default=len(LONGEST))

    items.sort(key=rank)


@pytest.fixture(autouse=True)
def isolated_environment(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dummy credentials, no ``~/.aws``, and a state folder of this test's own.

    A state folder that a fixture of wider scope has set, inside this run's folder, stays.
    """
    for name in [name for name in os.environ if name.startswith(("AWS_", "THE_SINK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("THE_SINK_COMPUTE", "processes")
    nowhere = tmp_path / "no-aws"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(nowhere / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", lifecycle.ACCOUNT_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-no-sandbox")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    state_home = Path(os.environ.get("XDG_STATE_HOME", "/"))
    if not state_home.is_relative_to(tmp_path_factory.getbasetemp()):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(scope="session")
def free_port() -> Any:
    """A function that returns a port nobody listens on, another one each time.

    Nobody takes it before it is used, or while a sandbox is stopped that comes back on it: it is none of
    those that the system gives to connections and to whoever takes any (from 32768 on, ip(7)), none of a
    database's (``local.postgres_ports``), and in a row that no other process of this run looks at.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    rows, length = 8, 900
    begin = 25_500 + worker % rows * length
    first = secrets.randbelow(length)  # another run on this machine begins elsewhere
    row = itertools.cycle([begin + (first + step) % length for step in range(length)])

    def find() -> int:
        for port in row:
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
        raise AssertionError("unreachable")

    return find


@pytest.fixture(scope="session")
def _sandbox_server(tmp_path_factory: pytest.TempPathFactory, free_port: Any) -> Iterator[lifecycle.Sandbox]:
    """The sandbox of this test run, under a state folder of its own."""
    state = str(tmp_path_factory.mktemp("sandbox-state"))

    def in_state(act: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_STATE_HOME", state)
            return act()

    yield in_state(lambda: lifecycle.start("default", port=free_port()))
    in_state(lambda: lifecycle.stop("default"))


@pytest.fixture
def sandbox(_sandbox_server: lifecycle.Sandbox, monkeypatch: pytest.MonkeyPatch) -> lifecycle.Sandbox:
    """The run's one real sandbox, emptied; commands find it as their default."""
    monkeypatch.setenv("XDG_STATE_HOME", str(_sandbox_server.state_dir.parent.parent))
    monkeypatch.setenv("AWS_ENDPOINT_URL", _sandbox_server.endpoint_url)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", _sandbox_server.secret)
    lifecycle.reset("default")
    return _sandbox_server


@pytest.fixture(scope="session")
def _clients(_sandbox_server: lifecycle.Sandbox) -> Any:
    """Makes each client once in a run: making one takes longer than most tests."""
    from sink_sandbox.server.clients import Clients

    return Clients(_sandbox_server.endpoint_url, _sandbox_server.secret)


@pytest.fixture
def aws(sandbox: lifecycle.Sandbox, _clients: Any) -> Any:
    """A function that returns a boto3 client of the sandbox: ``aws("s3")``."""

    def client(service: str) -> Any:
        return _clients.get(service, REGION)

    return client
