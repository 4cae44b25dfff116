"""The role that an action has of its own, variables between actions, and what a build knows of its source."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .helpers import EVERYTHING, ROLE, Pipelines, action, approval, commands, make_role, stage

ACCOUNT = "000000000000"
OWN = f"arn:aws:iam::{ACCOUNT}:role/own"
WHO = "aws sts get-caller-identity --query Arn --output text > who.txt"


def own_role(pipelines: Pipelines, principal: dict[str, Any]) -> None:
    """The action's role, which trusts the principal."""
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    iam = pipelines.aws("iam")
    iam.create_role(
        RoleName="own",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    iam.put_role_policy(RoleName="own", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))


def play(pipelines: Pipelines) -> str:
    """Play a pipeline whose Commands action has the role; returns the execution's id."""
    pipelines.upload({"a.txt": "a"})
    pipelines.create("owned", [stage("Do", {**commands("Who", WHO, "cat who.txt"), "RoleArn": OWN})])
    return pipelines.start("owned")


@pytest.mark.parametrize("principal", [ROLE, f"arn:aws:iam::{ACCOUNT}:root"])
def test_an_actions_role_is_assumed_through_the_pipelines(pipelines: Pipelines, principal: str) -> None:
    own_role(pipelines, {"AWS": principal})

    assert pipelines.ended("owned", play(pipelines)) == "Succeeded"

    events = pipelines.aws("logs").filter_log_events(logGroupName="/aws/codepipeline/owned")["events"]
    assert [e["message"] for e in events if ":assumed-role/" in e["message"]] == [
        f"arn:aws:sts::{ACCOUNT}:assumed-role/own/codepipeline"
    ] * 2  # the pipeline's own first execution, and the one that was started


def test_a_role_that_does_not_trust_the_pipelines_is_refused(pipelines: Pipelines) -> None:
    own_role(pipelines, {"Service": "codepipeline.amazonaws.com"})

    execution = play(pipelines)

    assert pipelines.ended("owned", execution) == "Failed"
    message = pipelines.error("owned", execution, "Who")["message"]
    assert message.startswith(
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/any/codepipeline is not authorized to perform: "
        f"sts:AssumeRole on resource: {OWN} because no resource-based policy"
    )


def test_a_pipelines_role_that_may_not_assume_another_is_refused(pipelines: Pipelines) -> None:
    own_role(pipelines, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    denied = {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"}
    pipelines.aws("iam").put_role_policy(
        RoleName="any",
        PolicyName="not",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [denied]}),
    )

    execution = play(pipelines)

    assert pipelines.ended("owned", execution) == "Failed"
    assert "with an explicit deny" in pipelines.error("owned", execution, "Who")["message"]


def test_a_build_of_a_pipeline_sees_the_version_of_its_source(pipelines: Pipelines) -> None:
    spec = """
version: 0.2
env: {exported-variables: [SEEN]}
phases: {build: {commands: ['SEEN="$CODEBUILD_RESOLVED_SOURCE_VERSION"']}}
"""
    pipelines.aws("codebuild").create_project(
        name="seen",
        source={"type": "CODEPIPELINE"},
        artifacts={"type": "CODEPIPELINE"},
        environment={"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=make_role(pipelines.aws, "build"),
    )
    version = pipelines.upload({"buildspec.yml": spec})
    build = action("Build", "Build", "CodeBuild", {"ProjectName": "seen"}, inp="Src", Namespace="Built")
    pipelines.create("seen", [stage("Build", build)])

    execution = pipelines.start("seen")

    assert pipelines.ended("seen", execution) == "Succeeded"
    assert pipelines.actions("seen", execution)["Build"]["output"]["outputVariables"]["SEEN"] == version


@pytest.mark.parametrize("given", ["1", '{"name": "A"}', '[{"name": "A", "value": 1}]', '["A"]'])
def test_variables_of_a_build_action_are_named_strings(pipelines: Pipelines, given: str) -> None:
    pipelines.upload({"a.txt": "a"})
    settings = {"ProjectName": "none", "EnvironmentVariables": given}
    pipelines.create("odd", [stage("Build", action("Build", "Build", "CodeBuild", settings, inp="Src"))])

    execution = pipelines.start("odd")

    assert pipelines.ended("odd", execution) == "Failed"
    assert pipelines.error("odd", execution, "Build")["message"] == (
        "EnvironmentVariables must be a list of objects with a name and a value, both strings."
    )


def told(text: str, **more: Any) -> dict[str, Any]:
    """An approval that says the text."""
    return action("Say", "Approval", "Manual", {"CustomData": text}, **more)


@pytest.mark.parametrize(
    ("stages", "problem"),
    [
        ([stage("Gate", told("#{Nowhere.Value}"))], "no action before it has the namespace Nowhere"),
        ([stage("Gate", told("#{codepipeline.Odd}"))], "nothing gives that variable a value"),
        (
            [
                stage("Do", {**commands("Do", "true"), "OutputVariables": ["A"], "Namespace": "Did"}),
                stage("Gate", told("#{Did.B}")),
            ],
            "The action Say of the stage Gate refers to #{Did.B}, but nothing gives that variable a value.",
        ),
        (
            [
                stage(
                    "Do",
                    {**commands("Do", "true"), "OutputVariables": ["A"], "Namespace": "Did"},
                    told("#{Did.A}"),
                ),
            ],
            "no action before it has the namespace Did",
        ),
        (
            [
                stage("Do", {**commands("Do", "true"), "OutputVariables": ["A"], "Namespace": "Did"}),
                stage("Gate", {**approval(), "Namespace": "Did"}),
            ],
            "Namespaces must be unique across the pipeline definition.",
        ),
        ([stage("Gate", {**approval(), "Namespace": "Src"})], "is an artifact's name"),
    ],
)
def test_a_variable_that_can_have_no_value_is_refused_at_definition(
    pipelines: Pipelines, stages: list[dict[str, Any]], problem: str
) -> None:
    with pytest.raises(ClientError, match=re.escape(problem)) as refused:
        pipelines.define("vars", stages)

    assert refused.value.response["Error"]["Code"] == "InvalidActionDeclarationException"


def test_a_change_set_name_is_taken_and_ignored(pipelines: Pipelines) -> None:
    topic = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    pipelines.upload({"t.json": json.dumps(topic)})
    configuration = {
        "ActionMode": "CREATE_UPDATE",
        "StackName": "made",
        "ChangeSetName": "ignored",
        "TemplatePath": "Src::t.json",
        "RoleArn": ROLE,
    }
    pipelines.create(
        "named", [stage("Deploy", action("S", "Deploy", "CloudFormation", configuration, inp="Src"))]
    )

    assert pipelines.ended("named", pipelines.start("named")) == "Succeeded"
    assert pipelines.stacks.list_change_sets(StackName="made")["Summaries"] == []
