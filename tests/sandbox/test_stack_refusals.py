"""What AWS refuses of a stack is refused, where the emulator alone would go ahead."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .helpers import Pipelines
from .templates import LOG, log_group, log_names

ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
}


def with_arn(**more: str) -> dict[str, Any]:
    """A template with a parameter that is empty or an ARN."""
    parameter = {"Type": "String", "AllowedPattern": "|arn:.+", **more}
    return {"Parameters": {"Arn": parameter}, "Resources": {"Log": LOG}}


@pytest.mark.parametrize(
    ("template", "arguments", "problem"),
    [
        (
            {"Resources": {"Log": LOG}},
            {"Parameters": [{"ParameterKey": "Odd", "ParameterValue": "1"}]},
            r"Parameters: \[Odd\] do not exist in the template",
        ),
        (
            with_arn(ConstraintDescription="empty, or an ARN"),
            {"Parameters": [{"ParameterKey": "Arn", "ParameterValue": "x"}]},
            "Parameter Arn failed to satisfy constraint: empty, or an ARN$",
        ),
        (
            with_arn(),
            {"Parameters": [{"ParameterKey": "Arn", "ParameterValue": "x"}]},
            r"Parameter 'Arn' must match pattern \|arn:\.\+$",
        ),
        ({"Resources": {"Role": ROLE}}, {}, r"Requires capabilities : \[CAPABILITY_IAM\]"),
        (
            {"Resources": {"Role": {**ROLE, "Properties": {**ROLE["Properties"], "RoleName": "named"}}}},
            {"Capabilities": ["CAPABILITY_IAM"]},
            r"Requires capabilities : \[CAPABILITY_NAMED_IAM\]",
        ),
        (
            {"Resources": {"Log": log_group({"Ref": "None"})}},
            {},
            r"dependencies \[None\]",
        ),
        (
            {"Resources": {"Log": log_group({"Fn::Sub": "/${A.B}"})}},
            {},
            r"dependencies \[A\]",
        ),
        ({"Resources": {"Log": {**LOG, "DependsOn": ["Gone"]}}}, {}, "Gone"),
        ({"Resources": {"Odd": {"Type": "AWS::Odd::Thing"}}}, {}, "Unrecognized resource types"),
    ],
)
def test_a_request_that_aws_refuses_is_refused(
    pipelines: Pipelines, template: dict[str, Any], arguments: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ClientError, match=problem):
        pipelines.stack("refused", template, **arguments)

    assert pipelines.stacks.describe_stacks()["Stacks"] == []


def test_a_stack_whose_creation_was_rolled_back_is_neither_created_nor_updated(pipelines: Pipelines) -> None:
    pipelines.aws("logs").create_log_group(logGroupName="/taken")
    broken = {"Resources": {"Log": LOG, "Taken": {**log_group("/taken"), "DependsOn": "Log"}}}
    assert pipelines.stack("broken", broken)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert log_names(pipelines) == ["/taken"]

    body = json.dumps({"Resources": {"Log": LOG}})
    with pytest.raises(pipelines.stacks.exceptions.AlreadyExistsException):
        pipelines.stacks.create_stack(StackName="broken", TemplateBody=body)
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        pipelines.stacks.update_stack(StackName="broken", TemplateBody=body)


def test_an_export_neither_changes_nor_goes_while_a_stack_imports_it(pipelines: Pipelines) -> None:
    """One that names the export and does not use it, by its conditions, is in no way."""
    exporter = {
        "Parameters": {"Arn": {"Type": "String"}},
        "Conditions": {"HasArn": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Arn"}, ""]}]}},
        "Resources": {"Log": LOG},
        "Outputs": {
            "Arn": {"Condition": "HasArn", "Value": {"Ref": "Arn"}, "Export": {"Name": "the-arn"}},
        },
    }
    imported = {"Fn::ImportValue": "the-arn"}

    def export(arn: str) -> str:
        given = [{"ParameterKey": "Arn", "ParameterValue": arn}]
        return str(pipelines.stack("exporter", exporter, Parameters=given)["StackStatus"])

    def deploy(name: str, user: str) -> None:
        more = {**log_group({"Fn::Join": ["-", ["/more", imported]]}), "Condition": "IsUser"}
        template = {
            "Conditions": {"IsUser": {"Fn::Equals": [user, "yes"]}},
            "Resources": {"Log": log_group({"Fn::If": ["IsUser", imported, f"/{name}"]}), "More": more},
        }
        assert pipelines.stack(name, template)["StackStatus"].endswith("_COMPLETE")

    def reasons() -> list[str]:
        events = pipelines.stacks.describe_stack_events(StackName="exporter")["StackEvents"]
        assert [e for e in events if e["ResourceStatus"].endswith("_FAILED")] == []
        return [
            e["ResourceStatusReason"] for e in events if e["ResourceStatus"].endswith("ROLLBACK_IN_PROGRESS")
        ]

    export("one")
    for name, user in (("a-user", "yes"), ("other", "no")):
        deploy(name, user)

    assert pipelines.stacks.list_imports(ExportName="the-arn")["Imports"] == ["a-user"]
    assert [export("two"), export("")] == ["UPDATE_ROLLBACK_COMPLETE"] * 2
    assert reasons() == [
        "Export the-arn cannot be deleted as it is in use by a-user",
        "Export the-arn cannot be updated as it is in use by a-user",
    ]
    assert [e["Value"] for e in pipelines.stacks.list_exports()["Exports"]] == ["one"]

    deploy("a-user", "no")

    assert export("two") == "UPDATE_COMPLETE"
    assert [e["Value"] for e in pipelines.stacks.list_exports()["Exports"]] == ["two"]
    assert export("") == "UPDATE_COMPLETE"
    assert pipelines.stacks.list_exports()["Exports"] == []
