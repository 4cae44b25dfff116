"""The permissions boundary of an environment: every role does its work under it, and no app's role more.

It bounds the roles of the delivery too, StackRole among them, and is evaluated with each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from .policies import (
    ACCOUNT,
    REGION,
    Request,
    actions_of,
    allows,
    as_list,
    length,
    request,
    role_statements,
)
from .resource_requests import EVERYTHING, needs, requests, stack_role

BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/the-sink-demo-app-stage-boundary"
ROLES = {
    "pipeline": ("PipelineRole", "BuildRole", "StackRole", "EventRole", "GitHubRole"),
    "python": ("ExecutionRole", "TaskRole"),
}
ADMINISTRATOR = [{"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}]
"""What an app's template may attach to a role of its own where there is no boundary."""


def role_arn(below: str, name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/the-sink/{below}/{name}-1A2B3C"


STACK_ROLE = role_arn("delivery/demo-app/stage", "StackRole")
TASK_ROLE = role_arn("apps/demo-app/stage", "TaskRole")
APP_ROLE = role_arn("apps/demo-app/stage", "RoleOfTheAppsTemplate")


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


@pytest.fixture
def boundary(stack: Callable[..., Any]) -> list[dict[str, Any]]:
    """Its statements, for demo-app in stage."""
    policy = stack("pipeline").properties("Boundary")
    assert BOUNDARY.endswith(f":policy/{policy['ManagedPolicyName']}")
    return list(policy["PolicyDocument"]["Statement"])


@pytest.fixture
def bounded(boundary: list[dict[str, Any]]) -> Callable[..., bool]:
    """A function that tells whether a role with these statements may do something under the boundary."""

    def may(statements: list[dict[str, Any]], asked: Request, role: str) -> bool:
        return allows(statements, asked, role=role, boundary=boundary)

    return may


def test_the_stack_role_makes_everything_under_it(
    bounded: Callable[..., bool], stack: Callable[..., Any]
) -> None:
    role = stack_role(stack("pipeline", PermissionsBoundaryArn=BOUNDARY))
    app = stack("python", **EVERYTHING, PermissionsBoundaryArn=BOUNDARY)
    asked = {one for made, operation, action in needs(app) for one in requests(made, operation, action)}

    assert len(asked) > 200
    assert sorted(one.action for one in asked if not bounded(role, one, STACK_ROLE)) == []


def secret(name: str) -> str:
    """The ARN of a secret: a hyphen and six characters of AWS's choice end it.

    https://docs.aws.amazon.com/secretsmanager/latest/APIReference/API_CreateSecret.html
    """
    return arn("secretsmanager", f"secret:{name}-AbCdEf")


@pytest.fixture
def known(stack: Callable[..., Any]) -> dict[str, str]:
    """The ARNs for which templates have tokens, where the boundary looks at them."""
    return {
        "<FileSystem.Arn>": arn("elasticfilesystem", "file-system/fs-1"),
        "<import demo-app-stage-SecretArn>": secret(stack("pipeline").properties("SecretCore")["Name"]),
        "<DatabaseSecret.Id>": secret(stack("python").properties("DatabaseSecret")["Name"]),
        "<StackRole.Arn>": STACK_ROLE,
        "<Boundary>": BOUNDARY,
    }


def permitted(statements: list[dict[str, Any]]) -> Iterator[Request]:
    """One request for each action and resource that statements allow, its conditions met."""
    for statement in (each for each in statements if each["Effect"] == "Allow"):
        context = {
            key: as_list(value)[0].replace("*", "1a2b")
            for keys in statement.get("Condition", {}).values()
            for key, value in keys.items()
        }
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                some = resource if resource == "*" else resource.replace("*", "1a2b3c")
                yield request(action, some, context)


@pytest.mark.parametrize(("template", "role"), [(t, role) for t, roles in ROLES.items() for role in roles])
def test_no_role_loses_what_the_platform_gives_it(
    template: str,
    role: str,
    bounded: Callable[..., bool],
    known: dict[str, str],
    stack: Callable[..., Any],
) -> None:
    more = (
        {"SecretsDelivery": "task", "EnableExec": "true"}
        if template == "python"
        else {
            "RequireApproval": "true",
            "NotificationTopicArn": arn("sns", "topic"),
            "GitHubRepository": "acme/demo-app",
            "PermissionsBoundaryArn": "platform",
        }
    )
    resolved = stack(template, **{"PermissionsBoundaryArn": BOUNDARY, **more})
    statements = json.loads(
        re.sub(
            "<[^>]+>",
            lambda token: known.get(token[0], token[0]),
            json.dumps(role_statements(resolved, role)),
        )
    )
    path = resolved.properties(role)["Path"]
    asked = list(permitted(statements))

    assert asked
    assert [one for one in asked if not allows(statements, one)] == []
    me = f"arn:aws:iam::{ACCOUNT}:role{path}{role}-1A2B3C"
    assert [one for one in asked if not bounded(statements, one, me)] == []


@pytest.mark.parametrize("role", [TASK_ROLE, APP_ROLE])
def test_a_role_of_the_app_that_may_do_everything_changes_nothing_of_iam(
    role: str, bounded: Callable[..., bool]
) -> None:
    """Whoever writes the app's template: neither its own role nor the boundary, nor anybody else's."""
    actions = actions_of("iam")
    targets = (role, STACK_ROLE, role_arn("apps/other-app/stage", "TaskRole"), BOUNDARY, "*")
    context = {"iam:PermissionsBoundary": BOUNDARY, "iam:PassedToService": "ecs-tasks.amazonaws.com"}

    assert len(actions) > 100
    assert all(allows(ADMINISTRATOR, request(action)) for action in actions)
    assert [
        (action, target)
        for action in actions
        for target in targets
        if bounded(ADMINISTRATOR, request(action, target, context), role)
    ] == []


def of_app(app: str, env: str) -> list[Request]:
    """What an administrator might do with another app's things, and with its releases."""
    name = f"{app}-{env}"
    return [
        request("secretsmanager:GetSecretValue", secret(f"{name}-secret-core")),
        request("secretsmanager:GetSecretValue", secret(f"{name}-database-0123456789ab")),
        request("secretsmanager:PutSecretValue", secret(f"{name}-secret-core")),
        request("cloudformation:DeleteStack", arn("cloudformation", f"stack/{name}/0-1")),
        request("cloudformation:UpdateStack", arn("cloudformation", f"stack/{name}-pipeline/0-1")),
        request("codebuild:StartBuild", arn("codebuild", f"project/{name}-build")),
        request("codepipeline:PutApprovalResult", arn("codepipeline", f"{name}-pipeline/Approval/Approve")),
        request("ecr:PutImage", arn("ecr", f"repository/{name}")),
        request("ecr:GetDownloadUrlForLayer", arn("ecr", f"repository/{name}")),
        request("ecs:ExecuteCommand", arn("ecs", f"task/{name}-ecs-cluster/0123456789abcdef")),
        request("ecs:UpdateService", arn("ecs", f"service/{name}-ecs-cluster/{name}-ecs-service")),
        request("logs:PutLogEvents", arn("logs", f"log-group:/the-sink/{app}/{env}/app:log-stream:x")),
        request("rds:DeleteDBInstance", arn("rds", f"db:{name}-db")),
        request("s3:PutObject", f"arn:aws:s3:::the-sink-platform-pipelinebucket-1a2b/{app}/latest.zip"),
        request("s3:PutObject", f"arn:aws:s3:::the-sink-artifacts-{name}-1a2b3c4d/x/SourceOutp/y"),
        request("sts:AssumeRole", role_arn(f"apps/{app}/{env}", "TaskRole")),
        request("sts:AssumeRole", role_arn(f"delivery/{app}/{env}", "StackRole")),
        request("dynamodb:GetItem", arn("dynamodb", f"table/{name}-Orders-1A2B")),
        request("s3:GetObject", f"arn:aws:s3:::{name}-reports-1a2b/2026/11.csv"),
        request("s3:ListBucket", f"arn:aws:s3:::{name}-reports-1a2b"),
        request("s3:PutBucketPolicy", f"arn:aws:s3:::{name}-reports-1a2b"),
        request("sns:Publish", arn("sns", f"{name}-Told-1A2B")),
        request("sqs:SendMessage", arn("sqs", f"{name}-Jobs-1A2B")),
        request("rds-db:connect", arn("rds-db", f"dbuser:db-{name}/postgres")),
    ]


@pytest.mark.parametrize(
    ("app", "env"),
    [
        ("other-app", "stage"),
        ("demo-app", "prod"),
        ("demo-app-stage", "prod"),
        ("demo-app-stage-secret", "prod"),
        ("demo-app-stage-database", "stage"),
        ("demo-app-stage-two", "uat"),
        ("demo-app-two", "stage"),
    ],
)
def test_a_role_of_the_app_that_may_do_everything_reaches_no_other_app(
    app: str, env: str, bounded: Callable[..., bool]
) -> None:
    assert [one for one in of_app(app, env) if bounded(ADMINISTRATOR, one, APP_ROLE)] == []


def test_of_its_own_app_it_reaches_what_a_task_needs(bounded: Callable[..., bool]) -> None:
    """So the test above looks at something; neither releases nor stacks are among it."""
    may = {one.action for one in of_app("demo-app", "stage") if bounded(ADMINISTRATOR, one, APP_ROLE)}

    assert may == {
        "secretsmanager:GetSecretValue",
        "ecr:GetDownloadUrlForLayer",
        "logs:PutLogEvents",
        "dynamodb:GetItem",
        "s3:GetObject",
        "s3:ListBucket",
        "sns:Publish",
        "sqs:SendMessage",
    }


def test_every_action_that_it_names_is_one(boundary: list[dict[str, Any]]) -> None:
    """A misspelt one bounds nothing, and nobody is told."""
    named = {
        action
        for statement in boundary
        for action in as_list(statement.get("Action", statement.get("NotAction")))
    }
    found = {
        action: [
            known for known in actions_of(action.partition(":")[0]) if fnmatchcase(known, action.lower())
        ]
        for action in named
    }

    assert [action for action, known in found.items() if not known] == []


@pytest.mark.parametrize("role", [STACK_ROLE, APP_ROLE, TASK_ROLE])
def test_no_role_becomes_another(role: str, bounded: Callable[..., bool]) -> None:
    """Nor one of another account that would let it in."""
    for target in (STACK_ROLE, TASK_ROLE, "arn:aws:iam::999999999999:role/theirs"):
        assert not bounded(ADMINISTRATOR, request("sts:AssumeRole", target), role)


def test_a_stack_makes_its_roles_under_it(stack: Callable[..., Any]) -> None:
    """Under the one that it makes itself, where that is chosen; it is there whichever bounds them."""
    own, another, none = (
        stack("pipeline", PermissionsBoundaryArn=chosen) for chosen in ("platform", BOUNDARY, "")
    )

    def bounds(delivery: Any) -> set[str]:
        roles = [r["Properties"] for r in delivery.resources.values() if r["Type"] == "AWS::IAM::Role"]
        return {role.get("PermissionsBoundary", "") for role in roles}

    def required(delivery: Any) -> Any:
        (made,) = [s for s in role_statements(delivery, "StackRole") if s["Sid"] == "MakeRoles"]
        return made.get("Condition")

    assert (bounds(own), bounds(another), bounds(none)) == ({"<Boundary>"}, {BOUNDARY}, {""})
    assert required(own) == {"StringEquals": {"iam:PermissionsBoundary": "<Boundary>"}}
    assert required(another) == {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}
    assert required(none) is None
    assert own.properties("Boundary") == none.properties("Boundary")


def test_a_generated_app_names_the_one_that_its_pipelines_stack_makes(stack: Callable[..., Any]) -> None:
    passed = stack("app", AppName="demo-app").properties("StackPython")["Parameters"]
    none = stack("app", AppName="demo-app", PermissionsBoundaryArn="").properties("StackPython")["Parameters"]

    assert passed["PermissionsBoundaryArn"] == BOUNDARY
    assert none["PermissionsBoundaryArn"] == ""


@pytest.mark.parametrize(
    ("through", "may"),
    [(f"secretsmanager.{REGION}.amazonaws.com", True), (f"s3.{REGION}.amazonaws.com", False), (None, False)],
)
def test_keys_decrypt_through_secrets_manager_only(
    through: str | None, may: bool, bounded: Callable[..., bool]
) -> None:
    """What a secret's key allows by its own policy stays with the role that reads it, and no more does."""
    context = {"kms:ViaService": through} if through else {}

    asked = request("kms:Decrypt", arn("kms", "key/0123-4567"), context)
    assert bounded(ADMINISTRATOR, asked, role_arn("apps/demo-app/stage", "ExecutionRole")) == may


ELSEWHERE = role_arn("apps/other-app/stage", "TaskRole")


@pytest.mark.parametrize(
    ("action", "target", "context", "may"),
    [
        ("CreateRole", APP_ROLE, {"iam:PermissionsBoundary": BOUNDARY}, True),
        ("CreateRole", APP_ROLE, {}, False),
        ("CreateRole", APP_ROLE, {"iam:PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/loose"}, False),
        ("CreateRole", ELSEWHERE, {"iam:PermissionsBoundary": BOUNDARY}, False),
        ("PutRolePolicy", STACK_ROLE, {"iam:PermissionsBoundary": BOUNDARY}, False),
        ("AttachRolePolicy", ELSEWHERE, {"iam:PermissionsBoundary": BOUNDARY}, False),
        ("UpdateAssumeRolePolicy", STACK_ROLE, {}, False),
        ("DeleteRolePermissionsBoundary", APP_ROLE, {"iam:PermissionsBoundary": BOUNDARY}, False),
        ("PutRolePermissionsBoundary", APP_ROLE, {"iam:PermissionsBoundary": "arn:other"}, False),
        ("CreatePolicyVersion", BOUNDARY, {}, False),
        ("SetDefaultPolicyVersion", BOUNDARY, {}, False),
        ("DeletePolicy", BOUNDARY, {}, False),
        ("CreateUser", f"arn:aws:iam::{ACCOUNT}:user/somebody", {}, False),
        ("PassRole", ELSEWHERE, {"iam:PassedToService": "ecs-tasks.amazonaws.com"}, False),
    ],
)
def test_nobody_takes_it_off_not_even_by_additional_policies(
    action: str, target: str, context: dict[str, str], may: bool, bounded: Callable[..., bool]
) -> None:
    """StackRole with everything that ``additional_policies`` could give it."""
    assert bounded(ADMINISTRATOR, request(f"iam:{action}", target, context), STACK_ROLE) == may


def test_it_fits_into_a_managed_policy(stack: Callable[..., Any]) -> None:
    """6,144 characters: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    longest = stack("pipeline", PlatformName="p" * 30, AppName="a" * 24)

    assert length(longest.properties("Boundary")["PolicyDocument"]) < 6_144
