"""CodePipeline's definitions, and the shapes of what its API takes and answers."""

from __future__ import annotations

import json
import re
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from sink_sandbox.client import lifecycle
from tests.clients import ask, root_of

from .helpers import BUCKET, ROLE, Pipelines, action, approval, commands, stage, wait_for
from .test_waiting import open_token


def test_a_pipeline_of_a_stack_is_there_as_declared(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Gate", approval())], Tags=[{"Key": "the-sink:app", "Value": "shop"}])

    found = pipelines.api.get_pipeline(name="shop")
    source = found["pipeline"]["stages"][0]["actions"][0]
    assert found["pipeline"]["pipelineType"] == "V2"
    assert found["pipeline"]["executionMode"] == "SUPERSEDED"
    assert source["configuration"] == {"S3Bucket": BUCKET, "S3ObjectKey": "app.zip"}
    assert source["runOrder"] == 1
    assert [entry["name"] for entry in pipelines.api.list_pipelines()["pipelines"]] == ["shop"]
    tags = pipelines.api.list_tags_for_resource(resourceArn=found["metadata"]["pipelineArn"])["tags"]
    assert {"key": "the-sink:app", "value": "shop"} in tags


def test_deleting_the_stack_deletes_the_pipeline(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Gate", approval())])
    pipelines.stacks.delete_stack(StackName="stack-shop")
    wait_for(lambda: not pipelines.api.list_pipelines()["pipelines"], "the deletion")

    for call in (pipelines.api.get_pipeline_state, pipelines.api.get_pipeline):
        with pytest.raises(pipelines.api.exceptions.PipelineNotFoundException):
            call(name="shop")


def build_stage(**settings: Any) -> list[dict[str, Any]]:
    """A Build stage whose action has the settings."""
    given = {"configuration": {"ProjectName": "p"}, "inp": "Src", **settings}
    return [stage("Build", action("A", "Build", "CodeBuild", **given))]


def deploy_stage(provider: str, settings: dict[str, str | None]) -> list[dict[str, Any]]:
    """A Deploy stage of the provider."""
    configuration = {key: value for key, value in settings.items() if value is not None}
    return [stage("Deploy", action("A", "Deploy", provider, configuration, inp="Src"))]


def commands_with_output(name: str) -> dict[str, Any]:
    """A Commands action that puts an artifact out."""
    return {**commands("Make", "true"), "OutputArtifacts": [{"Name": name, "Files": ["a.txt"]}]}


BUILD = {"ProjectName": "p"}
BOTH = [{"Name": "Src"}, {"Name": "Made"}]
STACK_ACTION = {
    "ActionMode": "CREATE_UPDATE",
    "StackName": "s",
    "TemplatePath": "Src::t.yml",
    "RoleArn": ROLE,
}


@pytest.mark.parametrize(
    ("stages", "mode", "problem"),
    [
        (deploy_stage("CodeDeploy", {}), "SUPERSEDED", "is not played by the sandbox"),
        (
            deploy_stage("CloudFormation", {"ActionMode": "DELETE_ONLY", "StackName": "s"}),
            "SUPERSEDED",
            "plays the ActionMode CREATE_UPDATE",
        ),
        (build_stage(), "PARALLEL", "does not play the execution mode PARALLEL"),
        ([stage("Gate", approval(), approval())], "SUPERSEDED", "Action names must be unique"),
        (build_stage(inp="None"), "SUPERSEDED", "input artifact None is not an output"),
        (build_stage(out="Src"), "SUPERSEDED", "output artifact Src is already produced"),
        (build_stage(configuration={}), "SUPERSEDED", "missing required key ProjectName"),
        (build_stage(configuration={"ProjectName": "p", "Odd": "x"}), "SUPERSEDED", "unknown key Odd"),
        ([], "SUPERSEDED", "at least two stages"),
        (
            deploy_stage("CloudFormation", {**STACK_ACTION, "RoleArn": None}),
            "SUPERSEDED",
            "missing required key RoleArn",
        ),
        (
            deploy_stage("CloudFormation", {**STACK_ACTION, "TemplatePath": None}),
            "SUPERSEDED",
            "missing required key TemplatePath",
        ),
        (
            [
                stage(
                    "Make", commands_with_output("Made"), action("B", "Build", "CodeBuild", BUILD, inp="Made")
                )
            ],
            "SUPERSEDED",
            "input artifact Made is not an output of an action before it",
        ),
        (
            [stage("Make", commands_with_output("Made")), *build_stage(InputArtifacts=BOTH)],
            "SUPERSEDED",
            "PrimarySource is required, because it has several input artifacts",
        ),
        (
            build_stage(configuration={**BUILD, "PrimarySource": "Odd"}),
            "SUPERSEDED",
            "PrimarySource Odd is not one of its input artifacts",
        ),
        (
            [stage("On the way", approval())],
            "SUPERSEDED",
            "Value 'On the way' at 'pipeline.stages.2.member.name' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [A-Za-z0-9.@\\-_]+",
        ),
        (
            [stage("Gate", approval("x" * 101))],
            "SUPERSEDED",
            "Member must have length less than or equal to 100",
        ),
        (
            [stage("Do", commands("Do", "if true\nthen true\nfi"))],
            "SUPERSEDED",
            "a command has several lines",
        ),
        (build_stage(out="Made.Here"), "SUPERSEDED", "outputArtifacts.1.member.name' failed to satisfy"),
        (build_stage(Namespace="Made.Here"), "SUPERSEDED", "member.namespace' failed to satisfy constraint"),
    ],
)
def test_a_definition_that_cannot_run_is_refused(
    pipelines: Pipelines, stages: list[dict[str, Any]], mode: str, problem: str
) -> None:
    with pytest.raises(ClientError, match=re.escape(problem)):
        pipelines.define("shop", stages, ExecutionMode=mode)

    assert pipelines.api.list_pipelines()["pipelines"] == []


def test_commands_need_a_pipeline_of_type_v2(pipelines: Pipelines) -> None:
    told = re.escape("Commands needs the pipeline type V2 (stage Do)")
    with pytest.raises(ClientError, match=told):
        pipelines.define("shop", [stage("Do", commands("Do", "true"))], PipelineType="V1")


def raw(sandbox: lifecycle.Sandbox, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Call an operation without boto3, which checks requests itself and forgives answers."""
    headers = {
        "X-Amz-Target": f"CodePipeline_20150709.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
    }
    status, _, body = ask(
        sandbox,
        "POST",
        "/",
        body=json.dumps(request).encode(),
        headers=headers,
        signed_by=root_of(sandbox),
        service="codepipeline",
    )
    return status, json.loads(body)


@pytest.mark.parametrize(
    ("operation", "request_", "problem"),
    [
        ("GetPipelineState", {"nme": "shop"}, 'Missing required parameter in input: "name"'),
        ("StartPipelineExecution", {"name": 3}, "Invalid type for parameter name"),
        ("ListWebhooks", {}, "does not have CodePipeline's operation ListWebhooks"),
    ],
)
def test_a_request_that_does_not_fit_the_model_is_refused(
    sandbox: lifecycle.Sandbox, operation: str, request_: dict[str, Any], problem: str
) -> None:
    status, answer = raw(sandbox, operation, request_)

    assert status == 400
    assert problem in answer["message"]


def test_answers_have_the_shapes_of_the_service_model(
    pipelines: Pipelines, sandbox: lifecycle.Sandbox
) -> None:
    pipelines.create(
        "shop", [stage("Build", commands("Run", "true")), stage("Gate", approval())], ExecutionMode="QUEUED"
    )
    pipelines.upload({"a": ""})
    execution_id = pipelines.start("shop")
    wait_for(lambda: open_token(pipelines, "shop", execution_id), "the approval")
    arn = pipelines.api.get_pipeline(name="shop")["metadata"]["pipelineArn"]
    model = botocore.session.get_session().get_service_model("codepipeline")

    for operation, request in {
        "GetPipeline": {"name": "shop"},
        "ListPipelines": {},
        "GetPipelineState": {"name": "shop"},
        "GetPipelineExecution": {"pipelineName": "shop", "pipelineExecutionId": execution_id},
        "ListPipelineExecutions": {"pipelineName": "shop", "maxResults": 1},
        "ListActionExecutions": {"pipelineName": "shop"},
        "ListTagsForResource": {"resourceArn": arn},
    }.items():
        status, answer = raw(sandbox, operation, request)
        report = ParamValidator().validate(answer, model.operation_model(operation).output_shape)
        assert (status, report.generate_report()) == (200, ""), operation
