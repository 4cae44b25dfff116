"""What Fargate asks of a service, and what its tasks may do with what is mounted.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_tasks_have_an_address_each_and_are_registered_by_it(stack: Callable[..., Any]) -> None:
    app = stack("python")
    task = app.properties("TaskDefinition")

    assert app.properties("Service")["LaunchType"] == "FARGATE"
    assert task["RequiresCompatibilities"] == ["FARGATE"]
    assert task["NetworkMode"] == "awsvpc"
    assert app.properties("TargetGroup")["TargetType"] == "ip"


def test_what_is_mounted_can_be_written_to(stack: Callable[..., Any]) -> None:
    """With a read-only root most of all."""
    task = stack("python", SecretsDelivery="task", EnableExec="false").properties("TaskDefinition")
    (container,) = task["ContainerDefinitions"]

    assert {each["ContainerPath"]: each["ReadOnly"] for each in container["MountPoints"]} == {
        "/mnt/shared": False,
        "/tmp": False,  # noqa: S108 - a path in the container
    }
    assert [each["SourceVolume"] for each in container["MountPoints"]] == [
        each["Name"] for each in task["Volumes"]
    ]


def test_a_check_ends_before_the_next_begins_and_one_that_fails_is_not_the_end(
    stack: Callable[..., Any],
) -> None:
    """The limits: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html"""
    group = stack("python").properties("TargetGroup")

    assert 2 <= group["HealthCheckTimeoutSeconds"] < group["HealthCheckIntervalSeconds"] <= 300
    assert 2 <= group["HealthyThresholdCount"] <= 10
    assert 2 <= group["UnhealthyThresholdCount"] <= 10
