"""Green is said only when the service has settled and every task runs the release's image."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from the_sink.diagnosis.stack_events import describe_cause, find_cause, find_protected
from the_sink.models import Serving, Stack, StackEvent, StackStatus
from the_sink.verbs.serving import address_of, find_problem

OURS, OTHER = "sha256:aaaa", "sha256:bbbb"


@pytest.mark.parametrize(
    ("serving", "problem"),
    [
        (Serving((OURS,), 2, 2, True), ""),
        (Serving((), 0, 0, True), ""),
        (None, "there is no service"),
        (
            Serving((OURS,), 1, 1, False, "ROLLBACK_SUCCESSFUL three tasks failed"),
            "the service's deployment has not completed (ROLLBACK_SUCCESSFUL three tasks failed)",
        ),
        (
            Serving((OURS, OTHER), 2, 2, True),
            "a task runs another image (sha256:bbbb) than the release (sha256:aaaa)",
        ),
        (
            Serving((OTHER,), 1, 1, True),
            "a task runs another image (sha256:bbbb) than the release (sha256:aaaa)",
        ),
        (Serving((OURS,), 1, 2, True), "1 of 2 tasks run"),
        (Serving((OURS,), 3, 2, True), "3 of 2 tasks run"),
        (Serving((), 0, 1, True), "0 of 1 tasks run"),
    ],
)
def test_what_keeps_a_release_from_serving(serving: Serving | None, problem: str) -> None:
    assert find_problem(serving, OURS) == problem


def test_a_task_without_a_digest_is_not_the_release() -> None:
    assert "another image" in find_problem(Serving(("",), 1, 1, True), OURS)


def stack(**outputs: str) -> Stack:
    return Stack("s", "arn", StackStatus("CREATE_COMPLETE"), outputs=outputs)


def test_an_address_is_the_one_that_the_stack_names() -> None:
    """It knows of a certificate and of a domain name of the app's own."""
    named = stack(Url="https://app.example.com", EcsAlbDNSName="a.elb.example")

    assert address_of(named) == "https://app.example.com"
    assert address_of(stack(EcsAlbDNSName="a.elb.example")) == "http://a.elb.example"
    assert address_of(stack()) == ""
    assert address_of(None) == ""


def test_in_the_sandbox_an_address_is_the_load_balancers() -> None:
    """It alone opens as it is printed: nobody resolves the app's domain name to this machine."""
    named = stack(Url="https://app.example.com", EcsAlbDNSName="lb.alb.localhost:4566")

    assert address_of(named, is_sandbox=True) == "http://lb.alb.localhost:4566"


def event(
    second: int, logical_id: str, kind: str, status: str, reason: str = "", stack: str = "app"
) -> StackEvent:
    return StackEvent(
        event_id=f"{stack}-{second}-{logical_id}",
        stack_id=f"arn:{stack}",
        stack_name=stack,
        logical_id=logical_id,
        physical_id=f"arn:{logical_id}",
        resource_type=kind,
        status=StackStatus(status),
        reason=reason,
        at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second),
    )


NESTED = "AWS::CloudFormation::Stack"


def test_the_cause_is_the_deepest_failure_that_follows_from_no_other() -> None:
    events = [
        event(1, "Queue", "AWS::SQS::Queue", "CREATE_FAILED", "Resource creation cancelled", "inner"),
        event(2, "Service", "AWS::ECS::Service", "CREATE_FAILED", "No room. ", "inner"),
        event(3, "Database", "AWS::RDS::DBInstance", "CREATE_FAILED", "Too late.", "inner"),
        event(4, "Inner", NESTED, "CREATE_FAILED", "Embedded stack was not successfully created"),
        event(5, "Bucket", "AWS::S3::Bucket", "CREATE_COMPLETE"),
    ]

    assert find_cause(events) is events[1]
    assert describe_cause(events) == "Service (AWS::ECS::Service) in stack inner: No room."


def test_a_nested_stack_is_the_cause_where_nothing_in_it_failed() -> None:
    events = [event(1, "Inner", NESTED, "CREATE_FAILED", "The template cannot be read")]

    assert describe_cause(events) == f"Inner ({NESTED}) in stack app: The template cannot be read."


def test_a_change_that_is_refused_in_the_end_is_told_by_the_rollback() -> None:
    """No resource failed; CloudFormation names the reason where it begins to go back."""
    refused = "Export my-Arn cannot be updated as it is in use by app"
    going_back = event(2, "app", NESTED, "UPDATE_ROLLBACK_IN_PROGRESS", refused)
    events = [event(1, "Log", "AWS::Logs::LogGroup", "UPDATE_COMPLETE"), going_back]
    about_itself = [events[0], replace(going_back, physical_id=going_back.stack_id)]

    assert describe_cause(about_itself) == f"{refused}."


def test_without_a_failure_there_is_no_cause() -> None:
    assert describe_cause([event(1, "Bucket", "AWS::S3::Bucket", "CREATE_COMPLETE")]) == ""


@pytest.mark.parametrize(
    ("kind", "reason", "command"),
    [
        (
            "AWS::RDS::DBInstance",
            "Cannot delete protected DB Instance, please disable deletion protection and try again.",
            "aws rds modify-db-instance --db-instance-identifier arn:Kept --no-deletion-protection",
        ),
        (
            "AWS::Cognito::UserPool",
            "The user pool cannot be deleted because deletion protection is activated. Deletion protection "
            "must be inactivated first.",
            "aws cognito-idp update-user-pool --user-pool-id arn:Kept --deletion-protection INACTIVE",
        ),
        (
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "Load balancer 'arn:Kept' cannot be deleted because deletion protection is enabled",
            "aws elbv2 modify-load-balancer-attributes --load-balancer-arn arn:Kept "
            "--attributes Key=deletion_protection.enabled,Value=false",
        ),
        ("AWS::RDS::DBInstance", "Invalid state", ""),
        ("AWS::ECR::Repository", "The repository is protected", ""),
    ],
)
def test_what_is_protected_from_deletion_has_a_command_that_lets_it_go(
    kind: str, reason: str, command: str
) -> None:
    events = [
        event(1, "Service", "AWS::ECS::Service", "CREATE_FAILED", "No room."),
        event(2, "Kept", kind, "DELETE_FAILED", reason),
    ]

    assert find_protected(events) == command


def test_each_of_several_that_are_protected_has_its_command() -> None:
    protected = "it cannot be deleted because deletion protection is enabled"
    events = [
        event(1, "Database", "AWS::RDS::DBInstance", "DELETE_FAILED", protected),
        event(2, "LoadBalancer", "AWS::ElasticLoadBalancingV2::LoadBalancer", "DELETE_FAILED", protected),
        event(3, "Database", "AWS::RDS::DBInstance", "DELETE_FAILED", protected),
    ]

    first, second = find_protected(events).split(" && ")

    assert "arn:Database --no-deletion-protection" in first
    assert "arn:LoadBalancer" in second
