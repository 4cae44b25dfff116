"""What is said of a task that the load balancer does not take, and which task ended by itself."""

from __future__ import annotations

from typing import Any

import pytest

from the_sink.diagnosis.task_ends import describe_end
from the_sink.models import Task, UnhealthyTarget


@pytest.mark.parametrize(
    ("reason", "description", "end"),
    [
        ("Target.Timeout", "Request timed out", "Target.Timeout, Request timed out"),
        (
            "Target.FailedHealthChecks",
            "Health checks failed.",
            "Target.FailedHealthChecks, Health checks failed",
        ),
        ("Elb.InternalError", "", "Elb.InternalError"),
    ],
)
def test_an_unhealthy_target_names_what_was_asked_and_what_came_of_it(
    reason: str, description: str, end: str
) -> None:
    """It goes into the middle of sentences, so it has no full stop, whatever AWS ends its own with."""
    target = UnhealthyTarget("10.0.1.7", 8080, "/health", reason, description)

    assert str(target) == f"the load balancer asks 10.0.1.7 on port 8080 for /health: {end}"


FAILED_CHECKS = {"has_failed_checks": True, "stop_code": "ServiceSchedulerInitiated"}


@pytest.mark.parametrize(
    ("exit_code", "more", "has_ended_itself"),
    [
        (1, {"stop_code": "EssentialContainerExited"}, True),
        (0, {"stop_code": "EssentialContainerExited"}, True),
        (137, FAILED_CHECKS, False),  # killed, for it did not hear SIGTERM after its failed checks
        (0, {"stop_code": "ServiceSchedulerInitiated"}, False),
        (None, {"stop_code": "TaskFailedToStart"}, False),
        # Where ECS does not say who stopped it.
        (1, {}, True),
        (143, {}, False),
        (0, {}, False),
        (None, {}, False),
    ],
)
def test_a_task_that_was_told_to_stop_has_not_ended_itself(
    exit_code: int | None, more: dict[str, Any], has_ended_itself: bool
) -> None:
    task = Task("arn", "STOPPED", "app:1", exit_code=exit_code, **more)

    assert task.has_ended_itself is has_ended_itself


ITSELF = {"stop_code": "EssentialContainerExited", "stopped_reason": "Essential container in task exited"}
SCHEDULER = {"stop_code": "ServiceSchedulerInitiated", "stopped_reason": "Scaling activity initiated"}


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"exit_code": 3, **ITSELF}, "ended with exit code 3: Essential container in task exited"),
        (
            {"exit_code": 0, **ITSELF},
            "ended with exit code 0 (what serves must go on): Essential container in task exited",
        ),
        (
            {"exit_code": 127, **ITSELF},
            "ended with exit code 127 (a program was not found): Essential container in task exited",
        ),
        (
            {"exit_code": 139, **ITSELF},
            "ended with exit code 139 (it crashed, SIGSEGV): Essential container in task exited",
        ),
        (
            {"exit_code": 137, **ITSELF},
            "ended with exit code 137 (killed, SIGKILL): Essential container in task exited",
        ),
        (
            {"exit_code": 137, **ITSELF, "container_reason": "OutOfMemoryError: Container killed"},
            "ended with exit code 137 (killed, because it needed more memory than it has): "
            "OutOfMemoryError: Container killed",
        ),
        (
            {"exit_code": 137, **SCHEDULER},
            "ended with exit code 137 (killed, because it had not ended within its stop timeout after "
            "SIGTERM): Scaling activity initiated",
        ),
        (
            {
                **FAILED_CHECKS,
                "stopped_reason": "Task failed ELB health checks in (target-group arn:aws:…:a/b)",
            },
            "ended: Task failed ELB health checks",
        ),
        ({"exit_code": 0, **SCHEDULER}, "ended with exit code 0: Scaling activity initiated"),
        ({**SCHEDULER}, "ended: Scaling activity initiated"),
        (
            {"stop_code": "TaskFailedToStart", "stopped_reason": "CannotPullContainerError: no.\n"},
            "did not start: CannotPullContainerError: no",
        ),
        ({}, "ended: stopped"),
    ],
)
def test_how_a_task_ended_says_what_its_exit_code_means(task: dict[str, Any], said: str) -> None:
    assert describe_end(Task("arn", "STOPPED", "app:1", **task)) == said
