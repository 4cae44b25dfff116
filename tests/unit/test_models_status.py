"""Statuses answer the questions that decide what may happen next."""

from __future__ import annotations

import pytest

from the_sink.models import Execution, ServiceDeployment, StackStatus


@pytest.mark.parametrize(
    ("name", "questions"),
    [
        ("CREATE_IN_PROGRESS", {"is_in_progress"}),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", {"is_in_progress"}),
        ("UPDATE_ROLLBACK_IN_PROGRESS", {"is_in_progress"}),
        ("REVIEW_IN_PROGRESS", {"is_never_created"}),
        ("CREATE_COMPLETE", {"is_success"}),
        ("UPDATE_COMPLETE", {"is_success"}),
        ("ROLLBACK_COMPLETE", {"is_failure", "must_be_deleted"}),
        ("UPDATE_ROLLBACK_COMPLETE", {"is_failure"}),
        ("UPDATE_ROLLBACK_FAILED", {"is_failure", "needs_continued_rollback"}),
        ("DELETE_FAILED", {"is_failure", "must_be_deleted"}),
    ],
)
def test_a_stack_status_answers(name: str, questions: set[str]) -> None:
    status = StackStatus(name)
    asked = (
        "is_in_progress",
        "is_success",
        "is_failure",
        "is_never_created",
        "must_be_deleted",
        "needs_continued_rollback",
    )

    assert {question for question in asked if getattr(status, question)} == questions


@pytest.mark.parametrize(
    ("status", "rolled_back", "in_progress"),
    [
        ("SUCCESSFUL", False, False),
        ("IN_PROGRESS", False, True),
        ("ROLLBACK_IN_PROGRESS", True, True),
        ("ROLLBACK_SUCCESSFUL", True, False),
        ("STOPPED", True, False),
    ],
)
def test_a_deployment_that_was_given_up_is_no_success(
    status: str, rolled_back: bool, in_progress: bool
) -> None:
    deployment = ServiceDeployment("arn", status)

    assert (deployment.is_rolled_back, deployment.is_in_progress) == (rolled_back, in_progress)


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"])
def test_a_run_is_over(status: str) -> None:
    assert Execution("1", status).is_over
    assert not Execution("1", "InProgress").is_over
    assert not Execution("1", "Stopping").is_over
