"""The task sizes that Fargate does not have are refused when a task definition is registered.

The emulator registers any; the service would then run here and be refused in AWS. CloudFormation's resource
registers through the same function, so its stack fails with the same words.
"""

from __future__ import annotations

import re
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import ecs

from sink_sandbox.services.ecs.fargate_sizes import MEMORY_BY_CPU

_UNITS = {"cpu": ("vcpu", 1024), "memory": ("gb", 1024)}


def install() -> None:
    """Check each registration."""
    register = ecs._register_task_definition

    def register_checked(data: dict[str, Any]) -> Any:
        if "FARGATE" not in (data.get("requiresCompatibilities") or []):
            return register(data)
        problem = size_problem(data.get("cpu"), data.get("memory"))
        if problem:
            return error_response_json("ClientException", problem, 400)
        sizes = {name: str(units(name, data[name])) for name in _UNITS}
        return register({**data, **sizes})

    ecs._register_task_definition = register_checked
    ecs._ACTION_MAP["RegisterTaskDefinition"] = register_checked


def size_problem(cpu: Any, memory: Any) -> str:
    """Return why Fargate refuses a task of this size, in AWS's words, or "".

    The texts: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html, as
    answered in towardsthecloud/aws-cdk-examples#1 and aws/amazon-ecs-cli#982.
    """
    for name, value in (("cpu", cpu), ("memory", memory)):
        if value in (None, ""):
            return f"Fargate requires that '{name}' be defined at the task level."
        if units(name, value) is None:
            return f"Invalid '{name}' setting for task."
    cpu_units, memory_mib = units("cpu", cpu), units("memory", memory)
    if memory_mib in MEMORY_BY_CPU.get(cpu_units or 0, ()):
        return ""
    return (
        f"No Fargate configuration exists for given values: {cpu_units} CPU, {memory_mib} memory. "
        "See the Amazon ECS documentation for the valid values."
    )


def units(name: str, value: Any) -> int | None:
    """Return CPU units or MiB: ``256``, ``.25 vCPU``, ``512`` and ``0.5 GB`` are ways to say them."""
    unit, factor = _UNITS[name]
    match = re.fullmatch(rf"(\d+|\d*\.\d+)\s*({unit})?", str(value).strip(), re.IGNORECASE)
    if match is None or (match[2] is None and "." in match[1]):
        return None
    return round(float(match[1]) * factor) if match[2] else int(match[1])
