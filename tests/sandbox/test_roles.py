"""Actions are played under their roles: what a role lacks stops its action, which says so in one sentence."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from invoke.context import Context

import sink_sandbox
from sink_sandbox.client import lifecycle
from the_sink.tasks.sandbox import access

from .helpers import ARTIFACTS, BUCKET, EVERYTHING, Pipelines, action, commands, make_role, stage, wait_for
from .images import SERVER
from .shop import Shop, template
from .test_hints import failure

ACCOUNT = "000000000000"
WORK = {
    "codepipeline": {
        "s3:GetBucketVersioning": f"arn:aws:s3:::{BUCKET}",
        "s3:GetObject": "*",
        "s3:GetObjectVersion": "*",
        "s3:PutObject": f"arn:aws:s3:::{ARTIFACTS}/*",
        "codebuild:StartBuild": f"arn:aws:codebuild:eu-west-1:{ACCOUNT}:project/shop",
        "codebuild:BatchGetBuilds": f"arn:aws:codebuild:eu-west-1:{ACCOUNT}:project/shop",
        "logs:CreateLogGroup": "*",
        "logs:CreateLogStream": f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/codepipeline/ship:*",
        "logs:PutLogEvents": f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/codepipeline/ship:*",
        "cloudformation:CreateStack": f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/shop/*",
        "cloudformation:DescribeStacks": f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/shop/*",
        "iam:PassRole": f"arn:aws:iam::{ACCOUNT}:role/ship-StackRole-3",
        "sns:CreateTopic": "*",
    },
    "codebuild": {
        "logs:CreateLogGroup": "*",
        "logs:CreateLogStream": "*",
        "logs:PutLogEvents": "*",
        "s3:GetObject": "*",
        "s3:PutObject": "*",
        "secretsmanager:GetSecretValue": "*",
    },
}
"""What the pipeline below needs of its two roles, and where."""

BUILDSPEC = """
version: 0.2
phases:
  build:
    commands: [aws secretsmanager get-secret-value --secret-id shop-secret]
artifacts: {files: [app.txt]}
"""


def policy(allowed: dict[str, str], *without: str) -> dict[str, Any]:
    """A policy of one statement an action."""
    statements = [
        {"Effect": "Allow", "Action": name, "Resource": resource}
        for name, resource in allowed.items()
        if name not in without
    ]
    return {"Version": "2012-10-17", "Statement": statements}


class Ship:
    """A pipeline with one action of each kind, all permissions that it needs, and ways to take some away."""

    def __init__(self, aws: Callable[[str], Any], pipelines: Pipelines) -> None:
        self.iam, self.pipelines = aws("iam"), pipelines
        self.role = make_role(
            aws, "ship-PipelineRole-1", policy(WORK["codepipeline"]), ("codepipeline.amazonaws.com",)
        )
        build_role = make_role(
            aws, "ship-BuildRole-2", policy(WORK["codebuild"]), ("codebuild.amazonaws.com",)
        )
        stack_role = make_role(aws, "ship-StackRole-3", EVERYTHING, ("cloudformation.amazonaws.com",))
        aws("secretsmanager").create_secret(Name="shop-secret", SecretString="{}")
        aws("codebuild").create_project(
            name="shop",
            source={"type": "CODEPIPELINE", "buildspec": BUILDSPEC},
            artifacts={"type": "CODEPIPELINE"},
            environment={"type": "LINUX_CONTAINER", "image": "any", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=build_role,
        )
        configuration = {
            "ActionMode": "CREATE_UPDATE",
            "StackName": "shop",
            "TemplatePath": "Src::template.json",
            "RoleArn": stack_role,
        }
        pipelines.create(
            "ship",
            [
                stage(
                    "Build",
                    action("Build", "Build", "CodeBuild", {"ProjectName": "shop"}, inp="Src", out="Out"),
                ),
                stage(
                    "Deploy",
                    action("Stack", "Deploy", "CloudFormation", configuration, inp="Src"),
                    commands("Advance", "aws sns create-topic --name advanced", order=2),
                ),
            ],
            role=self.role,
        )
        pipelines.upload(
            {"app.txt": "", "template.json": json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}}})}
        )

    def take(self, role_name: str, service: str, *permissions: str) -> None:
        """Take permissions away from a role."""
        document = policy(WORK[service], *permissions)
        self.iam.put_role_policy(RoleName=role_name, PolicyName="all", PolicyDocument=json.dumps(document))


@pytest.fixture
def ship(aws: Callable[[str], Any], pipelines: Pipelines) -> Ship:
    return Ship(aws, pipelines)


def seen(action_name: str) -> list[dict[str, Any]]:
    return [access for access in sink_sandbox.accesses("default") if access["action"] == action_name]


def test_every_action_works_under_its_role_and_is_recorded(ship: Ship) -> None:
    assert ship.pipelines.ended("ship", ship.pipelines.start("ship")) == "Succeeded"

    asked = {(a["role"].rpartition("/")[2], a["action"]) for a in sink_sandbox.accesses("default")}
    # The group of the build's log is made by the build, that of the commands by the pipeline's role.
    wanted = {("ship-PipelineRole-1", name) for name in WORK["codepipeline"]}
    wanted |= {("ship-BuildRole-2", name) for name in WORK["codebuild"]}
    assert asked == wanted - {("ship-PipelineRole-1", "s3:GetObjectVersion")}
    assert all(a["allowed"] for a in sink_sandbox.accesses("default"))


@pytest.mark.parametrize(
    ("role", "service", "permission", "where", "resource"),
    [
        ("PipelineRole-1", "codepipeline", "s3:GetObject", "Source", f"arn:aws:s3:::{BUCKET}/app.zip"),
        (
            "PipelineRole-1",
            "codepipeline",
            "codebuild:StartBuild",
            "Build",
            f"{WORK['codepipeline']['codebuild:StartBuild']}",
        ),
        (
            "BuildRole-2",
            "codebuild",
            "secretsmanager:GetSecretValue",
            "Build",
            "arn:aws:secretsmanager:eu-west-1:",
        ),
        (
            "BuildRole-2",
            "codebuild",
            "logs:CreateLogStream",
            "Build",
            ":log-group:/aws/codebuild/shop:log-stream:",
        ),
        (
            "PipelineRole-1",
            "codepipeline",
            "iam:PassRole",
            "Deploy/Stack",
            f"arn:aws:iam::{ACCOUNT}:role/ship-StackRole-3",
        ),
        (
            "PipelineRole-1",
            "codepipeline",
            "sns:CreateTopic",
            "Deploy/Advance",
            f"arn:aws:sns:eu-west-1:{ACCOUNT}:advanced",
        ),
    ],
)
def test_a_missing_permission_fails_its_action_and_is_named(
    ship: Ship,
    connection: Any,
    role: str,
    service: str,
    permission: str,
    where: str,
    resource: str,
) -> None:
    ship.take(f"ship-{role}", service, permission)

    error = failure(connection, ship.pipelines.start("ship"))

    logical_id = role.partition("-")[0]
    assert f" failed in {where}: the role {logical_id} (ship-{role}) lacks {permission} on " in error.message
    assert resource in error.message
    assert error.hint.startswith(
        f"Allow it to {logical_id} in the platform's stacks/python/pipeline.yml and "
    )
    assert error.hint.endswith("`invoke bootstrap --env stage --sandbox`, then deploy again.")
    assert False in [a["allowed"] for a in seen(permission)]


def test_what_was_refused_comes_first_in_the_list_of_accesses(
    ship: Ship, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ship.take("ship-PipelineRole-1", "codepipeline", "codebuild:StartBuild")
    ship.pipelines.ended("ship", ship.pipelines.start("ship"))
    monkeypatch.setenv("THE_SINK_SANDBOX", "default")

    access(Context())

    count, first, second, *_ = capsys.readouterr().out.splitlines()
    assert count.endswith(", 1 refused.")
    project = WORK["codepipeline"]["codebuild:StartBuild"]
    assert first == f"REFUSED ship-PipelineRole-1: codebuild:StartBuild on {project}"
    assert second.startswith("allowed ship-PipelineRole-1: s3:")


def test_a_role_that_does_not_trust_its_service_is_not_played(ship: Ship, connection: Any) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    ship.iam.update_assume_role_policy(RoleName="ship-PipelineRole-1", PolicyDocument=document)

    error = failure(connection, ship.pipelines.start("ship"))

    assert f"CodePipeline is not authorized to perform AssumeRole on role {ship.role}" in error.message


def test_a_stack_is_made_under_no_role_that_does_not_trust_cloudformation(
    ship: Ship, connection: Any
) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    ship.iam.update_assume_role_policy(RoleName="ship-StackRole-3", PolicyDocument=document)

    error = failure(connection, ship.pipelines.start("ship"))

    role = WORK["codepipeline"]["iam:PassRole"]
    assert f"failed in Deploy/Stack: Role {role} is invalid or cannot be assumed" in error.message


def test_a_rule_starts_the_pipeline_only_where_its_role_may(ship: Ship, aws: Callable[[str], Any]) -> None:
    pipeline = f"arn:aws:codepipeline:eu-west-1:{ACCOUNT}:ship"
    start = {"codepipeline:StartPipelineExecution": pipeline}
    other = policy({"codepipeline:StartPipelineExecution": f"{pipeline}-2"})
    role = make_role(aws, "ship-EventRole-4", other, ("events.amazonaws.com",))
    aws("s3").put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    events = aws("events")
    events.put_rule(Name="follow", EventPattern=json.dumps({"source": ["aws.s3"]}))
    events.put_targets(Rule="follow", Targets=[{"Id": "ship", "Arn": pipeline, "RoleArn": role}])
    asked = "codepipeline:StartPipelineExecution"

    ship.pipelines.upload({"app.txt": ""})
    wait_for(lambda: [a for a in seen(asked) if not a["allowed"]], "the refusal")
    before = len(
        ship.pipelines.api.list_pipeline_executions(pipelineName="ship")["pipelineExecutionSummaries"]
    )
    allowed = json.dumps(policy(start))
    aws("iam").put_role_policy(RoleName="ship-EventRole-4", PolicyName="all", PolicyDocument=allowed)
    ship.pipelines.upload({"app.txt": ""})

    def started() -> int:
        found = ship.pipelines.api.list_pipeline_executions(pipelineName="ship")
        return len(found["pipelineExecutionSummaries"]) - before

    wait_for(started, "the start")
    assert started() == 1
    assert {(a["role"], a["resource"]) for a in seen(asked)} == {(role, pipeline)}


def test_a_made_up_key_is_no_key(sandbox: lifecycle.Sandbox) -> None:
    stranger = boto3.client(
        "s3",
        endpoint_url=sandbox.endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id="ASIAAAAAAAAAAAAAAAAA",
        aws_secret_access_key="x",
        aws_session_token="y",
    )

    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        stranger.list_buckets()


def test_what_runs_in_a_task_acts_under_the_task_role(
    aws: Callable[[str], Any], sandbox: lifecycle.Sandbox, pipelines: Pipelines
) -> None:
    """With the keys that AWS's clients find there, and no others."""
    shop = Shop(aws, sandbox, pipelines)
    told = "body = repr({name: value for name, value in os.environ.items() if name[:4] == 'AWS_'}).encode()"
    version = next(line.strip() for line in SERVER.splitlines() if "body = f" in line)
    shop.push("live", files={"app/serve.py": SERVER.replace(version, told)})
    files = {f"elasticfilesystem:Client{what}": "*" for what in ("Mount", "Write")}
    only = policy({"sqs:ListQueues": "*", **files})
    made = template("live", 1)
    made["Resources"]["Definition"]["Properties"]["TaskRoleArn"] = make_role(
        aws, "shop-TaskRole-5", only, ("ecs-tasks.amazonaws.com",)
    )
    assert pipelines.stack("shop", made)["StackStatus"] == "CREATE_COMPLETE"

    found = ast.literal_eval(shop.get()[1])

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=found["AWS_ENDPOINT_URL"],
            region_name="eu-west-1",
            aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=found["AWS_SESSION_TOKEN"],
        )

    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" not in found
    caller = f"arn:aws:sts::{ACCOUNT}:assumed-role/shop-TaskRole-5/ecs-tasks"
    assert client("sts").get_caller_identity()["Arn"] == caller
    assert client("sqs").list_queues().get("QueueUrls", []) == []
    with pytest.raises(ClientError, match="not authorized to perform: sns:ListTopics"):
        client("sns").list_topics()
