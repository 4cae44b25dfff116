"""Values have the types that CloudFormation gives them, whatever the template wrote."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from sink_sandbox.services.cloudformation.patch.property_types import WrongType, typed_properties

from .helpers import ROLE, Pipelines
from .templates import nested

TASK = {
    "Type": "AWS::ECS::TaskDefinition",
    "Properties": {
        "Family": "numbers",
        "Cpu": 256,
        "Memory": 512,
        "NetworkMode": "awsvpc",
        "RequiresCompatibilities": ["FARGATE"],
        "ContainerDefinitions": [
            {
                "Name": "app",
                "Image": "app",
                "Essential": "true",
                "StopTimeout": "20",
                "Environment": [{"Name": "A", "Value": 1}, {"Name": "B", "Value": True}],
                "DockerLabels": {"version": 3},
            }
        ],
    },
}
PROJECT = {
    "Type": "AWS::CodeBuild::Project",
    "Properties": {
        "Name": "numbers",
        "ServiceRole": ROLE,
        "TimeoutInMinutes": "7",
        "Source": {"Type": "NO_SOURCE", "BuildSpec": "version: 0.2\nphases: {build: {commands: [true]}}\n"},
        "Artifacts": {"Type": "NO_ARTIFACTS"},
        "Environment": {
            "Type": "LINUX_CONTAINER",
            "ComputeType": "BUILD_GENERAL1_SMALL",
            "Image": "aws/codebuild/standard:7.0",
            "PrivilegedMode": "true",
            "EnvironmentVariables": [{"Name": "COUNT", "Value": 2}],
        },
    },
}


def test_numbers_of_a_template_are_strings_where_the_type_has_strings(pipelines: Pipelines) -> None:
    stack = pipelines.stack("numbers", {"Resources": {"Task": TASK, "Project": PROJECT}})

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    found = pipelines.aws("ecs").describe_task_definition(taskDefinition="numbers")["taskDefinition"]
    (container,) = found["containerDefinitions"]
    assert (found["cpu"], found["memory"]) == ("256", "512")
    assert container["environment"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "true"}]
    assert container["dockerLabels"] == {"version": "3"}
    assert (container["essential"], container["stopTimeout"]) == (True, 20)
    (project,) = pipelines.aws("codebuild").batch_get_projects(names=["numbers"])["projects"]
    assert project["timeoutInMinutes"] == 7
    assert project["environment"]["privilegedMode"] is True
    assert project["environment"]["environmentVariables"][0]["value"] == "2"


def test_a_number_that_becomes_its_string_changes_nothing(pipelines: Pipelines) -> None:
    pipelines.stack("numbers", {"Resources": {"Task": TASK}})
    before = pipelines.aws("ecs").list_task_definitions()["taskDefinitionArns"]
    quoted = {**TASK, "Properties": {**TASK["Properties"], "Cpu": "256"}}  # type: ignore[dict-item]

    pipelines.stack("numbers", {"Resources": {"Task": quoted, "Project": PROJECT}})

    assert pipelines.aws("ecs").list_task_definitions()["taskDefinitionArns"] == before


def test_the_version_of_an_action_type_may_be_a_number(pipelines: Pipelines) -> None:
    def stage(name: str, category: str, provider: str, **more: Any) -> dict[str, Any]:
        kind = {"Category": category, "Owner": "AWS", "Provider": provider, "Version": 1}
        return {"Name": name, "Actions": [{"Name": name, "ActionTypeId": kind, "RunOrder": "1", **more}]}

    source = {"S3Bucket": "sources", "S3ObjectKey": "app.zip", "PollForSourceChanges": False}
    stages = [
        stage("Source", "Source", "S3", Configuration=source, OutputArtifacts=[{"Name": "Src"}]),
        stage("Wait", "Approval", "Manual"),
    ]
    properties = {
        "Name": "numbered",
        "RoleArn": ROLE,
        "ArtifactStore": {"Type": "S3", "Location": "artifacts"},
        "Stages": stages,
    }
    stack = pipelines.stack(
        "numbered",
        {"Resources": {"Pipeline": {"Type": "AWS::CodePipeline::Pipeline", "Properties": properties}}},
    )

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    found = pipelines.api.get_pipeline(name="numbered")["pipeline"]["stages"]
    assert [stage["actions"][0]["actionTypeId"]["version"] for stage in found] == ["1", "1"]
    assert found[0]["actions"][0]["configuration"]["PollForSourceChanges"] == "false"


def test_what_is_not_a_number_is_refused_in_the_words_of_the_registry(pipelines: Pipelines) -> None:
    """Where the template does not show it: values with NoEcho are left to the service."""
    hidden = {"Type": "String", "NoEcho": True, "Default": "soon"}
    queue = {
        "Type": "AWS::SQS::Queue",
        "Properties": {"QueueName": "q", "VisibilityTimeout": {"Ref": "Hidden"}},
    }

    stack = pipelines.stack("wordy", {"Parameters": {"Hidden": hidden}, "Resources": {"Queue": queue}})

    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    reason = (
        "Properties validation failed for resource Queue with message:\n"
        "#/VisibilityTimeout: expected type: Integer, found: String"
    )
    events = pipelines.stacks.describe_stack_events(StackName="wordy")["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
    assert [event["ResourceStatusReason"] for event in failed] == [reason]


def test_a_nested_stack_has_the_types_too(pipelines: Pipelines) -> None:
    pipelines.s3.put_object(
        Bucket="sources",
        Key="child.json",
        Body=b'{"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": '
        b'{"QueueName": 7, "VisibilityTimeout": "9"}}}}',
    )

    pipelines.stack("outer", {"Resources": {"Child": nested("https://sources.s3.amazonaws.com/child.json")}})

    sqs = pipelines.aws("sqs")
    url = sqs.get_queue_url(QueueName="7")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert attributes == {"VisibilityTimeout": "9"}


@pytest.mark.parametrize(
    ("kind", "given", "typed"),
    [
        ("AWS::SNS::Topic", {"TopicName": 1.5}, {"TopicName": "1.5"}),
        ("AWS::EC2::VPC", {"EnableDnsSupport": "True"}, {"EnableDnsSupport": True}),
        ("AWS::CloudWatch::Alarm", {"Threshold": "0.5", "Period": "60"}, {"Threshold": 0.5, "Period": 60}),
        ("AWS::Lambda::Function", {"Environment": {"Variables": {"DEBUG": False}}}, None),
        ("AWS::SSM::Parameter", {"Value": datetime.date(2026, 12, 1)}, {"Value": "2026-12-01"}),
        ("Custom::Anything", {"Count": 1}, {"Count": 1}),
    ],
)
def test_each_type_of_value_is_read(kind: str, given: dict[str, Any], typed: dict[str, Any] | None) -> None:
    found = typed_properties(kind, given, "eu-west-1", "Thing")

    wanted = typed or {"Environment": {"Variables": {"DEBUG": "false"}}}
    assert found == {**given, **wanted}
    assert [type(found[key]) for key in wanted] == [type(value) for value in wanted.values()]


def test_every_wrong_property_is_named() -> None:
    tags = [{"Key": "a", "Value": "b"}]

    with pytest.raises(WrongType) as refused:
        typed_properties(
            "AWS::EC2::VPC",
            {"EnableDnsSupport": "maybe", "Tags": [*tags, "c"], "CidrBlock": ["10.0.0.0/16"]},
            "eu-west-1",
            "Net",
        )

    assert str(refused.value).splitlines()[1:] == [
        "#/EnableDnsSupport: expected type: Boolean, found: String",
        "#/Tags/1: expected type: JSONObject, found: String",
        "#/CidrBlock: expected type: String, found: JSONArray",
    ]
