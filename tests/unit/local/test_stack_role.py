"""``validate`` says which resources of an app's template the role of its stack may not make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from the_sink.checks.stack_role import check_resources

HINT = (
    "Name a managed policy that allows it in additional_policies of sink.toml "
    "(docs/how-to/add-a-resource.md), and run invoke bootstrap --env stage."
)
NAMED = 'additional_policies = ["arn:aws:iam::123456789012:policy/jobs"]\n'


def add(app: Path, **resources: Any) -> None:
    """Write the app's template with these resources, beside what it declares."""
    conditions = {
        "IsStage": {"Fn::Equals": [{"Ref": "AppEnv"}, "stage"]},
        "IsProd": {"Fn::Equals": [{"Ref": "AppEnv"}, "prod"]},
        "IsSomewhere": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]},
    }
    parameters = {"AppEnv": {"Type": "String", "Default": "stage"}}
    template = {"Parameters": parameters, "Conditions": conditions, "Resources": resources}
    (app / "aws" / "cfn-template.yml").write_text(json.dumps(template))


def found(app: Path) -> list[str]:
    return [problem.message for problem in check_resources(app)]


def test_a_resource_that_the_role_may_not_make_is_an_error_with_its_next_step(app: Path) -> None:
    add(app, Jobs={"Type": "AWS::SQS::Queue"}, Log={"Type": "AWS::Logs::LogGroup"})

    (problem,) = check_resources(app)

    assert str(problem) == (
        "aws/cfn-template.yml: Jobs (AWS::SQS::Queue) cannot be made in stage: "
        "StackRole lacks sqs:CreateQueue."
    )
    assert problem.hint == HINT
    assert not problem.is_warning


def test_where_a_policy_is_named_nobody_here_knows_what_it_allows(app: Path) -> None:
    add(app, Jobs={"Type": "AWS::SQS::Queue"})
    settings = (app / "sink.toml").read_text()
    (app / "sink.toml").write_text(settings + NAMED + '[environments.uat]\nregion = "eu-central-1"\n')

    assert found(app) == ["Jobs (AWS::SQS::Queue) cannot be made in uat: StackRole lacks sqs:CreateQueue."]


def test_environments_share_a_line(app: Path) -> None:
    add(app, Jobs={"Type": "AWS::SQS::Queue"})
    with (app / "sink.toml").open("a") as settings:
        settings.write('[environments.uat]\nregion = "eu-west-1"\n')

    assert found(app) == [
        "Jobs (AWS::SQS::Queue) cannot be made in stage, uat: StackRole lacks sqs:CreateQueue."
    ]


@pytest.mark.parametrize(("condition", "is_told"), [("IsStage", True), ("IsProd", False)])
def test_what_a_condition_leaves_out_is_not_made(app: Path, condition: str, is_told: bool) -> None:
    add(app, Jobs={"Type": "AWS::SQS::Queue", "Condition": condition})

    assert bool(found(app)) == is_told


@pytest.mark.parametrize(
    "resource",
    [
        {"Type": "AWS::SQS::Queue", "Condition": "IsSomewhere"},
        {"Type": "AWS::SQS::Queue", "Condition": "None"},
        {"Type": "AWS::SQS::Queue", "Condition": ["odd"]},
        {"Type": "AWS::CodeBuild::Project"},
        {"Type": "Custom::Thing"},
        {"Type": ["AWS::SQS::Queue"]},
        {},
        "text",
    ],
    ids=str,
)
def test_what_is_not_certain_is_left_to_the_deploy(app: Path, resource: Any) -> None:
    add(app, Odd=resource)

    assert found(app) == []


@pytest.mark.parametrize("name", ["sink.toml", "aws/cfn-template.yml"])
def test_a_file_that_cannot_be_read_is_said_by_others(app: Path, name: str) -> None:
    add(app, Jobs={"Type": "AWS::SQS::Queue"})
    (app / name).write_text("{")

    assert found(app) == []


def test_without_its_configuration_file_an_environment_has_the_rest_checked(app: Path) -> None:
    add(app, Jobs={"Type": "AWS::SQS::Queue"}, Other={"Type": "AWS::SNS::Topic", "Condition": "IsStage"})
    (app / "aws" / "cfn-template-configuration-stage.json").unlink()

    assert found(app) == ["Jobs (AWS::SQS::Queue) cannot be made in stage: StackRole lacks sqs:CreateQueue."]
