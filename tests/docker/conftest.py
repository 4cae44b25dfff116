"""What the tests with a Docker Engine share: the engine, base images, and nothing left behind.

They run in `.ci/run`, or by `invoke test --docker`; `invoke test` leaves them out.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sink_host.docker_engine import find_engine
from sink_sandbox.client import lifecycle
from tests.docker.ecs import GROUP, Ecs

HERE = Path(__file__).resolve().parent
SUITES = {"3.11": "bookworm", "3.13": "trixie"}
"""The Debian that has a Python."""

# One for all: the runtimes are built on what base_image.sh makes, whoever builds them.
os.environ["THE_SINK_BASE_IMAGE"] = "local/python:{version}"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what is in this folder, so that it can be chosen together with the long tests."""
    if HERE in item.path.parents:
        item.add_marker("docker")


@pytest.fixture(autouse=True)
def base_for_all(isolated_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default tests' environment, with an engine and the local base images."""
    monkeypatch.setenv("THE_SINK_BASE_IMAGE", "local/python:{version}")


class Engine:
    """The machine's engine, asked by its own command."""

    def __init__(self) -> None:
        self.found = find_engine()

    def run(self, *words: str, code: int = 0) -> str:
        """Run a command of docker's and return what it said on standard output."""
        return self._done(words, code).stdout.strip()

    def errors(self, *words: str, code: int = 0) -> str:
        """Run a command of docker's and return what it said on standard error."""
        return self._done(words, code).stderr.strip()

    def _done(self, words: tuple[str, ...], code: int) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "DOCKER_HOST": self.found.host}
        if not self.found.has_buildx:
            env["DOCKER_BUILDKIT"] = "1"
        command = [self.found.command, *words]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done

    def containers(self, sandbox_id: str) -> list[str]:
        """The ids of what a sandbox started."""
        return self.run(
            "ps", "--all", "--quiet", "--no-trunc", "--filter", f"label=the-sink.sandbox={sandbox_id}"
        ).split()

    def networks(self, sandbox_id: str) -> list[str]:
        """The names of what a sandbox made."""
        return self.run(
            "network", "ls", "--filter", f"label=the-sink.sandbox={sandbox_id}", "--format", "{{.Name}}"
        ).splitlines()

    def image_names(self, sandbox_id: str) -> list[str]:
        """The names of a sandbox's images, and the ids of those that have lost theirs."""
        names = self.run("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
        built = f"label=the-sink.sandbox={sandbox_id}"
        nameless = self.run("images", "--quiet", "--filter", built, "--filter", "dangling=true").split()
        return [*nameless, *(name for name in names if f"/sink-{sandbox_id}/" in name)]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine; without one these tests fail, and say why."""
    return Engine()


@pytest.fixture(scope="session")
def base_image(engine: Engine) -> Callable[[str], str]:
    """A function that returns a base image for a Python version, made if it is not there."""

    def make(version: str) -> str:
        folder = Path(engine.found.command).parent
        subprocess.run(
            [str(HERE / "base_image.sh"), version, SUITES[version]],
            check=True,
            env={
                **os.environ,
                "DOCKER_HOST": engine.found.host,
                "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            },
        )
        return f"local/python:{version}"

    return make


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, entered."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path


@pytest.fixture(scope="module")
def start_sandbox(
    tmp_path_factory: pytest.TempPathFactory, free_port: Any, base_image: Callable[[str], str]
) -> Iterator[Callable[..., lifecycle.Sandbox]]:
    """A function that starts a sandbox with an engine; each is stopped and leaves no image behind."""
    base_image("3.13")
    state = tmp_path_factory.mktemp("state")
    started: list[str] = []

    def start(name: str, host: str = "") -> lifecycle.Sandbox:
        with pytest.MonkeyPatch.context() as patch:
            if host:
                patch.setenv("DOCKER_HOST", host)
            patch.setenv("XDG_STATE_HOME", str(state))
            started.append(name)
            return lifecycle.start(name, port=free_port(), compute="docker")

    yield start
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state))
        for name in started:
            lifecycle.stop(name)
            lifecycle.reset(name)


@pytest.fixture(scope="module")
def start_ecs(
    tmp_path_factory: pytest.TempPathFactory, start_sandbox: Callable[..., lifecycle.Sandbox], engine: Engine
) -> Callable[..., Ecs]:
    """A function that starts a sandbox, on an engine, with the app's image in it."""

    def start(name: str, host: str = "") -> Ecs:
        ecs = Ecs(start_sandbox(name, host), engine)
        ecs.client("ecs").create_cluster(clusterName="tests")
        ecs.client("logs").create_log_group(logGroupName=GROUP)
        ecs.push(tmp_path_factory.mktemp("image"))
        return ecs

    return start
