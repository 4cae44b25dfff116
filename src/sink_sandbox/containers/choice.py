"""The one way in which a sandbox plays containers: by a Docker Engine, or by processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sink_host.docker_engine import FoundEngine


class Compute:
    """By processes; what both ways share.

    Attributes:
        kind: ``processes`` or ``docker``.
        engine: What ECS starts tasks with.
        gateway: This machine's address on the containers' network, "" where there is none.
    """

    kind = "processes"
    gateway = ""
    engine: Any

    def __init__(self, home: Path, endpoint_url: str) -> None:
        from sink_sandbox.containers.process.engine import ProcessEngine

        self._home = home
        self._endpoint_url = endpoint_url
        self.engine = ProcessEngine(home, endpoint_url)

    def install_docker_command(self) -> Path:
        """Return a folder with the ``docker`` that builds use."""
        from sink_sandbox.docker_cli.process.install import install_docker_command

        return install_docker_command(self._home, self._endpoint_url)

    def describe(self) -> str:
        """Return what plays containers, and whether it answers now."""
        return "processes of this machine"

    def forget_images(self) -> None:
        """Remove what is kept outside the state folder; processes keep nothing there."""

    def close(self) -> None:
        """Remove what must not outlive the sandbox's process."""


class DockerCompute(Compute):
    """By a Docker Engine."""

    kind = "docker"

    def __init__(self, home: Path, endpoint_url: str, port: int, found: FoundEngine) -> None:
        from sink_sandbox.containers.docker.engine import DockerEngine

        self._home = home
        self._endpoint_url = endpoint_url
        self._found = found
        self.engine = DockerEngine(home, endpoint_url, port, found)
        self.gateway = self.engine.gateway

    def install_docker_command(self) -> Path:
        """Return a folder with the ``docker`` that builds use."""
        from sink_sandbox.docker_cli.engine.install import install_docker_command

        return install_docker_command(self._home, self._endpoint_url, self._found)

    def describe(self) -> str:
        """Return which engine plays containers, and whether it answers now."""
        named = f"Docker Engine {self._found.version} at {self._found.host}"
        return named if self.engine.ping() else f"{named}, which does not answer"

    def forget_images(self) -> None:
        """Remove the sandbox's images from the engine."""
        self.engine.forget_images()

    def close(self) -> None:
        """Remove the sandbox's containers and network; its images stay for the next start."""
        self.engine.close()


def make_compute(home: Path, endpoint_url: str, port: int, engine: str) -> Compute:
    """Return the sandbox's compute.

    Args:
        home: The sandbox's state folder.
        endpoint_url: Where it answers.
        port: The endpoint's.
        engine: A :class:`FoundEngine` as JSON, "" for processes.

    Raises:
        SandboxUnavailable: the engine has gone, or refuses.
    """
    if engine:
        return DockerCompute(home, endpoint_url, port, FoundEngine.from_json(engine))
    return Compute(home, endpoint_url)
