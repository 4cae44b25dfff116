"""A transform that does not exist is refused, and so is one that the stack's role may not use."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .helpers import EVERYTHING, Pipelines, action, make_role, stage
from .templates import LOG, log_group, log_names, nested

ACCOUNT = "000000000000"
EXTENSIONS = "AWS::LanguageExtensions"
EXTENDED = {
    "Transform": EXTENSIONS,
    "Resources": {"Log": LOG},
    "Outputs": {"Text": {"Value": {"Fn::ToJsonString": {"a": "b"}}}},
}
"""A template that is one only by its transform."""
EXPAND = ["CAPABILITY_AUTO_EXPAND"]


def without(action_name: str) -> dict[str, Any]:
    """A policy that allows all but one action."""
    denied = {"Effect": "Deny", "Action": action_name, "Resource": "*"}
    return {**EVERYTHING, "Statement": [*EVERYTHING["Statement"], denied]}


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ({"Transform": "Count", "Resources": {"Log": LOG}}, f"{ACCOUNT}::Count"),
        ({"Transform": ["AWS::Nothing-2020"], "Resources": {"Log": LOG}}, "AWS::Nothing-2020"),
        ({"Resources": {"Log": log_group({"Fn::Transform": {"Name": "Upper"}})}}, f"{ACCOUNT}::Upper"),
    ],
)
def test_a_transform_that_does_not_exist_is_refused(
    pipelines: Pipelines, template: dict[str, Any], name: str
) -> None:
    with pytest.raises(ClientError, match=f"No transform named {name} found") as refused:
        pipelines.stacks.create_stack(
            StackName="made", TemplateBody=json.dumps(template), Capabilities=EXPAND
        )
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError, match=f"No transform named {name} found"):
        pipelines.stacks.create_change_set(
            StackName="made",
            ChangeSetName="first",
            ChangeSetType="CREATE",
            TemplateBody=json.dumps(template),
        )
    pipelines.stack("made", {"Resources": {"Log": LOG}})
    with pytest.raises(ClientError, match=f"No transform named {name} found"):
        pipelines.stacks.update_stack(
            StackName="made", TemplateBody=json.dumps(template), Capabilities=EXPAND
        )


def test_a_transform_of_aws_that_the_sandbox_does_not_apply_is_refused_by_name(pipelines: Pipelines) -> None:
    template = {"Transform": "AWS::SecretsManager-2024-09-16", "Resources": {"Log": LOG}}

    with pytest.raises(ClientError, match="does not apply the transform AWS::SecretsManager-2024-09-16"):
        pipelines.stacks.create_stack(
            StackName="made", TemplateBody=json.dumps(template), Capabilities=EXPAND
        )


def test_a_nested_stack_has_no_transforms_here(pipelines: Pipelines) -> None:
    for name, transform in (("odd.json", "Count"), ("known.json", EXTENSIONS)):
        body = json.dumps({"Transform": transform, "Resources": {"Log": LOG}})
        pipelines.s3.put_object(Bucket="sources", Key=name, Body=body.encode())

    def reason(key: str) -> str:
        template = {"Resources": {"Child": nested(f"https://sources.s3.amazonaws.com/{key}")}}
        stack = pipelines.stack(f"outer-{key[:3]}", template, Capabilities=EXPAND)
        assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
        events = pipelines.stacks.describe_stack_events(StackName=f"outer-{key[:3]}")["StackEvents"]
        return str(next(e["ResourceStatusReason"] for e in events if e["ResourceStatus"] == "CREATE_FAILED"))

    assert reason("odd.json") == f"No transform named {ACCOUNT}::Count found."
    assert reason("known.json") == (
        "The sandbox does not apply the transform AWS::LanguageExtensions in a nested stack."
    )
    assert log_names(pipelines) == []


def test_the_stacks_role_is_asked_for_each_transform(pipelines: Pipelines) -> None:
    role = make_role(pipelines.aws, "stack", without("cloudformation:CreateChangeSet"))

    with pytest.raises(ClientError) as refused:
        pipelines.stacks.create_stack(
            StackName="made", TemplateBody=json.dumps(EXTENDED), Capabilities=EXPAND, RoleARN=role
        )

    assert refused.value.response["Error"]["Message"].startswith(
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/stack/cloudformation is not authorized to perform: "
        "cloudformation:CreateChangeSet on resource: "
        "arn:aws:cloudformation:eu-west-1:aws:transform/LanguageExtensions "
    )


@pytest.mark.parametrize("policy", [EVERYTHING, without("cloudformation:CreateChangeSet")])
def test_an_action_deploys_a_transform_only_under_a_role_that_may_use_it(
    pipelines: Pipelines, policy: dict[str, Any]
) -> None:
    pipelines.upload({"t.json": json.dumps(EXTENDED)})
    configuration = {
        "ActionMode": "CREATE_UPDATE",
        "StackName": "made",
        "TemplatePath": "Src::t.json",
        "Capabilities": "CAPABILITY_AUTO_EXPAND",
        "RoleArn": make_role(pipelines.aws, "stack", policy),
    }
    deploy = action("Stack", "Deploy", "CloudFormation", configuration, inp="Src")
    pipelines.create("shop", [stage("Deploy", deploy)])

    execution = pipelines.start("shop")
    ended = pipelines.ended("shop", execution)

    if policy == EVERYTHING:
        assert ended == "Succeeded"
        stack = pipelines.settled("made") or {}
        assert stack["Outputs"][0]["OutputValue"] == '{"a":"b"}'
    else:
        assert ended == "Failed"
        assert "cloudformation:CreateChangeSet" in pipelines.error("shop", execution, "Stack")["message"]
