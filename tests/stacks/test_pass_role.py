"""Who may pass which role to which service: each hand-over works, and no other does.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest

from .policies import ACCOUNT, allows, filled, request, role_statements

SERVICES = (
    "cloudformation.amazonaws.com",
    "codebuild.amazonaws.com",
    "codepipeline.amazonaws.com",
    "ec2.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "ecs.amazonaws.com",
    "events.amazonaws.com",
    "lambda.amazonaws.com",
)
APP_ROLES = ("ExecutionRole", "TaskRole")
DELIVERY_ROLES = ("PipelineRole", "BuildRole", "StackRole", "EventRole")

NEEDED = {
    # The CloudFormation action passes the role that its configuration names.
    ("PipelineRole", "StackRole", "cloudformation.amazonaws.com"),
    # The ECS action registers a revision of the task definition
    # (both services: https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-ECS.html).
    *product(["PipelineRole"], APP_ROLES, ["ecs-tasks.amazonaws.com", "ecs.amazonaws.com"]),
    # CloudFormation gives a nested stack the role of the one above
    # (https://github.com/aws-solutions-library-samples/data-lakes-on-aws/issues/275).
    ("StackRole", "StackRole", "cloudformation.amazonaws.com"),
    # CloudFormation registers the first one.
    *product(["StackRole"], APP_ROLES, ["ecs-tasks.amazonaws.com"]),
}
"""(who, whose role, to whom)."""


@pytest.fixture
def arns(stack: Callable[..., Any]) -> dict[str, str]:
    """The ARN of each role of demo-app in stage, and of some that are none of its business."""

    def arn(path: str, name: str) -> str:
        return f"arn:aws:iam::{ACCOUNT}:role{path}{name}"

    delivery, app = stack("pipeline"), stack("python")
    found = {name: arn(delivery.properties(name)["Path"], f"x-{name}-1") for name in DELIVERY_ROLES}
    found |= {name: arn(app.properties(name)["Path"], f"x-{name}-1") for name in APP_ROLES}
    for other in (
        "/the-sink/apps/demo-app/prod/",
        "/the-sink/apps/other-app/stage/",
        "/the-sink/delivery/demo-app/prod/",
        "/",
    ):
        found[f"a role below {other}"] = arn(other, "TaskRole")
    return found


def passed(stack: Callable[..., Any], arns: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Every hand-over that a policy of ours allows."""
    for who in (*DELIVERY_ROLES, *APP_ROLES):
        resolved = stack("pipeline" if who in DELIVERY_ROLES else "python")
        # <StackRole.Arn> in a policy is the ARN that this test gives it.
        statements = filled(role_statements(resolved, who), arns)
        for (name, arn), service in product(arns.items(), SERVICES):
            if allows(statements, request("iam:PassRole", arn, {"iam:PassedToService": service})):
                yield who, name, service


def test_every_hand_over_is_allowed_and_no_other(stack: Callable[..., Any], arns: dict[str, str]) -> None:
    assert set(passed(stack, arns)) == NEEDED


def test_no_role_is_passed_to_a_service_that_is_not_named(
    stack: Callable[..., Any], arns: dict[str, str]
) -> None:
    """A request that does not say to whom, which a condition with IfExists would take."""
    for who in DELIVERY_ROLES:
        statements = filled(role_statements(stack("pipeline"), who), arns)
        assert not any(allows(statements, request("iam:PassRole", arn)) for arn in arns.values())


def test_each_role_trusts_the_one_service_that_acts_under_it(stack: Callable[..., Any]) -> None:
    trusted = {
        name: resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        for template in ("pipeline", "python")
        for name, resource in stack(template).resources.items()
        if resource["Type"] == "AWS::IAM::Role"
    }

    assert {name: [s["Principal"] for s in statements] for name, statements in trusted.items()} == {
        "PipelineRole": [{"Service": "codepipeline.amazonaws.com"}],
        "BuildRole": [{"Service": "codebuild.amazonaws.com"}],
        "StackRole": [{"Service": "cloudformation.amazonaws.com"}],
        "EventRole": [{"Service": "events.amazonaws.com"}],
        "ExecutionRole": [{"Service": "ecs-tasks.amazonaws.com"}],
        "TaskRole": [{"Service": "ecs-tasks.amazonaws.com"}],
    }
