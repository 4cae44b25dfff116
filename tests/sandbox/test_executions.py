"""Executions of a pipeline: what starts one, what it carries, how it fails, is retried and is stopped."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .helpers import ARTIFACTS, BUCKET, ROLE, Pipelines, action, approval, commands, stage, wait_for


def test_a_new_pipeline_starts_itself_and_fails_without_an_archive(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Gate", approval())])

    (first,) = pipelines.api.list_pipeline_executions(pipelineName="shop")["pipelineExecutionSummaries"]
    assert (first["status"], first["trigger"]["triggerType"]) == ("Failed", "CreatePipeline")
    assert pipelines.error("shop", first["pipelineExecutionId"], "Source") == {
        "code": "RevisionUnavailable",
        "message": f"The object with key app.zip does not exist in the bucket {BUCKET}.",
    }


def test_an_execution_carries_exactly_the_version_it_was_started_with(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Build", commands("Read", "cat which.txt"))])
    older = pipelines.upload({"which.txt": "older"})
    pipelines.upload({"which.txt": "newer"})

    execution_id = pipelines.start(
        "shop",
        sourceRevisions=[
            {"actionName": "Source", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": older}
        ],
    )

    assert pipelines.ended("shop", execution_id) == "Succeeded"
    actions = pipelines.actions("shop", execution_id)
    assert actions["Source"]["output"]["outputVariables"]["VersionId"] == older
    (revision,) = pipelines.execution("shop", execution_id)["artifactRevisions"]
    assert (revision["revisionId"], revision["revisionSummary"]) == (older, "abc1234 Say hello")
    (location,) = [entry["s3location"] for entry in actions["Read"]["input"]["inputArtifacts"]]
    assert location["bucket"] == ARTIFACTS
    assert location["key"].startswith("shop/Src/")
    stream = actions["Read"]["output"]["executionResult"]["externalExecutionId"].rpartition(":")[2]
    events = pipelines.aws("logs").get_log_events(
        logGroupName="/aws/codepipeline/shop", logStreamName=f"Read/{stream}"
    )["events"]
    assert "older" in [event["message"] for event in events]


def test_the_same_request_token_is_the_same_execution(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Build", commands("Run", "true"))])
    pipelines.upload({"a": ""})

    first = pipelines.start("shop", clientRequestToken="once-only")

    assert pipelines.start("shop", clientRequestToken="once-only") == first
    assert pipelines.start("shop") != first


def test_a_rule_starts_the_pipeline_with_each_version_that_was_uploaded(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Build", commands("Run", "true"))], ExecutionMode="QUEUED")
    pipelines.s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    events = pipelines.aws("events")
    events.put_rule(
        Name="follow",
        EventPattern=json.dumps(
            {
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {"bucket": {"name": [BUCKET]}, "object": {"key": ["app.zip"]}},
            }
        ),
    )
    revisions = (
        '{"sourceRevisions": [{"actionName": "Source", "revisionType": "S3_OBJECT_VERSION_ID", '
        '"revisionValue": "<rev>"}]}'
    )
    events.put_targets(
        Rule="follow",
        Targets=[
            {
                "Id": "pipeline",
                "Arn": "arn:aws:codepipeline:eu-west-1:000000000000:shop",
                "RoleArn": ROLE,
                "InputTransformer": {
                    "InputPathsMap": {"rev": "$.detail.object.version-id"},
                    "InputTemplate": revisions,
                },
            }
        ],
    )
    pipelines.upload({"a": ""}, key="other.zip")
    versions = [pipelines.upload({"a": text}) for text in ("one", "two", "three")]

    def started() -> list[dict[str, Any]]:
        found = pipelines.api.list_pipeline_executions(pipelineName="shop")["pipelineExecutionSummaries"]
        return [entry for entry in found if entry["trigger"]["triggerType"] == "CloudWatchEvent"]

    wait_for(lambda: len(started()) == 3, "the executions")
    for execution in started():
        assert pipelines.ended("shop", execution["pipelineExecutionId"]) == "Succeeded"
        assert execution["trigger"]["triggerDetail"].endswith(":rule/follow")
    revisions_seen = {entry["sourceRevisions"][0]["revisionId"] for entry in started()}
    assert revisions_seen == set(versions)


def test_a_rule_hears_of_executions_that_fail_and_a_topic_of_approvals(pipelines: Pipelines) -> None:
    sqs, sns, events = (pipelines.aws(service) for service in ("sqs", "sns", "events"))
    queue = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="approvals")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    told = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**told, "Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    pattern = {
        "source": ["aws.codepipeline"],
        "detail-type": ["CodePipeline Pipeline Execution State Change"],
        "detail": {"pipeline": ["shop"], "state": ["FAILED"]},
    }
    events.put_rule(Name="failures", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="failures", Targets=[{"Id": "queue", "Arn": arn}])

    def heard(text: str) -> bool:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return any(text in message["Body"] for message in found)

    gate = action("Approve", "Approval", "Manual", {"NotificationArn": topic})
    pipelines.create("shop", [stage("Gate", gate)])  # its own first execution fails
    wait_for(lambda: heard('"state": "FAILED"'), "the failure")
    pipelines.upload({"a": ""})
    pipelines.start("shop")
    wait_for(lambda: heard("APPROVAL NEEDED: shop, action Approve"), "the approval")


def test_a_failed_action_fails_stage_and_execution_and_says_why(pipelines: Pipelines) -> None:
    pipelines.create(
        "shop",
        [
            stage("Build", commands("Break", "echo so far", "exit 3"), commands("After", "true", order=2)),
            stage("Later", commands("Never", "true")),
        ],
    )
    pipelines.upload({"a": ""})
    execution_id = pipelines.start("shop")

    assert pipelines.ended("shop", execution_id) == "Failed"
    assert set(pipelines.actions("shop", execution_id)) == {"Source", "Break"}
    assert pipelines.error("shop", execution_id, "Break") == {
        "code": "JobFailed",
        "message": "BUILD: Error while executing command: exit 3. Reason: exit status 3",
    }
    state = {
        found["stageName"]: found for found in pipelines.api.get_pipeline_state(name="shop")["stageStates"]
    }
    assert state["Build"]["latestExecution"]["status"] == "Failed"
    assert "latestExecution" not in state["Later"]


def test_a_failed_stage_can_be_retried(pipelines: Pipelines) -> None:
    pipelines.create(
        "shop",
        [
            stage(
                "Build",
                commands("First", "true"),
                commands("Second", "aws s3api head-bucket --bucket later", order=2),
            )
        ],
    )
    pipelines.upload({"a": ""})
    execution_id = pipelines.start("shop")
    assert pipelines.ended("shop", execution_id) == "Failed"

    pipelines.s3.create_bucket(Bucket="later", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    request = {"pipelineName": "shop", "stageName": "Build", "pipelineExecutionId": execution_id}
    pipelines.api.retry_stage_execution(**request, retryMode="FAILED_ACTIONS")

    assert pipelines.ended("shop", execution_id) == "Succeeded"
    runs = pipelines.api.list_action_executions(
        pipelineName="shop", filter={"pipelineExecutionId": execution_id}
    )["actionExecutionDetails"]
    assert [run["actionName"] for run in reversed(runs)] == ["Source", "First", "Second", "Second"]
    with pytest.raises(ClientError, match="StageNotRetryableException"):
        pipelines.api.retry_stage_execution(**request, retryMode="FAILED_ACTIONS")


def test_stopping_lets_the_action_finish_and_abandoning_does_not(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Build", commands("Slow", "sleep 1"), commands("Next", "true", order=2))])
    pipelines.upload({"a": ""})

    def begin() -> str:
        execution_id = pipelines.start("shop")
        wait_for(lambda: "Slow" in pipelines.actions("shop", execution_id), "the slow action")
        return execution_id

    gentle = begin()
    stop = {"pipelineName": "shop", "reason": "enough"}
    pipelines.api.stop_pipeline_execution(**stop, pipelineExecutionId=gentle)
    assert pipelines.ended("shop", gentle) == "Stopped"
    assert pipelines.actions("shop", gentle)["Slow"]["status"] == "Succeeded"
    assert "Next" not in pipelines.actions("shop", gentle)

    harsh = begin()
    pipelines.api.stop_pipeline_execution(**stop, pipelineExecutionId=harsh, abandon=True)
    assert pipelines.ended("shop", harsh) == "Stopped"
    assert pipelines.actions("shop", harsh)["Slow"]["status"] == "Abandoned"
    with pytest.raises(ClientError, match="PipelineExecutionNotStoppableException"):
        pipelines.api.stop_pipeline_execution(**stop, pipelineExecutionId=harsh)
