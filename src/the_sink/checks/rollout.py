"""How long a rollout takes on AWS, modelled from the settings of the platform's stack (no I/O).

A rollout of one task starts the new one, waits until the load balancer calls it healthy, and then takes
the old one out. The settings are read from the stack's template, so that the model cannot say something
else than what is deployed; what AWS and the app need by themselves are constants, each with its source.
No account has confirmed the sum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sink_host.templates.conditions import resolve

FARGATE_SOURCE = "https://www.vladionescu.me/posts/scaling-containers-on-aws-in-2022/"

FARGATE_START_S = 35
"""From the decision to start a task until its first process runs.

30 seconds is when the first containers of a Fargate service ran in that comparison; 5 more for an image of
some 100 MB. AWS promises no figure.
"""

BOOT_CPU_S = 2.5
"""Seconds of a whole processor until a generated app answers ``/health``.

Measured with ``container-init`` on one core: 0.4 for FastAPI alone, 2.4 with SQLAlchemy and with Alembic that
finds nothing to migrate. A task has its share of a processor only, so it takes that much longer.
"""

SCHEDULER_S = 5
"""What ECS takes between its own steps: an assumption, no page of AWS says it."""

STOP_S = 1
"""From SIGTERM to the end of a server that has nothing left to answer.

Measured on one core: 0.14 for uvicorn, 0.24 for gunicorn.
"""

CPU_UNITS = 1024
"""One virtual processor."""


@dataclass(frozen=True)
class Term:
    """One part of the sum.

    Attributes:
        name: What happens.
        seconds: How long it takes, whole seconds.
        source: The setting or the page that it comes from.
    """

    name: str
    seconds: int
    source: str


@dataclass(frozen=True)
class Timing:
    """What the settings of one environment come to.

    Attributes:
        terms: The parts of a rollout of one task that goes well, without alarms.
        failures: How many tasks of a release may fail before it is rolled back.
        failed_terms: The parts of one task that never becomes healthy, the longest that each can take.
        pipeline_waits_s: How long the pipeline's UpdateService waits for all of it.
        has_alarm_rollback: Whether ECS watches an alarm after it, for a time of its own choice.
    """

    terms: tuple[Term, ...]
    failures: int
    failed_terms: tuple[Term, ...]
    pipeline_waits_s: int
    has_alarm_rollback: bool

    @property
    def rollout_s(self) -> int:
        """Seconds of a rollout of one task that goes well."""
        return sum(term.seconds for term in self.terms)

    @property
    def gives_up_s(self) -> int:
        """Seconds until a release of one task that never becomes healthy is rolled back."""
        return self.failures * sum(term.seconds for term in self.failed_terms)


def model_rollout(
    stack: Mapping[str, Any], pipeline: Mapping[str, Any], parameters: Mapping[str, str]
) -> Timing:
    """Return the timing of a service.

    Args:
        stack: ``stacks/python/cfn-template.yml``, parsed.
        pipeline: ``stacks/python/pipeline.yml``, parsed.
        parameters: A value for every parameter of the first.
    """

    def properties(logical_id: str) -> Any:
        return resolve(stack["Resources"][logical_id]["Properties"], stack, parameters)

    group, service, task = properties("TargetGroup"), properties("Service"), properties("TaskDefinition")
    container = task["ContainerDefinitions"][0]
    interval_s, checks = int(group["HealthCheckIntervalSeconds"]), int(group["HealthyThresholdCount"])
    attributes = {entry["Key"]: entry["Value"] for entry in group["TargetGroupAttributes"]}
    deployment = service["DeploymentConfiguration"]

    start = Term("Fargate starts the task", FARGATE_START_S, f"{FARGATE_SOURCE}, and 5 s")
    delay = "deregistration_delay.timeout_seconds"
    drain = Term("the old task is drained", int(attributes[delay]), f"TargetGroup, {delay}")
    return Timing(
        terms=(
            start,
            Term(
                "the app boots",
                math.ceil(BOOT_CPU_S * CPU_UNITS / int(parameters["TaskCpu"])),
                f"{BOOT_CPU_S} s of a processor, TaskCpu {parameters['TaskCpu']}",
            ),
            Term(
                "health checks pass",
                interval_s * checks,
                f"TargetGroup, {checks} checks every {interval_s} s",
            ),
            Term("ECS goes on", SCHEDULER_S, "assumed"),
            drain,
            Term("the old task ends", STOP_S, "measured with uvicorn and gunicorn"),
        ),
        failures=int(deployment["DeploymentCircuitBreaker"]["ThresholdConfiguration"]["Value"]),
        failed_terms=(
            start,
            Term("its grace period", int(service["HealthCheckGracePeriodSeconds"]), "HealthCheckGracePeriod"),
            Term("the next check fails", interval_s, "TargetGroup"),
            Term("it is drained", drain.seconds, drain.source),
            Term("it is stopped", int(container["StopTimeout"]), "TaskDefinition StopTimeout"),
        ),
        pipeline_waits_s=60 * _deployment_timeout_minutes(pipeline),
        has_alarm_rollback=bool(deployment["Alarms"]["Enable"]),
    )


def _deployment_timeout_minutes(pipeline: Mapping[str, Any]) -> int:
    """The limit of the pipeline's ECS action; each stage may hang on a condition."""
    for stage in pipeline["Resources"]["Pipeline"]["Properties"]["Stages"]:
        declared = stage["Fn::If"][1] if "Fn::If" in stage else stage
        for action in declared.get("Actions", []):
            if action["Name"] == "UpdateService":
                return int(action["Configuration"]["DeploymentTimeout"])
    raise ValueError("The pipeline has no action UpdateService.")
