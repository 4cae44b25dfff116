"""A nested stack is found by the address of its template, and follows what changes behind that address."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sink_sandbox.services.cloudformation.patch import stacks

from .helpers import BUCKET, Pipelines, wait_for
from .templates import LOG, log_group, log_names, nested


@pytest.mark.parametrize("host", ["{bucket}.s3.amazonaws.com", "{bucket}.s3.eu-west-1.amazonaws.com"])
def test_templates_are_found_by_their_virtual_host_address(pipelines: Pipelines, host: str) -> None:
    pipelines.s3.put_object(Bucket=BUCKET, Key="stacks/log.yml", Body=json.dumps({"Resources": {"Log": LOG}}))
    url = f"https://{host.format(bucket=BUCKET)}/stacks/log.yml"

    pipelines.stacks.create_stack(StackName="direct", TemplateURL=url)
    wait_for(lambda: pipelines.settled("direct"), "the stack")
    assert log_names(pipelines) == ["/made"]
    pipelines.stacks.delete_stack(StackName="direct")
    wait_for(lambda: log_names(pipelines) == [], "the deletion")

    pipelines.stack("parent", {"Resources": {"Child": nested(url)}})
    assert log_names(pipelines) == ["/made"]


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://b-1.s3.amazonaws.com/a/b.yml", "https://s3.amazonaws.com/b-1/a/b.yml"),
        ("https://b.c.s3.eu-west-1.amazonaws.com/a%20b", "https://s3.amazonaws.com/b.c/a b"),
        ("https://b-1.s3.cn-north-1.amazonaws.com.cn/a", "https://s3.amazonaws.com/b-1/a"),
        ("https://b-1.s3-eu-west-1.amazonaws.com/a", "https://s3.amazonaws.com/b-1/a"),
        ("https://s3.eu-west-1.amazonaws.com/b/a", "https://s3.eu-west-1.amazonaws.com/b/a"),
        ("http://127.0.0.1:4566/b/a", "http://127.0.0.1:4566/b/a"),
    ],
)
def test_addresses_are_read_in_both_styles(url: str, read: str) -> None:
    assert stacks.path_style(url) == read


@pytest.fixture
def parent(pipelines: Pipelines) -> dict[str, Any]:
    """A stack whose nested template changes behind the same address."""
    publish(pipelines, log_group({"Ref": "Name"}))
    url = f"https://{BUCKET}.s3.amazonaws.com/child.yml"
    template = {
        "Resources": {"Child": nested(url, Name="/one")},
        "Outputs": {"Log": {"Value": {"Fn::GetAtt": ["Child", "Outputs.LogName"]}}},
    }
    assert pipelines.stack("parent", template)["StackStatus"] == "CREATE_COMPLETE"
    return template


def publish(pipelines: Pipelines, log: dict[str, Any], **more: Any) -> None:
    child = {
        "Parameters": {"Name": {"Type": "String"}},
        "Resources": {"Log": log, **more},
        "Outputs": {"LogName": {"Value": {"Ref": "Log"}}},
    }
    pipelines.s3.put_object(Bucket=BUCKET, Key="child.yml", Body=json.dumps(child))


def test_deleting_the_parent_keeps_what_is_to_be_retained(pipelines: Pipelines) -> None:
    kept = {**log_group("/kept"), "DeletionPolicy": "RetainExceptOnCreate"}
    publish(pipelines, log_group({"Ref": "Name"}), Kept=kept)
    child = nested(f"https://{BUCKET}.s3.amazonaws.com/child.yml", Name="/one")
    pipelines.stack("parent", {"Resources": {"Child": child}})
    assert log_names(pipelines) == ["/kept", "/one"]

    pipelines.stacks.delete_stack(StackName="parent")

    wait_for(lambda: log_names(pipelines) == ["/kept"], "the deletion")


def test_a_creation_that_fails_leaves_nothing_behind(pipelines: Pipelines) -> None:
    kept = {**log_group("/kept"), "DeletionPolicy": "RetainExceptOnCreate"}
    same = {**log_group("/one"), "DependsOn": ["Log", "Kept"]}
    publish(pipelines, log_group({"Ref": "Name"}), Kept=kept, Same=same)
    child = nested(f"https://{BUCKET}.s3.amazonaws.com/child.yml", Name="/one")
    stack = pipelines.stack("parent", {"Resources": {"Child": child}})

    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert log_names(pipelines) == []
    events = pipelines.stacks.describe_stack_events(StackName="parent")["StackEvents"]
    (failed,) = [event for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
    causes = pipelines.stacks.describe_stack_events(StackName=failed["PhysicalResourceId"])["StackEvents"]
    assert any("already exists" in event.get("ResourceStatusReason", "") for event in causes)


def test_an_update_takes_the_new_content(pipelines: Pipelines, parent: dict[str, Any]) -> None:
    publish(pipelines, log_group({"Ref": "Name"}), Second=log_group("/two"))

    stack = pipelines.stack("parent", parent)

    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert stack["Outputs"][0]["OutputValue"] == "/one"
    assert log_names(pipelines) == ["/one", "/two"]


def test_an_update_without_any_change_is_no_error(pipelines: Pipelines, parent: dict[str, Any]) -> None:
    for _ in range(2):
        stack = pipelines.stack("parent", parent)
        assert (stack["StackStatus"], stack["Outputs"][0]["OutputValue"]) == ("UPDATE_COMPLETE", "/one")


@pytest.mark.parametrize("retention", [1, 7], ids=["unchanged", "changed"])
def test_attributes_outlive_an_update(pipelines: Pipelines, retention: int) -> None:
    """A resource that is unchanged, or updated in place, is asked for an attribute by another."""

    def deploy(days: int) -> dict[str, Any]:
        log = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": days}}
        queue = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": days}}
        names = {"Fn::Join": ["|", [{"Fn::GetAtt": ["Log", "Arn"]}, {"Fn::GetAtt": ["Queue", "Arn"]}]]}
        told = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": names}}
        publish(pipelines, log, Queue=queue, Told=told)
        child = nested(f"https://{BUCKET}.s3.amazonaws.com/child.yml", Name="/one")
        return pipelines.stack("parent", {"Resources": {"Child": child}})

    assert deploy(1)["StackStatus"] == "CREATE_COMPLETE"
    ssm = pipelines.aws("ssm")
    (parameter,) = [entry["Name"] for entry in ssm.describe_parameters()["Parameters"]]
    first = ssm.get_parameter(Name=parameter)["Parameter"]["Value"]

    assert deploy(retention)["StackStatus"] == "UPDATE_COMPLETE"
    assert ssm.get_parameter(Name=parameter)["Parameter"]["Value"] == first
    assert first.startswith("arn:aws:logs:")
    assert "|arn:aws:sqs:" in first
    (log,) = pipelines.aws("logs").describe_log_groups()["logGroups"]
    assert log["retentionInDays"] == retention


def test_a_change_set_shows_the_nested_stack(pipelines: Pipelines, parent: dict[str, Any]) -> None:
    pipelines.stacks.create_change_set(
        StackName="parent", ChangeSetName="look", TemplateBody=json.dumps(parent)
    )
    found = pipelines.stacks.describe_change_set(StackName="parent", ChangeSetName="look")

    assert found["Status"] == "CREATE_COMPLETE"
    (change,) = [change["ResourceChange"] for change in found["Changes"]]
    assert (change["Action"], change["LogicalResourceId"]) == ("Modify", "Child")


def test_a_failure_is_rolled_back_to_the_content_before(pipelines: Pipelines, parent: dict[str, Any]) -> None:
    same = {**log_group("/one"), "DependsOn": "Extra"}
    publish(pipelines, log_group({"Ref": "Name"}), Extra=log_group("/extra"), Same=same)

    stack = pipelines.stack("parent", parent)

    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert log_names(pipelines) == ["/one"]
    events = pipelines.stacks.describe_stack_events(StackName="parent")["StackEvents"]
    failed = next(event for event in events if event["ResourceStatus"] == "UPDATE_FAILED")
    child = failed["PhysicalResourceId"]
    assert failed["ResourceStatusReason"].startswith(f"Embedded stack {child} was not successfully updated")
    assert "failed to create: [Same]" in failed["ResourceStatusReason"]
    causes = pipelines.stacks.describe_stack_events(StackName=child)["StackEvents"]
    (cause,) = [e for e in causes if "already exists" in e.get("ResourceStatusReason", "")]
    assert (cause["LogicalResourceId"], cause["ResourceStatus"]) == ("Same", "CREATE_FAILED")


def test_an_update_tells_of_what_is_new_or_changes_and_of_nothing_else(pipelines: Pipelines) -> None:
    """In a stack and in what is nested in it, their records too."""

    def group(days: int) -> dict[str, Any]:
        return {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": days}}

    def deploy(days: int, **new: Any) -> str:
        publish(pipelines, log_group({"Ref": "Name"}), Changing=group(days), **new)
        child = nested(f"https://{BUCKET}.s3.amazonaws.com/child.yml", Name="/one")
        resources = {"Child": child, "Same": group(1), "Other": group(days), **new}
        return str(pipelines.stack("parent", {"Resources": resources})["StackStatus"])

    def told(stack: str) -> list[tuple[str, str]]:
        events = reversed(pipelines.stacks.describe_stack_events(StackName=stack)["StackEvents"])
        return [(e["LogicalResourceId"], e["ResourceStatus"]) for e in events]

    def both(what: str, name: str) -> list[tuple[str, str]]:
        return [(name, f"{what}_IN_PROGRESS"), (name, f"{what}_COMPLETE")]

    def recorded(stack: str) -> dict[str, str]:
        found = pipelines.stacks.describe_stack_resources(StackName=stack)["StackResources"]
        return {entry["LogicalResourceId"]: entry["ResourceStatus"] for entry in found}

    assert deploy(1) == "CREATE_COMPLETE"
    child = pipelines.stacks.describe_stack_resource(StackName="parent", LogicalResourceId="Child")
    arn = child["StackResourceDetail"]["PhysicalResourceId"]
    name = arn.split("/")[1]
    seen = len(told("parent")), len(told(arn))

    assert deploy(7, Added=group(3)) == "UPDATE_COMPLETE"

    parents, childs = told("parent")[seen[0] :], told(arn)[seen[1] :]
    whole, inner = both("UPDATE", "parent"), both("UPDATE", name)
    changes = [*both("UPDATE", "Child"), *both("UPDATE", "Other"), *both("CREATE", "Added")]
    assert sorted(parents) == sorted([*whole, *changes])
    assert sorted(childs) == sorted([*inner, *both("UPDATE", "Changing"), *both("CREATE", "Added")])
    assert recorded("parent") == {
        "Child": "UPDATE_COMPLETE",
        "Same": "CREATE_COMPLETE",
        "Other": "UPDATE_COMPLETE",
        "Added": "CREATE_COMPLETE",
    }
    assert recorded(arn) == {
        "Log": "CREATE_COMPLETE",
        "Changing": "UPDATE_COMPLETE",
        "Added": "CREATE_COMPLETE",
    }
    seen = len(told("parent")), len(told(arn))

    assert deploy(7) == "UPDATE_COMPLETE"

    gone = both("DELETE", "Added")
    assert sorted(told("parent")[seen[0] :]) == sorted([*whole, *both("UPDATE", "Child"), *gone])
    assert sorted(told(arn)[seen[1] :]) == sorted([*inner, *gone])


@pytest.mark.usefixtures("parent")
def test_the_parents_events_name_the_child_before_it_is_complete(pipelines: Pipelines) -> None:
    events = pipelines.stacks.describe_stack_events(StackName="parent")["StackEvents"]
    begun = {
        event["LogicalResourceId"]: event["PhysicalResourceId"]
        for event in events
        if event.get("ResourceStatusReason") == "Resource creation Initiated"
    }

    assert set(begun) == {"Child"}
    assert begun["Child"].startswith("arn:aws:cloudformation:")
