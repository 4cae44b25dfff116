"""What each role may do is named, bounded, reasoned and no more than it needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from .policies import BOUNDARY, EVERYTHING, as_list, length, statements


@pytest.mark.parametrize("name", EVERYTHING)
def test_these_tests_look_at_every_statement_there_is(name: str, stack: Callable[..., Any]) -> None:
    def stated(value: Any) -> Iterator[str]:
        if isinstance(value, dict) and "Sid" in value:
            yield value["Sid"]
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from stated(each)

    resolved = stack(name, **EVERYTHING[name])
    written = {
        (i, sid)
        for i, body in resolved.template["Resources"].items()
        for sid in stated(body)
        if i != "Boundary"
    }

    found = {(i, statement["Sid"]) for i, statement in statements(resolved)}
    if name == "pipeline":  # where a release is promoted to, and no archive is made
        found |= {(i, s["Sid"]) for i, s in statements(stack(name, **EVERYTHING[name], AppEnv="uat"))}
    assert found == written


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_statement_says_what_it_is_for(name: str, stack: Callable[..., Any]) -> None:
    found = list(statements(stack(name, **EVERYTHING[name])))

    assert found
    for logical_id, statement in found:
        assert re.fullmatch("[A-Za-z0-9]+", statement.get("Sid", "")), (logical_id, statement)
    assert len({(i, s["Sid"]) for i, s in found}) == len(found)


@pytest.mark.parametrize("name", EVERYTHING)
def test_no_statement_allows_every_action(name: str, stack: Callable[..., Any]) -> None:
    for logical_id, statement in statements(stack(name, **EVERYTHING[name])):
        assert "NotAction" not in statement, logical_id
        if statement["Effect"] == "Allow":
            assert [a for a in as_list(statement["Action"]) if "*" in a] == [], (logical_id, statement["Sid"])


@pytest.mark.parametrize("name", EVERYTHING)
def test_what_reaches_beyond_the_app_gives_its_reason(name: str, stack: Callable[..., Any]) -> None:
    """A resource that names neither the app nor a resource of these stacks has a comment beside it."""
    resolved = stack(name, **EVERYTHING[name], **({} if name == "platform" else {"AppName": "probe-app"}))
    broad = [
        (logical_id, statement["Sid"])
        for logical_id, statement in statements(resolved)
        for resource in as_list(statement.get("Resource", "<own>"))
        if "probe-app" not in resource
        and "<" not in resource
        and resource != EVERYTHING[name].get("NotificationTopicArn")
    ]

    assert bool(broad) == (name != "platform")
    for logical_id, sid in broad:
        assert reason(resolved.block(logical_id), sid), f"{logical_id}: {sid} gives no reason"


def reason(block: str, sid: str) -> str:
    """The comments inside a statement's source and right above it."""
    lines = block.splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip() == f"- Sid: {sid}")
    end = next((i for i in range(start + 1, len(lines)) if "- Sid: " in lines[i]), len(lines))
    while lines[end - 1].strip().startswith("#"):
        end -= 1  # what stands above the next statement is the next one's
    while lines[start - 1].strip().startswith("#"):
        start -= 1
    return " ".join(line.strip() for line in lines[start:end] if line.strip().startswith("#"))


@pytest.mark.parametrize("name", EVERYTHING)
def test_no_role_escapes_the_boundary(name: str, stack: Callable[..., Any]) -> None:
    bounded = stack(name, **EVERYTHING[name])
    roles = [r["Properties"] for r in bounded.resources.values() if r["Type"] == "AWS::IAM::Role"]

    assert bool(roles) == (name != "platform")
    if name == "platform":
        return  # every role is an app's
    assert {role["PermissionsBoundary"] for role in roles} == {BOUNDARY}
    free = stack(name, **{**EVERYTHING[name], "PermissionsBoundaryArn": ""})
    assert "PermissionsBoundary" not in str(
        [r["Properties"].keys() for r in free.resources.values() if r["Type"] == "AWS::IAM::Role"]
    )


def test_roles_that_the_app_makes_are_under_the_boundary_too(stack: Callable[..., Any]) -> None:
    made = {
        s["Sid"]: s for i, s in statements(stack("pipeline", **EVERYTHING["pipeline"])) if i == "StackRole"
    }

    assert made["MakeRoles"]["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}
    assert "iam:DeleteRolePermissionsBoundary" not in str(made)


def test_roles_are_passed_to_the_services_that_need_them_and_no_other(stack: Callable[..., Any]) -> None:
    passed = {}
    for name in EVERYTHING:
        for logical_id, statement in statements(stack(name, **EVERYTHING[name])):
            if "iam:PassRole" in as_list(statement["Action"]):
                assert statement["Action"] == "iam:PassRole", logical_id
                assert "*" not in as_list(statement["Resource"]), logical_id
                services = as_list(statement["Condition"]["StringEquals"]["iam:PassedToService"])
                passed[logical_id, statement["Sid"]] = set(services)

    assert passed == {
        ("PipelineRole", "PassStackRole"): {"cloudformation.amazonaws.com"},
        ("PipelineRole", "PassTaskRoles"): {"ecs.amazonaws.com", "ecs-tasks.amazonaws.com"},
        ("StackRole", "PassTaskRoles"): {"ecs-tasks.amazonaws.com"},
        ("StackPolicy", "PassItselfToNestedStacks"): {"cloudformation.amazonaws.com"},
    }


def test_the_stack_role_reaches_the_apps_roles_but_not_those_of_its_delivery(
    stack: Callable[..., Any],
) -> None:
    """Else an app's template could give its pipeline, and so itself, anything."""
    delivery, app = stack("pipeline"), stack("python")
    allowed = {
        resource
        for i, s in statements(delivery)
        if i == "StackRole" and any(a.startswith("iam:") for a in as_list(s["Action"]))
        for resource in as_list(s["Resource"])
        if "aws-service-role" not in resource
    }
    paths = {r["Properties"]["Path"] for r in delivery.resources.values() if r["Type"] == "AWS::IAM::Role"}

    assert allowed == {"arn:aws:iam::123456789012:role/the-sink/apps/demo-app/stage/*"}
    assert paths == {"/the-sink/delivery/demo-app/stage/"}
    assert app.properties("TaskRole")["Path"] == "/the-sink/apps/demo-app/stage/"
    assert app.properties("ExecutionRole")["Path"] == "/the-sink/apps/demo-app/stage/"


def test_an_app_touches_no_other_apps_files(stack: Callable[..., Any]) -> None:
    """Neither directly nor by giving another's file system its own tag first."""
    own = {"StringEquals": {"aws:ResourceTag/the-sink:stack": "demo-app-stage"}}
    at_creation = {
        "StringEquals": {"elasticfilesystem:CreateAction": ["CreateAccessPoint", "CreateFileSystem"]}
    }
    changing = [
        (action, s.get("Condition"))
        for i, s in statements(stack("pipeline"))
        if i == "StackRole"
        for action in as_list(s["Action"])
        if re.match(r"elasticfilesystem:(?!Describe)", action)
    ]

    assert {a for a, c in changing if c == own} >= {
        "elasticfilesystem:DeleteFileSystem",
        "elasticfilesystem:PutFileSystemPolicy",
        "elasticfilesystem:TagResource",
    }
    assert [(a, c) for a, c in changing if c != own] == [
        ("elasticfilesystem:CreateFileSystem", {"Bool": {"elasticfilesystem:Encrypted": "true"}}),
        ("elasticfilesystem:TagResource", at_creation),
    ]
    app = stack("python")
    tag = {"Key": "the-sink:stack", "Value": "demo-app-stage"}
    assert tag in app.properties("FileSystem")["FileSystemTags"]
    assert tag in app.properties("FileSystemAccessPoint")["AccessPointTags"]


def test_policies_fit_into_a_role(stack: Callable[..., Any]) -> None:
    """10,240 characters without white space for all inline policies of a role, 6,144 for a managed policy:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    longest = {"PlatformName": "p" * 30, "AppName": "a" * 24}
    for name in EVERYTHING:
        names = {"PlatformName": longest["PlatformName"]} if name == "platform" else longest
        for logical_id, resource in stack(name, **EVERYTHING[name], **names).resources.items():
            if resource["Type"] == "AWS::IAM::Role":
                policies = [p["PolicyDocument"] for p in resource["Properties"]["Policies"]]
                assert length(policies) < 10_240, logical_id
            if resource["Type"] == "AWS::IAM::ManagedPolicy":
                assert length(resource["Properties"]["PolicyDocument"]) < 6_144, logical_id


def test_alarms_and_scaling_are_made_under_a_policy_of_their_own(stack: Callable[..., Any]) -> None:
    """Which is the role's, lies under its path, and names the alarms that the app's stack makes."""
    policy = stack("pipeline").properties("StackPolicy")
    made = {s["Sid"]: s for s in policy["PolicyDocument"]["Statement"]}
    alarms = [
        r["Properties"]["AlarmName"]
        for r in stack("python", AlarmTopicArn="arn:topic").resources.values()
        if r["Type"] == "AWS::CloudWatch::Alarm"
    ]

    assert policy["Roles"] == ["<StackRole>"]
    assert policy["Path"] == "/the-sink/delivery/demo-app/stage/"
    assert len(alarms) == 8
    allowed = made["MakeAlarms"]["Resource"].rpartition(":alarm:")[2]
    assert all(fnmatchcase(name, allowed) for name in alarms)
    assert not fnmatchcase("demo-app-two/stage/cpu", allowed)
    assert made["MakeScaling"]["Condition"]["StringEquals"] == {
        "application-autoscaling:service-namespace": "ecs",
        "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
    }


def test_workflows_only_upload_and_watch(stack: Callable[..., Any]) -> None:
    changing = {
        action
        for i, s in statements(stack("pipeline", GitHubRepository="acme/demo-app"))
        if i == "GitHubRole" and s["Action"] != "sts:AssumeRoleWithWebIdentity"
        for action in as_list(s["Action"])
        if not re.match(r"\w+:(Get|List|Describe|BatchGet|Filter)", action)
    }

    assert changing == {"s3:PutObject", "codepipeline:StartPipelineExecution"}


def test_shells_are_shut_in_prod_unless_opened(stack: Callable[..., Any]) -> None:
    def is_open(**parameters: str) -> bool:
        app = stack("python", **parameters)
        enabled = app.properties("Service")["EnableExecuteCommand"]
        granted = "OpenShells" in [s["Sid"] for i, s in statements(app) if i == "TaskRole"]
        assert enabled == granted
        return bool(enabled)

    assert is_open(AppEnv="stage")
    assert not is_open(AppEnv="prod")
    assert is_open(AppEnv="prod", EnableExec="true")
    assert not is_open(AppEnv="stage", EnableExec="false")
