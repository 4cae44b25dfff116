"""A template's conditions tell what they do on AWS, and a change set sees one of them flip."""

from __future__ import annotations

import pytest

from .helpers import Pipelines
from .templates import LOG, log_group, log_names


@pytest.mark.parametrize(("given", "logs"), [("", []), ("a", ["/joined"]), ("a,b", ["/joined"])])
def test_a_condition_tells_an_empty_list(given: str, logs: list[str], pipelines: Pipelines) -> None:
    joined = {"Fn::Join": [",", {"Ref": "Names"}]}
    template = {
        "Parameters": {"Names": {"Type": "CommaDelimitedList", "Default": given}},
        "Conditions": {"HasNames": {"Fn::Not": [{"Fn::Equals": [joined, ""]}]}},
        "Resources": {
            "Log": {**log_group("/joined"), "Condition": "HasNames"},
            "Always": log_group("/always"),
        },
    }

    pipelines.stack("joined", template)

    assert log_names(pipelines) == ["/always", *logs]


def test_a_change_set_sees_a_condition_flip(pipelines: Pipelines) -> None:
    template = {
        "Parameters": {"Extra": {"Type": "String", "Default": "no"}},
        "Conditions": {"HasExtra": {"Fn::Equals": [{"Ref": "Extra"}, "yes"]}},
        "Resources": {"Log": LOG, "Second": {**log_group("/two"), "Condition": "HasExtra"}},
    }
    pipelines.stack("flips", template)
    pipelines.stacks.create_change_set(
        StackName="flips",
        ChangeSetName="flip",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Extra", "ParameterValue": "yes"}],
    )
    found = pipelines.stacks.describe_change_set(StackName="flips", ChangeSetName="flip")

    assert found["Status"] == "CREATE_COMPLETE"
    changes = [
        (c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"]) for c in found["Changes"]
    ]
    assert changes == [("Add", "Second")]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [("", "arn:one", {"Arn": "arn:one"}), ("arn:one", "arn:two", {"Arn": "arn:two"}), ("arn:one", "", {})],
)
def test_a_change_set_sees_outputs_change(
    before: str, after: str, said: dict[str, str], pipelines: Pipelines
) -> None:
    """Without a change of any resource: it is executed, and has none to show."""
    template = {
        "Parameters": {"Arn": {"Type": "String", "Default": before}},
        "Conditions": {"HasArn": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Arn"}, ""]}]}},
        "Resources": {"Log": LOG},
        "Outputs": {"Arn": {"Condition": "HasArn", "Value": {"Fn::Sub": "${Arn}"}}},
    }
    pipelines.stack("said", template)
    arguments = {
        "StackName": "said",
        "UsePreviousTemplate": True,
        "Parameters": [{"ParameterKey": "Arn", "ParameterValue": after}],
    }

    pipelines.stacks.create_change_set(ChangeSetName="change", **arguments)
    described = pipelines.stacks.describe_change_set(StackName="said", ChangeSetName="change")
    assert (described["Status"], described["Changes"]) == ("CREATE_COMPLETE", [])
    pipelines.stacks.execute_change_set(StackName="said", ChangeSetName="change")
    pipelines.stacks.get_waiter("stack_update_complete").wait(
        StackName="said", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )

    (stack,) = pipelines.stacks.describe_stacks(StackName="said")["Stacks"]
    assert {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])} == said
    pipelines.stacks.create_change_set(ChangeSetName="again", **arguments)
    again = pipelines.stacks.describe_change_set(StackName="said", ChangeSetName="again")
    assert again["Status"] == "FAILED"
