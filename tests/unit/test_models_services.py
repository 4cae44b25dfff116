"""What is said of a task that the load balancer does not take, and which task ended by itself."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize(
    ("exit_code", "has_failed_checks", "has_ended_itself"),
    [
        (1, False, True),
        (137, True, False),  # killed, for it did not hear SIGTERM after its failed checks
        (143, False, False),
        (0, False, False),
        (None, False, False),
    ],
)
def test_a_task_that_was_told_to_stop_has_not_ended_itself(
    exit_code: int | None, has_failed_checks: bool, has_ended_itself: bool
) -> None:
    task = Task("arn", "STOPPED", "app:1", exit_code=exit_code, has_failed_checks=has_failed_checks)

    assert task.has_ended_itself is has_ended_itself
