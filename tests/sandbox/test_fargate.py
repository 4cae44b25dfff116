"""Task sizes that Fargate does not have, through ECS itself and through a stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sink_sandbox.services.ecs import fargate_sizes
from sink_sandbox.services.ecs.patch.fargate import size_problem, units
from the_sink.checks import parameters

from .helpers import Pipelines

REFUSED = "No Fargate configuration exists for given values: 256 CPU, 65536 memory."


def register(aws: Callable[[str], Any], **size: Any) -> dict[str, Any]:
    answer = aws("ecs").register_task_definition(
        family="sized",
        networkMode="awsvpc",
        containerDefinitions=[{"name": "app", "image": "app", "memory": 256}],
        **{"requiresCompatibilities": ["FARGATE"], **size},
    )
    return dict(answer["taskDefinition"])


@pytest.mark.parametrize(
    ("size", "problem"),
    [
        ({"cpu": "256", "memory": "65536"}, REFUSED),
        ({"cpu": ".25 vCPU", "memory": "64GB"}, REFUSED),
        ({"cpu": "300", "memory": "512"}, "No Fargate configuration exists for given values: 300 CPU"),
        ({"cpu": "little", "memory": "512"}, "Invalid 'cpu' setting for task."),
        ({"memory": "512"}, "Fargate requires that 'cpu' be defined at the task level."),
        ({"cpu": "256"}, "Fargate requires that 'memory' be defined at the task level."),
    ],
)
def test_a_size_that_fargate_does_not_have_is_refused(
    aws: Callable[[str], Any], size: dict[str, str], problem: str
) -> None:
    with pytest.raises(ClientError) as refused:
        register(aws, **size)

    assert refused.value.response["Error"]["Code"] == "ClientException"
    assert refused.value.response["Error"]["Message"].startswith(problem)
    assert aws("ecs").list_task_definitions()["taskDefinitionArns"] == []


def test_sizes_are_kept_in_units_and_mib(aws: Callable[[str], Any]) -> None:
    found = register(aws, cpu="1 vCPU", memory="2GB")

    assert (found["cpu"], found["memory"]) == ("1024", "2048")


def test_other_launch_types_have_any_size(aws: Callable[[str], Any]) -> None:
    assert register(aws, cpu="300", memory="65536", requiresCompatibilities=["EC2"])["cpu"] == "300"


def test_a_stack_with_such_a_size_fails_with_the_same_words(
    pipelines: Pipelines, aws: Callable[[str], Any]
) -> None:
    definition = {
        "Type": "AWS::ECS::TaskDefinition",
        "Properties": {
            "RequiresCompatibilities": ["FARGATE"],
            "NetworkMode": "awsvpc",
            "Cpu": 256,
            "Memory": {"Ref": "Memory"},
            "ContainerDefinitions": [{"Name": "app", "Image": "app"}],
        },
    }
    # What the template shows is refused before; values with NoEcho are left to the service.
    memory = {"Type": "Number", "NoEcho": True, "Default": 65536}

    stack = pipelines.stack(
        "sized", {"Parameters": {"Memory": memory}, "Resources": {"Definition": definition}}
    )

    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    events = pipelines.stacks.describe_stack_events(StackName="sized")["StackEvents"]
    (failed,) = [event for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
    assert failed["LogicalResourceId"] == "Definition"
    assert REFUSED in failed["ResourceStatusReason"]
    assert aws("ecs").list_task_definitions()["taskDefinitionArns"] == []


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("cpu", 256, 256),
        ("cpu", "0.25vcpu", 256),
        ("cpu", "2 vCPU", 2048),
        ("cpu", "0.25", None),
        ("cpu", "2GB", None),
        ("memory", "512", 512),
        ("memory", "0.5 GB", 512),
        ("memory", "4gb", 4096),
    ],
)
def test_sizes_are_read_as_ecs_reads_them(name: str, value: Any, found: int | None) -> None:
    assert units(name, value) == found


@pytest.mark.parametrize(("cpu", "memory"), [(256, 512), (4096, 30720), ("16 vCPU", "120GB")])
def test_the_sizes_of_fargate_are_taken(cpu: Any, memory: Any) -> None:
    assert size_problem(cpu, memory) == ""


def test_validate_and_the_sandbox_know_the_same_sizes() -> None:
    assert parameters.MEMORY_BY_CPU == fargate_sizes.MEMORY_BY_CPU
