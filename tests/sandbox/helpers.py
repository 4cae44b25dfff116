"""Helpers of the sandbox's tests: waiting, archives, and small pipelines made through CloudFormation."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

from sink_sandbox.services.codepipeline.declaration import from_cloudformation

BUCKET = "sources"
ARTIFACTS = "artifacts"
ROLE = "arn:aws:iam::000000000000:role/any"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
SERVICES = tuple(
    f"{service}.amazonaws.com"
    for service in ("cloudformation", "codebuild", "codepipeline", "ecs-tasks", "events")
)


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 60) -> Any:
    """Poll until the condition holds something true, and return it.

    The deadline has room for a busy machine: loading cfn-lint, which takes a second or two, was seen to take
    twelve beside two test workers.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout_s} s"
        time.sleep(0.03)


def archive(files: dict[str, str]) -> bytes:
    """A zip of the files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return buffer.getvalue()


def make_role(
    aws: Callable[[str], Any],
    name: str,
    policy: dict[str, Any] = EVERYTHING,
    services: tuple[str, ...] = SERVICES,
) -> str:
    """A role that the services may assume and that may do what the policy says; returns its ARN."""
    iam = aws("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
    return str(role["Arn"])


class Pipelines:
    """A source bucket, an artifact bucket and pipelines on them."""

    def __init__(self, aws: Callable[[str], Any]) -> None:
        self.aws = aws
        self.s3 = aws("s3")
        self.api = aws("codepipeline")
        self.stacks = aws("cloudformation")
        make_role(aws, "any")
        location = {"LocationConstraint": "eu-west-1"}
        for name in (BUCKET, ARTIFACTS):
            self.s3.create_bucket(Bucket=name, CreateBucketConfiguration=location)
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})

    def upload(self, files: dict[str, str], key: str = "app.zip") -> str:
        """Upload an archive and return its version."""
        return str(
            self.s3.put_object(
                Bucket=BUCKET,
                Key=key,
                Body=archive(files),
                Metadata={"codepipeline-artifact-revision-summary": "abc1234 Say hello"},
            )["VersionId"]
        )

    def create(self, name: str, stages: list[dict[str, Any]], role: str = ROLE, **properties: Any) -> None:
        """Create a pipeline through a stack, and wait until its own first execution has ended."""
        source = stage(
            "Source",
            action("Source", "Source", "S3", {"S3Bucket": BUCKET, "S3ObjectKey": "app.zip"}, out="Src"),
        )
        template = {
            "Resources": {
                "Pipeline": {
                    "Type": "AWS::CodePipeline::Pipeline",
                    "Properties": {
                        "Name": name,
                        "RoleArn": role,
                        "PipelineType": "V2",
                        "ArtifactStore": {"Type": "S3", "Location": ARTIFACTS},
                        "Stages": [source, *stages],
                        **properties,
                    },
                }
            }
        }
        self.stack(f"stack-{name}", template)
        first = self.api.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"][-1]
        self.ended(name, first["pipelineExecutionId"])

    def define(self, name: str, stages: list[dict[str, Any]], **properties: Any) -> None:
        """Create a pipeline through the API, past the check of templates that a stack goes through."""
        source = action("Source", "Source", "S3", {"S3Bucket": BUCKET, "S3ObjectKey": "app.zip"}, out="Src")
        wanted = {
            "RoleArn": ROLE,
            "PipelineType": "V2",
            "ArtifactStore": {"Type": "S3", "Location": ARTIFACTS},
            "Stages": [stage("Source", source), *stages],
            **properties,
        }
        self.api.create_pipeline(pipeline=from_cloudformation(wanted, name)[0])

    def stack(self, name: str, template: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Create or update a stack and wait for it."""
        known = [entry["StackName"] for entry in self.stacks.describe_stacks()["Stacks"]]
        change = self.stacks.update_stack if name in known else self.stacks.create_stack
        change(StackName=name, TemplateBody=json.dumps(template), **more)
        return wait_for(lambda: self.settled(name), f"stack {name}")

    def settled(self, name: str) -> dict[str, Any] | None:
        """The stack when nothing is in progress."""
        stack = self.stacks.describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

    def start(self, name: str, **more: Any) -> str:
        """Start the pipeline."""
        return str(self.api.start_pipeline_execution(name=name, **more)["pipelineExecutionId"])

    def execution(self, name: str, execution_id: str) -> dict[str, Any]:
        """One execution."""
        return self.api.get_pipeline_execution(pipelineName=name, pipelineExecutionId=execution_id)[
            "pipelineExecution"
        ]

    def ended(self, name: str, execution_id: str) -> str:
        """Wait until the execution has ended; returns its status."""

        def status() -> str | None:
            found = self.execution(name, execution_id)["status"]
            return None if found in ("InProgress", "Stopping") else found

        return str(wait_for(status, f"execution {execution_id}"))

    def actions(self, name: str, execution_id: str) -> dict[str, dict[str, Any]]:
        """The latest action executions by action name."""
        details = self.api.list_action_executions(
            pipelineName=name, filter={"pipelineExecutionId": execution_id}
        )["actionExecutionDetails"]
        return {detail["actionName"]: detail for detail in reversed(details)}

    def error(self, name: str, execution_id: str, action_name: str) -> dict[str, str]:
        """An action's error details."""
        result = self.actions(name, execution_id)[action_name]["output"]["executionResult"]
        return result["errorDetails"]


def stage(name: str, *actions: dict[str, Any]) -> dict[str, Any]:
    """A stage as CloudFormation spells it."""
    return {"Name": name, "Actions": list(actions)}


def action(
    name: str,
    category: str,
    provider: str,
    configuration: dict[str, Any] | None = None,
    *,
    inp: str = "",
    out: str = "",
    order: int = 1,
    **more: Any,
) -> dict[str, Any]:
    """An action as CloudFormation spells it."""
    return {
        "Name": name,
        "ActionTypeId": {"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"},
        "RunOrder": order,
        "Configuration": configuration or {},
        "InputArtifacts": [{"Name": inp}] if inp else [],
        "OutputArtifacts": [{"Name": out}] if out else [],
        **more,
    }


def approval(name: str = "Approve", order: int = 1) -> dict[str, Any]:
    """A manual approval."""
    return action(name, "Approval", "Manual", order=order)


def commands(name: str, *lines: str, order: int = 1) -> dict[str, Any]:
    """A Commands action on the source."""
    return action(name, "Compute", "Commands", inp="Src", order=order, Commands=list(lines))
