"""The conditions of a template, worked out as CloudFormation does."""

from __future__ import annotations

import pytest

from sink_host.templates.conditions import holds, resolve

TEMPLATE = {
    "Conditions": {
        "IsProd": {"Fn::Equals": [{"Ref": "Env"}, "prod"]},
        "HasTasks": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Count"}, 0]}]},
        "HasBoth": {"Fn::And": [{"Condition": "IsProd"}, {"Condition": "HasTasks"}]},
        "HasEither": {"Fn::Or": [{"Condition": "IsProd"}, {"Condition": "HasTasks"}]},
        "HasSubnets": {"Fn::Not": [{"Fn::Equals": [{"Fn::Join": [",", {"Ref": "Subnets"}]}, ""]}]},
        "IsStrange": {"Fn::Select": [0, ["a"]]},
        "IsCut": {"Fn::Equals": [{"Fn::Split": [",", "a"]}, "a"]},
    }
}


@pytest.mark.parametrize(
    ("condition", "parameters", "expected"),
    [
        ("IsProd", {"Env": "prod"}, True),
        ("IsProd", {"Env": "stage"}, False),
        ("HasTasks", {"Count": "0"}, False),
        ("HasTasks", {"Count": "1"}, True),
        ("HasBoth", {"Env": "prod", "Count": "0"}, False),
        ("HasBoth", {"Env": "prod", "Count": "1"}, True),
        ("HasEither", {"Env": "stage", "Count": "1"}, True),
        ("HasEither", {"Env": "stage", "Count": "0"}, False),
        ("HasSubnets", {"Subnets": []}, False),
        ("HasSubnets", {"Subnets": ["subnet-1", "subnet-2"]}, True),
    ],
)
def test_a_condition_holds_or_not(condition, parameters, expected):
    assert holds(condition, TEMPLATE, parameters) is expected


@pytest.mark.parametrize("condition", ["IsStrange", "IsCut"])
def test_what_is_no_condition_is_refused(condition):
    with pytest.raises(ValueError, match="is no"):
        holds(condition, TEMPLATE, {})


def test_choices_and_parameters_are_worked_out_and_the_rest_stays():
    value = {
        "Name": {"Ref": "Env"},
        "Cluster": {"Ref": "Cluster"},
        "Alarms": {"Fn::If": ["IsProd", ["a"], {"Ref": "AWS::NoValue"}]},
        "Volumes": ["shared", {"Fn::If": ["IsProd", "tmp", {"Ref": "AWS::NoValue"}]}],
        "Arn": {"Fn::GetAtt": "Cluster.Arn"},
        "Count": 3,
    }

    assert resolve(value, TEMPLATE, {"Env": "stage"}) == {
        "Name": "stage",
        "Cluster": {"Ref": "Cluster"},
        "Volumes": ["shared"],
        "Arn": {"Fn::GetAtt": "Cluster.Arn"},
        "Count": 3,
    }
    assert resolve(value, TEMPLATE, {"Env": "prod"})["Volumes"] == ["shared", "tmp"]
