"""CodePipeline through its API: definitions, executions, modes, approvals, transitions, stop and retry."""

from __future__ import annotations

import http.client
import json
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from the_sink.sandbox import lifecycle

from .helpers import ARTIFACTS, BUCKET, ROLE, Pipelines, action, approval, commands, stage, wait_for


def pass_gate(pipelines: Pipelines, name: str, execution_id: str, *, approve: bool = True) -> None:
    """Answer the open approval of an execution."""
    token = wait_for(lambda: open_token(pipelines, name, execution_id), "the approval")
    pipelines.api.put_approval_result(
        pipelineName=name,
        stageName="Gate",
        actionName="Approve",
        result={"summary": "looks good", "status": "Approved" if approve else "Rejected"},
        token=token,
    )


def open_token(pipelines: Pipelines, name: str, execution_id: str) -> str | None:
    for found in pipelines.api.get_pipeline_state(name=name)["stageStates"]:
        latest = found.get("latestExecution", {})
        if found["stageName"] == "Gate" and latest.get("pipelineExecutionId") == execution_id:
            return found["actionStates"][0].get("latestExecution", {}).get("token")
    return None


def inbound(pipelines: Pipelines, name: str, stage_name: str) -> list[str]:
    for found in pipelines.api.get_pipeline_state(name=name)["stageStates"]:
        if found["stageName"] == stage_name:
            return [entry["pipelineExecutionId"] for entry in found.get("inboundExecutions", [])]
    raise AssertionError(stage_name)


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


def test_an_approval_holds_the_execution_until_it_is_answered(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Gate", approval()), stage("Build", commands("Run", "true"))])
    pipelines.upload({"a": ""})
    approved, rejected = pipelines.start("shop"), ""
    pass_gate(pipelines, "shop", approved)
    assert pipelines.ended("shop", approved) == "Succeeded"

    rejected = pipelines.start("shop")
    pass_gate(pipelines, "shop", rejected, approve=False)
    assert pipelines.ended("shop", rejected) == "Failed"

    result = pipelines.actions("shop", approved)["Approve"]["output"]["executionResult"]
    assert result["externalExecutionSummary"] == "looks good"
    assert "rejected: looks good" in pipelines.error("shop", rejected, "Approve")["message"]
    with pytest.raises(ClientError, match="InvalidApprovalTokenException"):
        pipelines.api.put_approval_result(
            pipelineName="shop",
            stageName="Gate",
            actionName="Approve",
            result={"summary": "", "status": "Approved"},
            token="00000000-0000-0000-0000-000000000000",
        )


def test_superseded_mode_lets_the_newest_take_the_place_of_who_waits(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Gate", approval())])
    pipelines.upload({"a": ""})
    first = pipelines.start("shop")
    wait_for(lambda: open_token(pipelines, "shop", first), "the first approval")
    second = pipelines.start("shop")
    wait_for(lambda: inbound(pipelines, "shop", "Gate") == [second], "the second to wait")
    third = pipelines.start("shop")

    assert pipelines.ended("shop", second) == "Superseded"
    wait_for(lambda: inbound(pipelines, "shop", "Gate") == [third], "the third to wait")
    pass_gate(pipelines, "shop", first)
    pass_gate(pipelines, "shop", third)
    assert [pipelines.ended("shop", which) for which in (first, third)] == ["Succeeded", "Succeeded"]


def test_queued_mode_keeps_the_order_and_supersedes_nobody(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Gate", approval())], ExecutionMode="QUEUED")
    pipelines.upload({"a": ""})
    first = pipelines.start("shop")
    wait_for(lambda: open_token(pipelines, "shop", first), "the first approval")
    second = pipelines.start("shop")
    wait_for(lambda: inbound(pipelines, "shop", "Gate") == [second], "the second to wait")
    third = pipelines.start("shop")
    wait_for(lambda: inbound(pipelines, "shop", "Gate") == [second, third], "the third to wait")

    for which in (first, second, third):
        pass_gate(pipelines, "shop", which)
        assert pipelines.ended("shop", which) == "Succeeded"


def test_a_closed_transition_holds_executions_and_says_why(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Build", commands("Run", "true"))])
    pipelines.upload({"a": ""})
    which = {"pipelineName": "shop", "stageName": "Build", "transitionType": "Inbound"}
    pipelines.api.disable_stage_transition(**which, reason="a freeze")
    execution_id = pipelines.start("shop")
    wait_for(lambda: inbound(pipelines, "shop", "Build") == [execution_id], "the execution to wait")

    state = pipelines.api.get_pipeline_state(name="shop")["stageStates"][1]["inboundTransitionState"]
    assert (state["enabled"], state["disabledReason"]) == (False, "a freeze")
    pipelines.api.enable_stage_transition(**which)
    assert pipelines.ended("shop", execution_id) == "Succeeded"


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


def test_changing_the_definition_cancels_what_runs(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Gate", approval())])
    pipelines.upload({"a": ""})
    execution_id = pipelines.start("shop")
    wait_for(lambda: open_token(pipelines, "shop", execution_id), "the approval")

    pipelines.create("shop", [stage("Gate", approval()), stage("Build", commands("Run", "true"))])

    assert pipelines.ended("shop", execution_id) == "Cancelled"
    assert pipelines.api.get_pipeline(name="shop")["pipeline"]["version"] == 2
    assert len(pipelines.api.list_pipeline_executions(pipelineName="shop")["pipelineExecutionSummaries"]) == 2


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


def deploy_stage(provider: str, configuration: dict[str, str]) -> list[dict[str, Any]]:
    """A Deploy stage of the provider."""
    return [stage("Deploy", action("A", "Deploy", provider, configuration, inp="Src"))]


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
    ],
)
def test_a_definition_that_cannot_run_fails_its_stack(
    pipelines: Pipelines, stages: list[dict[str, Any]], mode: str, problem: str
) -> None:
    with pytest.raises(pipelines.api.exceptions.PipelineNotFoundException):
        pipelines.create("shop", stages, ExecutionMode=mode)

    stack = pipelines.settled("stack-shop") or {}
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    events = pipelines.stacks.describe_stack_events(StackName="stack-shop")["StackEvents"]
    assert [event for event in events if problem in event.get("ResourceStatusReason", "")]


def raw(sandbox: lifecycle.Sandbox, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Call an operation without boto3, which checks requests itself and forgives answers."""
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=60)
    credential = "000000000000/20260101/eu-west-1/codepipeline/aws4_request"
    headers = {
        "X-Amz-Target": f"CodePipeline_20150709.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0",
    }
    connection.request("POST", "/", json.dumps(request), headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


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
