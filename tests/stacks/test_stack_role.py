"""StackRole can make, change, read and delete every resource of an app's stack, and nothing else.

CloudFormation acts under it, of which the sandbox plays only whether a type can be made at all (its resources
are made by the emulator, past IAM); so what CloudFormation needs is read from the resource types' schemas.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sink_host.templates.creating_actions import creating_actions
from the_sink.checks.stack_role import allowed_actions, may_make
from the_sink.config.stack_template import parse_template

from .policies import (
    ACCOUNT,
    REGION,
    allows,
    is_known,
    parts,
    request,
)
from .resource_requests import BY_STACK, EVERYTHING, arn, handlers, needs, requests, stack_role
from .stack_role_exceptions import BEYOND_SCHEMAS, NESTED, NOT_NEEDED, Fixed, Unset

ROOT = Path(__file__).parents[2]
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"


def test_no_type_of_the_templates_is_refused_by_validate_or_the_sandbox() -> None:
    """Under any condition; they ask whether it may bring a type into being at all."""
    pipeline, app = (
        parse_template((ROOT / f"stacks/python/{name}.yml").read_text())[0]
        for name in ("pipeline", "cfn-template")
    )
    allowed = allowed_actions(pipeline)
    types = {NESTED, *(resource["Type"] for resource in app["Resources"].values())}

    assert {each for each in types if not creating_actions(each, REGION)} == set()
    assert {each for each in types if not may_make(each, REGION, allowed)} == set()
    assert not may_make("AWS::SQS::Queue", REGION, allowed)


@pytest.mark.parametrize("boundary", ["", BOUNDARY])
def test_it_may_do_all_that_the_stacks_resources_take(boundary: str, stack: Callable[..., Any]) -> None:
    role = stack_role(stack("pipeline", PermissionsBoundaryArn=boundary))
    app = stack("python", **EVERYTHING, PermissionsBoundaryArn=boundary)
    missing = {
        f"{made.type} {operation}: {asked.action} on {asked.resource} {dict(asked.context) or ''}"
        for made, operation, action in needs(app)
        for asked in requests(made, operation, action)
        if not allows(role, asked)
    }

    assert sorted(missing) == []


def test_it_may_do_nothing_that_neither_a_resource_nor_a_reason_takes(stack: Callable[..., Any]) -> None:
    role = stack_role(stack("pipeline", PermissionsBoundaryArn=BOUNDARY))
    app = stack("python", **EVERYTHING, PermissionsBoundaryArn=BOUNDARY)
    asked = {one for made, operation, action in needs(app) for one in requests(made, operation, action)}
    used = {(sid, part) for sid, part, alone in parts(role) if any(allows([alone], one) for one in asked)}
    reasoned = {sid for sid, _ in BEYOND_SCHEMAS}
    without_use = {(sid, part) for sid, part, _ in parts(role)} - used

    assert {(sid, part) for sid, part in without_use if ":" in part and not part.startswith("arn:")} == {
        *BEYOND_SCHEMAS
    }
    assert {sid for sid, part in without_use if part == "*" or part.startswith("arn:")} <= reasoned


def test_no_two_statements_allow_the_same(stack: Callable[..., Any]) -> None:
    """Else one of them could go or be narrowed, and nothing would change."""
    role = stack_role(stack("pipeline", PermissionsBoundaryArn=BOUNDARY))
    app = stack("python", **EVERYTHING, PermissionsBoundaryArn=BOUNDARY)
    twice = {
        (one.action, one.resource, *sids)
        for made, operation, action in needs(app)
        for one in requests(made, operation, action)
        if len(sids := [s["Sid"] for s in role if allows([s], one)]) > 1
    }

    assert twice == set()


REACHES_OTHERS = {
    "MakeScaling": "scalable targets",
    "TagScaling": "scalable targets",
    "MakeTaskDefinitions": "task definitions",
}
"""Where StackRole can change or delete what another app has, and as what docs/resources.md confesses it.

MakeMountTargets, which no schema names, is the one beside these: see below.
"""

OTHERS = {
    "demo-app": (("other-app", "stage"), ("demo-app", "prod"), ("demo-app-stage-database", "prod")),
    # Names that begin as those of demo5 in stage do.
    "demo5": tuple(
        (f"demo5-stage{what}", env)
        for what in ("", "-app", "-database", "-secret", "-stackpython")
        for env in ("stage", "prod")
    ),
}


@pytest.mark.parametrize("app", OTHERS)
def test_it_changes_nothing_of_another_app_but_what_the_documentation_says(
    app: str, stack: Callable[..., Any]
) -> None:
    role = stack_role(stack("pipeline", AppName=app))
    reached = {
        (statement["Sid"], action)
        for name, env in OTHERS[app]
        for other in (stack("python", **EVERYTHING, AppName=name, AppEnv=env),)
        for made, operation, action in needs(other)
        if operation in ("update", "delete")
        and not re.match(r"[\w-]+:(Describe|Get|List)|iam:CreateServiceLinkedRole", action)
        for one in requests(made, operation, action)
        if not re.search(r":[po]g:default[.:]", one.resource)  # AWS's own, which nobody can change
        if allows(role, one)
        for statement in role
        if allows([statement], one)
    }
    documented = (ROOT / "docs/resources.md").read_text()

    assert {sid for sid, _ in reached} == REACHES_OTHERS.keys()
    assert [kind for kind in (*REACHES_OTHERS.values(), "network interfaces") if kind not in documented] == []


@pytest.mark.parametrize(
    "action",
    ["AddTags", "DeleteTargetGroup", "ModifyTargetGroup", "ModifyTargetGroupAttributes", "RemoveTags"],
)
@pytest.mark.parametrize(
    ("made_by", "may"),
    [
        ("demo-app-stage-StackPython-1A2B3C4D", True),
        ("demo-app-stage", True),  # of the app's own template
        ("", True),  # being made
        ("other-app-stage-StackPython-1A2B3C4D", False),
        ("demo-app-prod-StackPython-1A2B3C4D", False),
        ("demo-app-stage-two", False),
        ("the-sink-platform", False),
    ],
)
def test_a_target_group_of_another_stack_is_out_of_reach(
    made_by: str, may: bool, action: str, stack: Callable[..., Any]
) -> None:
    target_group = arn("elasticloadbalancing", "targetgroup/demo-a-Targe-1A2B/4")
    asked = request(f"elasticloadbalancing:{action}", target_group, {BY_STACK: made_by} if made_by else {})

    assert allows(stack_role(stack("pipeline")), asked) == may


@pytest.mark.parametrize("action", ["CreateRule", "DeleteListener", "ModifyListener", "AddTags"])
@pytest.mark.parametrize(
    ("balancer", "may"),
    [
        ("demo-app-stage", True),
        ("other-app-stage", False),
        ("demo-app-prod", False),
        ("demo-app-stage-two", False),
    ],
)
def test_a_listener_of_another_load_balancer_is_out_of_reach(
    balancer: str, may: bool, action: str, stack: Callable[..., Any]
) -> None:
    """Their ARNs hold the load balancer's name, which is the app's and the environment's."""
    listener = arn("elasticloadbalancing", f"listener/app/{balancer}/0a1b/2c3d")

    assert allows(stack_role(stack("pipeline")), request(f"elasticloadbalancing:{action}", listener)) == may


VPC = arn("ec2", "vpc/<import the-sink-VpcId>")
OTHER_VPC = arn("ec2", "vpc/vpc-other")
OWN, PLATFORM = "demo-app-stage-StackPython-1A2B3C4D", "the-sink-platform"


@pytest.mark.parametrize("action", ["AuthorizeSecurityGroupIngress", "DeleteSecurityGroup", "CreateTags"])
@pytest.mark.parametrize(
    ("vpc", "made_by", "may"),
    [
        (VPC, OWN, True),
        (VPC, "demo-app-stage", True),  # of the app's own template
        (VPC, "", True),  # being made
        (VPC, "other-app-stage-StackPython-1A2B3C4D", False),
        (VPC, "demo-app-prod-StackPython-1A2B3C4D", False),
        (VPC, "demo-app-stage-two", False),
        (VPC, PLATFORM, False),
        (OTHER_VPC, OWN, False),
        (OTHER_VPC, "", False),
    ],
)
def test_a_security_group_of_another_stack_or_network_is_out_of_reach(
    vpc: str, made_by: str, may: bool, action: str, stack: Callable[..., Any]
) -> None:
    role = stack_role(stack("pipeline"))
    context = {"ec2:Vpc": vpc, **({BY_STACK: made_by} if made_by else {})}

    assert allows(role, request(f"ec2:{action}", arn("ec2", "security-group/sg-1"), context)) == may


def test_a_group_gets_its_tags_while_its_network_is_not_known(stack: Callable[..., Any]) -> None:
    role = stack_role(stack("pipeline"))

    assert allows(role, request("ec2:CreateTags", arn("ec2", "security-group/sg-1")))
    assert not allows(role, request("ec2:DeleteSecurityGroup", arn("ec2", "security-group/sg-1")))


@pytest.mark.parametrize(("vpc", "may"), [(VPC, True), (OTHER_VPC, False)])
@pytest.mark.parametrize("kind", ["network-interface", "security-group", "subnet"])
def test_mount_targets_stay_in_the_platforms_network(
    kind: str, vpc: str, may: bool, stack: Callable[..., Any]
) -> None:
    role = stack_role(stack("pipeline"))
    asked = request("ec2:ModifyNetworkInterfaceAttribute", arn("ec2", f"{kind}/x-1"), {"ec2:Vpc": vpc})

    assert allows(role, asked) == may


def test_what_it_need_not_have_is_for_what_the_template_does_not_set(stack: Callable[..., Any]) -> None:
    """So that a property that is set one day asks for its permissions."""
    app = stack("python", **EVERYTHING)
    for resource_type, reasons in NOT_NEEDED.items():
        named = {action for permissions in handlers(resource_type).values() for action in permissions}
        found = [r["Properties"] for r in app.resources.values() if r["Type"] == resource_type]
        assert found or resource_type == NESTED, resource_type
        for reason, actions in reasons.items():
            assert set(actions.split()) <= named, (resource_type, actions)
            if isinstance(reason, Unset):
                assert set(reason.properties) <= properties(resource_type), (resource_type, reason.properties)
                assert [p for p in found if p.keys() & set(reason.properties)] == [], resource_type
            if isinstance(reason, Fixed):
                assert {p[reason.name] for p in found} == {reason.value}


@cache
def properties(resource_type: str) -> set[str]:
    """The properties that a type has."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

    schema: Any = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, resource_type).schema
    return set(schema["properties"])


def test_a_schema_that_names_no_action_of_iam_is_told_apart() -> None:
    assert not is_known("s3:REST.PUT.OBJECT")
