"""A service with a database and a Docker Engine: the steps and assertions of ``tests/e2e``.

FastAPI here and Flask there; here the image holds the secret, as it did on the earlier platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.e2e import test_database as e2e
from the_sink.sandbox import lifecycle
from the_sink.sandbox.docker_engine.names import sandbox_id

walk = e2e.walk


@pytest.fixture(scope="module")
def compute(base_image: Any) -> str:
    """An engine plays containers, on the base image of the app's runtime."""
    base_image("3.13")
    return "docker"


@pytest.fixture(scope="module")
def answers() -> Mapping[str, str]:
    """What the template is told."""
    return {"framework": "fastapi", "database": "postgres", "secrets_delivery": "image"}


class TestDatabaseOnDocker(e2e.TestDatabase):  # type: ignore[misc]
    @pytest.fixture(autouse=True)
    def _have_engine(self, engine: Any) -> None:
        self.engine = engine

    def env_file_of(self, walk: Any, env: str = "stage") -> tuple[str, str]:
        """Text and mode of the running task's .env, which is in its container alone."""
        (container,) = [
            each
            for each in self.engine.containers(sandbox_id(lifecycle.state_dir(walk.journey.sandbox)))
            if self.engine.run("exec", each, "printenv", "APP_ENV") == env
        ]
        mode = self.engine.run("exec", container, "stat", "--format", "%a", "/app/.env")
        return self.engine.run("exec", container, "cat", "/app/.env"), oct(int(mode, 8))

    def check_promoted_image(self, walk: Any) -> None:
        """The image of stage holds the secret of stage, so uat has one of its own without it."""
        assert walk.images("stage").isdisjoint(walk.images("uat"))
        assert "nothing is built" not in self.told(walk.build_log("uat"))
        assert self.env_file_of(walk, "uat")[0] == ""

    def told(self, log: str) -> str:
        """A build's log without the lines that repeat its commands."""
        return "\n".join(line for line in log.splitlines() if "echo" not in line)
