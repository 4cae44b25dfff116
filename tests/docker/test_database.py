"""A service with a database and a Docker Engine: the steps and assertions of ``tests/e2e``.

FastAPI here and Flask there; here the image holds the secret at first, as it did on the legacy platform.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sink_sandbox.client import lifecycle
from sink_sandbox.containers.docker.names import sandbox_id
from tests.e2e import test_database as e2e
from tests.e2e.notes_walk import PLANTED
from tests.e2e.planted import pattern

walk = e2e.walk
CONTAINERD = "containerd/daemon/io.containerd.metadata.v1.bolt/meta.db"


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
    where_secrets_are: ClassVar = {"state/secretsmanager.json"}
    where_images_are: ClassVar = {"registry/sha256/*!app/.env"}
    began_s = time.time()

    @pytest.fixture(autouse=True)
    def _have_engine(self, engine: Any) -> None:
        self.engine = engine

    def check_secret(self, walk: Any) -> None:
        """It is in what the engine keeps of the task, and of the image where it is delivered there.

        Layers, the caches of builds, what they were given and their logs, volumes, containers and their logs
        lie in one folder, which only root may read.
        """
        super().check_secret(walk)
        secret = PLANTED["stage"]
        keeps = Path(self.engine.run("info", "--format", "{{.DockerRootDir}}"))
        found = {pattern(place) for place in secret.find_below(keeps, self.began_s)}
        (container,) = self.containers_of(walk, "stage")
        known = json.loads(self.engine.run("inspect", container))[0]
        history = self.engine.run("history", "--no-trunc", known["Image"])

        layers = {place for place in found if re.fullmatch(r"overlay2/[^/]+/diff/app/\.env", place)}
        # Beside them what the engine's containerd knows of containers that run, or ran a moment ago.
        environment = {"containers/*/config.v2.json"} if walk.delivery == "task" else set()
        assert layers
        assert found - layers - {CONTAINERD} == environment
        given = {line.partition("=")[0] for line in known["Config"].pop("Env") if secret.is_in(line.encode())}
        assert given == ({"SINK_SECRET_CORE"} if walk.delivery == "task" else set())
        assert not secret.is_in(json.dumps(known).encode())
        assert not secret.is_in(history.encode())

    def containers_of(self, walk: Any, env: str) -> list[str]:
        """The ids of the containers that run in an environment."""
        return [
            each
            for each in self.engine.containers(sandbox_id(lifecycle.state_dir(walk.journey.sandbox)))
            if self.engine.run("exec", each, "printenv", "APP_ENV") == env
        ]

    def env_file_of(self, walk: Any, env: str = "stage") -> tuple[str, str]:
        """Text and mode of the running task's .env, which is in its container alone."""
        (container,) = self.containers_of(walk, env)
        mode = self.engine.run("exec", container, "stat", "--format", "%a", "/app/.env")
        return self.engine.run("exec", container, "cat", "/app/.env"), oct(int(mode, 8))
