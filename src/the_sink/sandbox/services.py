"""What the sandbox adds to the emulator, put together: builds, pipelines, and their state."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from the_sink.sandbox.builds.runner import Workshop
from the_sink.sandbox.builds.service import Builds
from the_sink.sandbox.clients import Clients
from the_sink.sandbox.codepipeline.service import CodePipeline
from the_sink.sandbox.player.player import make_player


class Services:
    """The added services of one sandbox."""

    def __init__(self, home: Path, endpoint_url: str) -> None:
        from the_sink.sandbox.emulator import codebuild, pipelines

        @cache
        def docker_folder() -> Path:
            from the_sink.sandbox.compute import install_docker_command

            return install_docker_command(home, endpoint_url)

        clients = Clients(endpoint_url)
        self._builds = Builds(Workshop(home, clients, docker_folder))
        self._pipelines = CodePipeline(make_player(clients, self._builds))
        codebuild.install(self._builds)
        pipelines.install(self._pipelines)

    def start(self, state_dir: Path) -> None:
        """Take up what was saved."""
        saved = state_dir / "codepipeline.json"
        if saved.exists():
            self._pipelines.store.load(saved.read_bytes())
        self._pipelines.engine.recover()

    def stop(self) -> None:
        """End what is at work."""
        self._pipelines.engine.shut_down()
        self._builds.stop_all()

    def reset(self) -> None:
        """Forget everything."""
        self._builds.stop_all()
        self._pipelines.store.clear()

    def snapshot(self) -> dict[str, bytes]:
        """Return the state as the content of its files."""
        return {"codepipeline": self._pipelines.store.dump()}
