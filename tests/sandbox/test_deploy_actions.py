"""The Deploy actions of a pipeline take from the archive what they deploy, or say what does not fit."""

from __future__ import annotations

import json
from typing import Any

from .helpers import ROLE, Pipelines, action, archive, stage
from .shop import Shop


def test_the_pipelines_stack_action_takes_its_settings_from_the_archive(pipelines: Pipelines) -> None:
    body = {
        "Parameters": {"Name": {"Type": "String"}},
        "Resources": {
            "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": {"Ref": "Name"}}}
        },
        "Outputs": {"LogName": {"Value": {"Ref": "Log"}}},
    }
    configuration = {
        "ActionMode": "CREATE_UPDATE",
        "StackName": "made",
        "TemplatePath": "Src::aws/template.yml",
        "TemplateConfiguration": "Src::aws/stage.json",
        "Capabilities": "CAPABILITY_IAM,CAPABILITY_NAMED_IAM",
        "RoleArn": ROLE,
    }
    deploy = action("Stack", "Deploy", "CloudFormation", configuration, inp="Src", Namespace="Stack")
    pipelines.create("shop", [stage("Deploy", deploy)])

    def run(settings: dict[str, Any], template_body: dict[str, Any] = body) -> str:
        pipelines.upload(
            {"aws/template.yml": json.dumps(template_body), "aws/stage.json": json.dumps(settings)}
        )
        execution_id = pipelines.start("shop")
        pipelines.ended("shop", execution_id)
        return execution_id

    good = {"Parameters": {"Name": "/made"}, "Tags": {"Owner": "me"}}
    first = run(good)
    result = pipelines.actions("shop", first)["Stack"]["output"]
    stack = pipelines.settled("made") or {}
    assert (stack["StackStatus"], stack["Tags"]) == ("CREATE_COMPLETE", [{"Key": "Owner", "Value": "me"}])
    assert result["executionResult"]["externalExecutionId"] == stack["StackId"]
    assert result["outputVariables"] == {"LogName": "/made"}
    again = run(good)
    assert (
        pipelines.actions("shop", again)["Stack"]["status"] == "Succeeded"
    )  # nothing to update is no failure

    for settings, problem in (
        ({"Parameters": {"Name": 1}}, "Parameters Name must be a string"),
        ({"Parameters": {"Name": "a"}, "Outputs": {}}, "unknown key Outputs"),
        ({"Parameters": {"Name": "a", "Odd": "b"}}, "Parameters: [Odd] do not exist in the template"),
    ):
        assert problem in pipelines.error("shop", run(settings), "Stack")["message"]
    pipelines.aws("logs").create_log_group(logGroupName="/taken")
    taken = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/taken"}}
    broken = {**body, "Resources": {**body["Resources"], "Same": taken}}
    message = pipelines.error("shop", run(good, broken), "Stack")["message"]
    assert "Stack made is UPDATE_ROLLBACK_COMPLETE. Same: " in message


def test_an_image_file_that_does_not_fit_is_refused(shop: Shop) -> None:
    shop.push("live")
    shop.deploy()
    execution_id = shop.release("live")
    assert shop.pipelines.ended("ship", execution_id) == "Succeeded"

    for content, problem in (
        ('[{"name": "other", "imageUri": "x"}]', "container other does not exist"),
        ("{}", "must be a non-empty array"),
        ("[", "not valid JSON"),
    ):
        shop.pipelines.s3.put_object(
            Bucket="sources", Key="app.zip", Body=archive({"imagedefinitions.json": content})
        )
        execution_id = shop.pipelines.start("ship")
        assert shop.pipelines.ended("ship", execution_id) == "Failed"
        assert problem in shop.pipelines.error("ship", execution_id, "Go")["message"]
