"""The container of a task: its processes end as they should."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize("delivery", ["task", "image"])
@pytest.mark.parametrize("env", ["stage", "prod"])
def test_an_init_collects_what_shells_and_watchers_leave_behind(
    delivery: str, env: str, stack: Callable[..., Any]
) -> None:
    """ECS Exec leaves processes behind
    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html), and container-init one."""
    task = stack("python", SecretsDelivery=delivery, AppEnv=env).properties("TaskDefinition")

    assert [each["LinuxParameters"]["InitProcessEnabled"] for each in task["ContainerDefinitions"]] == [True]


def test_a_request_ends_before_its_task_does(stack: Callable[..., Any]) -> None:
    """SIGTERM comes once the load balancer has let go; Fargate allows 120 s from then to SIGKILL
    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html)."""
    app = stack("python")
    (container,) = app.properties("TaskDefinition")["ContainerDefinitions"]
    attributes = {
        each["Key"]: each["Value"] for each in app.properties("TargetGroup")["TargetGroupAttributes"]
    }

    assert int(attributes["deregistration_delay.timeout_seconds"]) <= container["StopTimeout"] <= 120
    assert container["Essential"] is True
