"""What is decided for a stack, a publish and an environment, from what is there."""

from __future__ import annotations

import pytest

from the_sink.errors import InputError, NotFound, SinkError
from the_sink.models import Secret, Stack, StackStatus
from the_sink.naming import SINK_BUILD, STACK_TEMPLATE, Names
from the_sink.plan import (
    ApplyStack,
    BootstrapObserved,
    DeleteStack,
    MoveChannel,
    PublishObserved,
    PutOnce,
    RestoreSecret,
    Step,
    StopSelfStarted,
    WaitForStack,
    check_order,
    check_platform,
    plan_bootstrap,
    plan_publish,
    plan_stack,
)

SECRET_ARN = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:my-app-stage-secret-core-AbCdEf"


def stack(status: str, **parameters: str) -> Stack:
    return Stack("my-stack", "arn:my-stack", StackStatus(status), parameters=parameters)


def steps_for(observed: Stack | None, *, may_delete: bool = False) -> tuple[Step, ...]:
    return plan_stack(
        "my-stack",
        observed,
        template="stacks/x.yml",
        declared=frozenset({"Name", "Size", "New"}),
        parameters={"Name": "n"},
        tags={},
        may_delete=may_delete,
    )


@pytest.mark.parametrize("observed", [None, stack("REVIEW_IN_PROGRESS")])
def test_a_stack_that_is_not_there_is_created(observed: Stack | None) -> None:
    (step,) = steps_for(observed)

    assert str(step) == "create stack my-stack from stacks/x.yml"


def test_an_update_keeps_what_it_does_not_set_and_the_template_still_has() -> None:
    (step,) = steps_for(stack("UPDATE_COMPLETE", Name="old", Size="2", Gone="x"))

    assert isinstance(step, ApplyStack)
    assert (step.parameters, step.keep, step.is_new) == ({"Name": "n"}, frozenset({"Size"}), False)


@pytest.mark.parametrize(
    "status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"]
)
def test_a_stack_that_is_settled_is_updated(status: str) -> None:
    """Whether anything changes is CloudFormation's to say, once it has compared."""
    assert [str(step) for step in steps_for(stack(status))] == [
        "bring stack my-stack up to date with stacks/x.yml"
    ]


def test_someone_elses_change_ends_first() -> None:
    steps = steps_for(stack("UPDATE_IN_PROGRESS"))

    assert [type(step) for step in steps] == [WaitForStack, ApplyStack]


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"])
def test_a_failed_creation_is_deleted_only_if_that_was_allowed(status: str) -> None:
    with pytest.raises(SinkError) as caught:
        steps_for(stack(status))

    assert caught.value.message == (
        f"Stack my-stack is in {status}: its creation failed, and all that AWS allows is to delete it."
    )
    assert "--yes" in caught.value.hint

    steps = steps_for(stack(status), may_delete=True)

    assert [type(step) for step in steps] == [DeleteStack, ApplyStack]
    assert isinstance(steps[1], ApplyStack)
    assert steps[1].is_new
    assert steps[1].keep == frozenset()


def test_a_rollback_that_stopped_halfway_is_continued_by_a_person() -> None:
    with pytest.raises(SinkError) as caught:
        steps_for(stack("UPDATE_ROLLBACK_FAILED"), may_delete=True)

    assert "aws cloudformation continue-update-rollback --stack-name my-stack" in caught.value.hint


@pytest.mark.parametrize(
    ("observed", "message"),
    [
        (None, "There is no platform 'the-sink' in account 1, eu-west-1."),
        (stack("REVIEW_IN_PROGRESS"), "There is no platform 'the-sink' in account 1, eu-west-1."),
        (
            stack("ROLLBACK_COMPLETE"),
            "The platform 'the-sink' in account 1, eu-west-1 is half-made (ROLLBACK_COMPLETE).",
        ),
        (
            stack("CREATE_IN_PROGRESS"),
            "The platform 'the-sink' in account 1, eu-west-1 is half-made (CREATE_IN_PROGRESS).",
        ),
    ],
)
def test_an_app_needs_a_whole_platform(observed: Stack | None, message: str) -> None:
    with pytest.raises(NotFound) as caught:
        check_platform("the-sink", observed, "1", "eu-west-1")

    assert caught.value.message == message
    assert caught.value.exit_code == 2


def test_a_platform_that_is_being_updated_still_serves_apps() -> None:
    found = stack("UPDATE_IN_PROGRESS")

    assert check_platform("the-sink", found, "1", "eu-west-1") is found


def test_environments_are_bootstrapped_in_order() -> None:
    with pytest.raises(InputError) as caught:
        check_order("my-app", "prod", {"stage": True, "uat": False})

    assert caught.value.message == "my-app has no uat yet, and prod is only reached through it."
    assert caught.value.hint == "First: invoke bootstrap --env uat"
    check_order("my-app", "uat", {"stage": True})
    check_order("my-app", "stage", {})


def bootstrap_steps(observed: BootstrapObserved, *, may_delete: bool = False) -> tuple[Step, ...]:
    return plan_bootstrap(
        Names("my-app", "stage"),
        observed,
        template="stacks/python/pipeline.yml",
        declared=frozenset({"AppName", "ExistingSecretArn"}),
        parameters={"AppName": "my-app"},
        tags={},
        may_delete=may_delete,
    )


def applied(steps: tuple[Step, ...]) -> ApplyStack:
    return next(step for step in steps if isinstance(step, ApplyStack))


def test_a_first_bootstrap_makes_the_secret_and_stops_the_run_that_nobody_asked_for() -> None:
    steps = bootstrap_steps(BootstrapObserved(None, None))

    assert [type(step) for step in steps] == [ApplyStack, StopSelfStarted]
    assert applied(steps).parameters == {"AppName": "my-app", "ExistingSecretArn": ""}


def test_a_secret_that_an_earlier_life_left_is_adopted() -> None:
    steps = bootstrap_steps(BootstrapObserved(None, Secret("my-app-stage-secret-core", SECRET_ARN, False)))

    assert applied(steps).parameters["ExistingSecretArn"] == SECRET_ARN


def test_a_secret_that_waits_to_be_deleted_is_restored_first() -> None:
    steps = bootstrap_steps(BootstrapObserved(None, Secret("my-app-stage-secret-core", SECRET_ARN, True)))

    assert steps[0] == RestoreSecret("my-app-stage-secret-core")
    assert applied(steps).parameters["ExistingSecretArn"] == SECRET_ARN


def test_bootstrapping_again_leaves_the_secret_where_it_is() -> None:
    observed = BootstrapObserved(
        stack("UPDATE_COMPLETE", AppName="my-app", ExistingSecretArn=""),
        Secret("my-app-stage-secret-core", SECRET_ARN, False),
    )
    steps = bootstrap_steps(observed)

    assert [type(step) for step in steps] == [ApplyStack]
    assert applied(steps).parameters == {"AppName": "my-app"}
    assert applied(steps).keep == frozenset({"ExistingSecretArn"})


def test_a_half_made_pipeline_stack_is_made_anew_around_the_secret_that_is_there() -> None:
    observed = BootstrapObserved(
        stack("ROLLBACK_COMPLETE"), Secret("my-app-stage-secret-core", SECRET_ARN, False)
    )
    steps = bootstrap_steps(observed, may_delete=True)

    assert [type(step) for step in steps] == [DeleteStack, ApplyStack, StopSelfStarted]
    assert applied(steps).parameters["ExistingSecretArn"] == SECRET_ARN


def test_a_publish_plans_from_what_is_published() -> None:
    def plan(version: bool | None, **channels: bool | None) -> list[str]:
        observed = PublishObserved(SINK_BUILD, version, channels)
        return [str(step) for step in plan_publish("b", "1.0.0", [observed])]

    key = SINK_BUILD.version_key("1.0.0")
    assert plan(None, stage=None, prod=None) == [
        f"upload s3://b/{key}",
        "create channel s3://b/stage",
        "create channel s3://b/prod",
    ]
    assert plan(None, stage=False, prod=False) == [f"upload s3://b/{key}", "move channel s3://b/stage"]
    assert plan(True, stage=True, prod=False) == []
    assert plan_publish("b", "1.0.0", [PublishObserved(STACK_TEMPLATE, True, {"stage": False})]) == (
        MoveChannel("b", "stage", STACK_TEMPLATE, is_new=False),
    )
    assert plan_publish("b", "1.0.0", [PublishObserved(SINK_BUILD, None, {})]) == (PutOnce("b", key),)


def test_a_published_version_never_changes() -> None:
    with pytest.raises(InputError) as caught:
        plan_publish("b", "1.0.0", [PublishObserved(STACK_TEMPLATE, False, {"stage": True})])

    assert caught.value.message == (
        "Version 1.0.0 is published already, with another stacks/python/cfn-template.yml."
    )
