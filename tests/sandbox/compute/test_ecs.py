"""ministack's ECS with the process engine in it: what a deploy sees."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .conftest import Docker, Emulator, eventually, write_tree
from .test_engine import is_alive, open_url


@dataclass(frozen=True)
class Cluster:
    """One cluster and the folder into which its tasks report port and process."""

    ecs: Any
    logs: Any
    name: str
    reports: Path

    def register(self, image: str, **settings: Any) -> str:
        container = {
            "name": "app",
            "image": image,
            "environment": [{"name": "REPORT", "value": str(self.reports)}],
            "portMappings": [{"containerPort": 8080}],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": f"/{self.name}",
                    "awslogs-stream-prefix": "app",
                    "awslogs-region": "eu-west-1",
                },
            },
        }
        answer = self.ecs.register_task_definition(
            family=self.name,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[container | settings],
        )
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def service(self) -> dict[str, Any]:
        return dict(self.ecs.describe_services(cluster=self.name, services=["web"])["services"][0])

    def rollout(self) -> str:
        deployments = self.service()["deployments"]
        return next(str(one["rolloutState"]) for one in deployments if one["status"] == "PRIMARY")

    def tasks(self) -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(cluster=self.name)["taskArns"]
        return list(self.ecs.describe_tasks(cluster=self.name, tasks=arns)["tasks"]) if arns else []

    def processes(self) -> dict[int, int]:
        """Port → process of every task that ever started, and still lives."""
        found = {int(path.name): int(path.read_text() or 0) for path in self.reports.iterdir()}
        return {port: pid for port, pid in found.items() if pid and is_alive(pid)}

    def versions(self) -> list[str]:
        answers = []
        for port in self.processes():
            with contextlib.suppress(OSError):
                answers.append(open_url("127.0.0.1", port)["version"])
        return sorted(answers)

    def lines(self) -> set[str]:
        """What the tasks' logs hold."""
        group = f"/{self.name}"
        streams = self.logs.describe_log_streams(logGroupName=group)["logStreams"]
        answers = [
            self.logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])
            for stream in streams
        ]
        return {str(event["message"]) for answer in answers for event in answer["events"]}

    def create_service(self, definition: str, count: int) -> None:
        """Create the service and wait until its tasks run: the emulator calls a first rollout completed."""
        self.ecs.create_service(
            cluster=self.name,
            serviceName="web",
            taskDefinition=definition,
            desiredCount=count,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
            deploymentConfiguration={
                "deploymentCircuitBreaker": {"enable": True, "rollback": True},
                "minimumHealthyPercent": 100,
                "maximumPercent": 200,
            },
        )
        eventually(lambda: self.versions() == ["one"] * count, timeout_s=60)


@pytest.fixture
def cluster(emulator: Emulator, tmp_path: Path, repository: str) -> Iterator[Cluster]:
    reports = tmp_path / "reports"
    reports.mkdir()
    name = repository.rpartition("/")[2]
    found = Cluster(emulator.client("ecs"), emulator.client("logs"), name, reports)
    found.ecs.create_cluster(clusterName=name)
    found.logs.create_log_group(logGroupName=f"/{name}")
    yield found
    for arn in found.ecs.list_services(cluster=name)["serviceArns"]:
        found.ecs.delete_service(cluster=name, service=arn, force=True)
    for arn in found.ecs.list_tasks(cluster=name)["taskArns"]:
        found.ecs.stop_task(cluster=name, task=arn)
    eventually(lambda: not found.processes())


def test_service_runs_the_pushed_digest_and_rolls_to_the_next(
    cluster: Cluster, docker: Docker, runtime: str, app: str, app_tree: Path, repository: str
) -> None:
    docker.ok("tag", app, f"{repository}:one")
    docker.ok("push", f"{repository}:one")
    first = docker.ok("inspect", "--format", "{{index .RepoDigests 1}}", f"{repository}:one").strip()
    cluster.create_service(cluster.register(f"{repository}:one"), count=2)
    assert {task["containers"][0]["imageDigest"] for task in cluster.tasks()} == {first.partition("@")[2]}
    addresses = {
        detail["value"]
        for task in cluster.tasks()
        for detail in task["attachments"][0]["details"]
        if detail["name"] == "privateIPv4Address"
    }
    assert len(addresses) == 2
    before = cluster.processes()

    write_tree(app_tree, {"version": "two\n"})
    docker.ok("build", "--build-arg", f"FROM={runtime}", "-t", f"{repository}:two", str(app_tree))
    docker.ok("push", f"{repository}:two")
    cluster.ecs.update_service(
        cluster=cluster.name, service="web", taskDefinition=cluster.register(f"{repository}:two")
    )
    seen: set[str] = set()

    def rolled() -> bool:
        seen.update(cluster.versions())
        return cluster.rollout() == "COMPLETED" and len(cluster.service()["deployments"]) == 1

    eventually(rolled, timeout_s=60)
    eventually(lambda: cluster.versions() == ["two", "two"])

    assert seen == {"one", "two"}
    eventually(lambda: not any(is_alive(pid) for pid in before.values()))
    # The log follows at its own pace.
    eventually(lambda: {"starting one", "starting two", "stopping"} <= cluster.lines(), timeout_s=60)


def test_release_that_exits_is_rolled_back(cluster: Cluster, app: str) -> None:
    cluster.create_service(cluster.register(app), count=1)

    broken = cluster.register(app, command=["exit", "3"])
    cluster.ecs.update_service(cluster=cluster.name, service="web", taskDefinition=broken)

    eventually(lambda: cluster.service()["taskDefinition"] != broken, timeout_s=60)
    eventually(lambda: cluster.rollout() == "COMPLETED", timeout_s=60)
    assert cluster.versions() == ["one"]
    stopped = cluster.ecs.list_tasks(cluster=cluster.name, desiredStatus="STOPPED")["taskArns"]
    codes = {
        task["containers"][0].get("exitCode")
        for task in cluster.ecs.describe_tasks(cluster=cluster.name, tasks=stopped)["tasks"]
    }
    assert codes == {3}


def test_task_of_an_image_that_does_not_exist_fails(cluster: Cluster, repository: str) -> None:
    definition = cluster.register(f"{repository}:never-pushed")

    arn = cluster.ecs.run_task(cluster=cluster.name, taskDefinition=definition)["tasks"][0]["taskArn"]

    def stopped() -> dict[str, Any] | None:
        task = cluster.ecs.describe_tasks(cluster=cluster.name, tasks=[arn])["tasks"][0]
        return dict(task) if task["lastStatus"] == "STOPPED" else None

    assert "is not in the registry" in eventually(stopped)["stoppedReason"]
    assert not cluster.processes()
