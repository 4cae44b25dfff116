"""The README's journey with a Docker Engine: the steps and assertions of ``tests/e2e``, and then some."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sink_sandbox.client import lifecycle
from sink_sandbox.containers.docker.names import sandbox_id
from tests.e2e import test_journey as e2e
from tests.e2e.walks import eventually

walk = e2e.walk
NAMES = e2e.NAMES


@pytest.fixture(scope="class")
def runtime(request: pytest.FixtureRequest) -> str:
    """The Python that the class walks on."""
    return str(request.cls.RUNTIME)


@pytest.fixture(scope="class")
def compute(base_image: Any, runtime: str) -> str:
    """An engine plays containers, on the base image of the journey's runtime."""
    base_image(runtime)
    return "docker"


class TestJourneyOnDocker(e2e.TestJourney):  # type: ignore[misc]
    RUNTIME = "3.13"
    where_secrets_are: ClassVar = {"state/secretsmanager.json"}

    @pytest.fixture(autouse=True)
    def _have_engine(self, engine: Any) -> None:
        self.engine = engine

    def modes_in_tasks(self, env_files: set[Path]) -> list[str]:
        """The .env is in the container alone: no file of this machine has it."""
        assert not env_files, env_files
        mine = sandbox_id(lifecycle.state_dir("e2e"))
        return [
            oct(int(self.engine.run("exec", container, "stat", "--format", "%a", "/app/.env"), 8))
            for container in self.engine.containers(mine)
        ]

    # The steps of the journey come first, in their order; these look at what they left.

    def test_the_image_is_built_from_the_runtime(self, walk: Any, engine: Any, runtime: str) -> None:
        """Its first layers are the runtime's, its label says so, and the registry has its digest."""
        sandbox = lifecycle.require(walk.journey.sandbox)
        task = walk.running_tasks()[0]["containers"][0]
        prefix = f"localhost:{sandbox.port}/sink-{sandbox_id(sandbox.state_dir)}/000000000000/{walk.region}"
        image = json.loads(
            engine.run("image", "inspect", f"{prefix}/{NAMES.repository}@{task['imageDigest']}")
        )[0]
        base = image["Config"]["Labels"]["org.opencontainers.image.base.digest"]
        repository = "the-sink-python-runtime"
        runtime_image = json.loads(engine.run("image", "inspect", f"{prefix}/{repository}@{base}"))[0]

        assert f"RUNTIME_VERSION={runtime}" in image["Config"]["Env"]
        layers = runtime_image["RootFS"]["Layers"]
        assert image["RootFS"]["Layers"][: len(layers)] == layers
        assert image["Config"]["Labels"]["org.opencontainers.image.revision"] == walk.commits[-1]

    def test_the_logs_of_a_task_are_in_cloudwatch(self, walk: Any) -> None:
        """Group and stream are named as AWS names them, and hold the lines of the server."""
        task_id = walk.running_tasks()[0]["taskArn"].rpartition("/")[2]
        walk.version()

        stream = f"app/{NAMES.container}/{task_id}"

        def lines() -> list[str]:
            logs = walk.client("logs")
            answer = logs.get_log_events(logGroupName="/the-sink/hello-sink/stage/app", logStreamName=stream)
            return [event["message"] for event in answer["events"]]

        eventually(lambda: any("GET /version 200" in line for line in lines()), seconds=10)

    def test_a_container_that_is_killed_is_replaced(self, walk: Any, engine: Any) -> None:
        """The service starts another; the task tells the exit code of the kill."""
        mine = sandbox_id(lifecycle.state_dir("e2e"))
        before = next(
            each
            for each in engine.containers(mine)
            if engine.run("exec", each, "printenv", "APP_ENV").strip() == "stage"
        )
        engine.run("kill", before)

        def is_replaced() -> bool:
            return before not in engine.containers(mine) and bool(walk.version())

        eventually(is_replaced, seconds=30)
        ecs = walk.client("ecs")
        stopped = ecs.list_tasks(cluster=NAMES.cluster, desiredStatus="STOPPED")["taskArns"]
        tasks = ecs.describe_tasks(cluster=NAMES.cluster, tasks=stopped)["tasks"]
        killed = [task for task in tasks if task["containers"][0].get("exitCode") == 137]
        assert [(task["stopCode"], task["stoppedReason"]) for task in killed] == [
            ("EssentialContainerExited", "Essential container exited")
        ]

    def test_a_release_that_exits_at_once_is_rolled_back(self, walk: Any) -> None:
        """The circuit breaker stops it, the deploy says why, the old release serves on."""
        procfile = walk.journey.app / "app" / "Procfile"
        good = procfile.read_text()
        procfile.write_text(
            "\n".join("web: exit 3" if line.startswith("web:") else line for line in good.splitlines())
        )
        walk.journey.commit("End at once")

        failed = walk.invoke("deploy", "--env", "stage", "--sandbox")
        procfile.write_text(good)
        walk.journey.commit("Stay")

        assert failed.returncode == 1, failed.stderr
        assert "exit" in failed.stderr
        assert walk.version()["commit"] == walk.commits[-1]

    def test_nothing_is_left_in_the_engine(self, walk: Any, engine: Any) -> None:
        """A stop removes containers and network and keeps images; a reset removes those too."""
        sandbox = lifecycle.require(walk.journey.sandbox)
        mine = sandbox_id(sandbox.state_dir)
        assert engine.containers(mine)

        walk.journey.stop_sandbox()
        assert engine.containers(mine) == []
        assert engine.networks(mine) == []
        assert engine.image_names(mine)

        lifecycle.reset(walk.journey.sandbox)
        assert engine.image_names(mine) == []


class TestJourneyOnTheOldestBaseImage(TestJourneyOnDocker):
    RUNTIME = "3.11"
