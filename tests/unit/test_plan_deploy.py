"""What a deploy does, from what the environment holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from the_sink.errors import SinkError
from the_sink.models import Release, Stack, StackStatus
from the_sink.naming import Names
from the_sink.plan import (
    DeleteStack,
    DeployObserved,
    FollowExecution,
    PutOnce,
    ReleaseArchive,
    ReuseArchive,
    Step,
    VerifyServing,
    plan_deploy,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RELEASE = Release("my-app", COMMIT, "Start")
NOTHING = DeployObserved(
    bucket="b", app_stack=None, archive_is_equal=None, is_serving=False, is_under_way=False
)


def steps_for(observed: DeployObserved, *, again: bool = False, may_delete: bool = False) -> tuple[Step, ...]:
    return plan_deploy(
        Names("my-app", "stage"), RELEASE, observed, tag="latest", again=again, may_delete=may_delete
    )


def kinds(steps: tuple[Step, ...]) -> list[type[Step]]:
    return [type(step) for step in steps]


def test_a_first_deploy_reads_as_its_checklist() -> None:
    assert [str(step) for step in steps_for(NOTHING)] == [
        f"upload s3://b/my-app/{COMMIT}.zip",
        "copy it to s3://b/my-app/latest.zip, which starts the pipeline",
        "follow the run of pipeline my-app-stage-pipeline that carries it",
        "check that every task of my-app-stage-ecs-service runs 01234567",
    ]


def test_an_archive_that_is_there_is_used() -> None:
    steps = steps_for(replace(NOTHING, archive_is_equal=True))

    assert kinds(steps) == [ReuseArchive, ReleaseArchive, FollowExecution, VerifyServing]


def test_an_archive_with_other_bytes_is_refused() -> None:
    with pytest.raises(SinkError) as caught:
        steps_for(replace(NOTHING, archive_is_equal=False))

    assert caught.value.message == (
        "The archive of 01234567 in s3://b has other bytes than the one made here."
    )


def test_a_release_that_serves_is_only_looked_at() -> None:
    serving = replace(NOTHING, archive_is_equal=True, is_serving=True)

    assert kinds(steps_for(serving)) == [VerifyServing]
    assert kinds(steps_for(serving, again=True)) == [
        ReuseArchive,
        ReleaseArchive,
        FollowExecution,
        VerifyServing,
    ]


def test_a_run_that_is_under_way_is_followed_and_not_started_twice() -> None:
    under_way = replace(NOTHING, archive_is_equal=True, is_under_way=True)

    assert kinds(steps_for(under_way)) == [FollowExecution, VerifyServing]
    assert kinds(steps_for(under_way, again=True)) == [FollowExecution, VerifyServing]


def app_stack(status: str) -> Stack:
    return Stack("my-app-stage", "arn", StackStatus(status))


def test_a_stack_whose_creation_failed_is_deleted_only_if_that_was_allowed() -> None:
    stuck = replace(NOTHING, app_stack=app_stack("ROLLBACK_COMPLETE"))
    with pytest.raises(SinkError) as caught:
        steps_for(stuck)

    assert caught.value.message == (
        "Stack my-app-stage is in ROLLBACK_COMPLETE: its first creation failed, and all that AWS allows is "
        "to delete it."
    )
    assert "invoke deploy --env stage --yes" in caught.value.hint
    assert kinds(steps_for(stuck, may_delete=True)) == [
        DeleteStack,
        PutOnce,
        ReleaseArchive,
        FollowExecution,
        VerifyServing,
    ]


def test_a_rollback_that_stopped_halfway_is_said_before_anything_starts() -> None:
    with pytest.raises(SinkError) as caught:
        steps_for(replace(NOTHING, app_stack=app_stack("UPDATE_ROLLBACK_FAILED")), may_delete=True)

    assert "aws cloudformation continue-update-rollback --stack-name my-app-stage" in caught.value.hint


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS"])
def test_other_states_are_the_pipelines_business(status: str) -> None:
    assert kinds(steps_for(replace(NOTHING, app_stack=app_stack(status))))[0] is PutOnce
