"""The CloudFormation action in the mode CREATE_UPDATE: a template of an artifact becomes or updates a stack.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CloudFormation.html
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from sink_host.templates.validator import ValidatorFailed
from sink_sandbox.services.cloudformation.template_gate import TemplateRefused
from sink_sandbox.services.codepipeline.actions.context import Context, aws_errors
from sink_sandbox.services.codepipeline.executions import Location
from sink_sandbox.services.codepipeline.jobs import ActionFailed, Outcome

_INLINE_LIMIT = 51_200
"""Bytes of a TemplateBody; https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""

_OVERRIDES_LIMIT = 1024
"""Bytes of ParameterOverrides; https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html"""

_SUCCESS = ("CREATE_COMPLETE", "UPDATE_COMPLETE")

TemplateCheck = Callable[[Context, str, dict[str, str]], None]
"""Refuses a template, given its text and the parameters, that AWS would refuse."""


def run_stack(context: Context, check_template: TemplateCheck) -> Outcome:
    """Create or update the stack and wait; nothing to update is a success."""
    configuration = context.job.configuration
    request = _request(context, check_template)
    name = configuration["StackName"]
    cloudformation = context.client("cloudformation")
    exists = _exists(cloudformation, name)
    change = cloudformation.update_stack if exists else cloudformation.create_stack
    unchanged = False
    try:
        stack_id = change(StackName=name, **request)["StackId"]
    except ClientError as error:
        message = error.response["Error"]["Message"]
        # The action succeeds when there is nothing to do: it is no failure that nothing changed.
        if "No updates are to be performed" not in message:
            raise ActionFailed(error.response["Error"]["Code"], message) from error
        stack_id, unchanged = name, True
    stack = _wait(context, stack_id)
    if stack["StackStatus"] not in _SUCCESS and not unchanged:
        raise ActionFailed("JobFailed", _failure(context, stack))
    outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in stack.get("Outputs", [])}
    return Outcome(
        summary=f"Stack {stack['StackStatus']}", variables=outputs, artifacts=_outputs(context, outputs)
    )


def _request(context: Context, check_template: TemplateCheck) -> dict[str, Any]:
    configuration = context.job.configuration
    settings = _template_configuration(context)
    parameters = {**settings.get("Parameters", {}), **_overrides(configuration.get("ParameterOverrides", ""))}
    template = context.read(configuration["TemplatePath"])
    try:
        check_template(context, template.decode(), parameters)
    except TemplateRefused as refused:
        raise ActionFailed("ValidationError", str(refused)) from refused
    except ValidatorFailed as failed:
        raise ActionFailed("InternalError", failed.message) from failed
    request: dict[str, Any] = {
        **_template(context, template),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        "Tags": [{"Key": key, "Value": value} for key, value in settings.get("Tags", {}).items()],
        "Capabilities": [
            entry.strip() for entry in configuration.get("Capabilities", "").split(",") if entry.strip()
        ],
        "RoleARN": configuration["RoleArn"],
    }
    if "StackPolicy" in settings:
        request["StackPolicyBody"] = json.dumps(settings["StackPolicy"])
    return request


def _template(context: Context, content: bytes) -> dict[str, str]:
    if len(content) <= _INLINE_LIMIT:
        return {"TemplateBody": content.decode()}
    location = context.output_location("template", ".yml")
    with aws_errors():
        context.client("s3").put_object(Bucket=location.bucket, Key=location.key, Body=content)
    return {"TemplateURL": f"https://{location.bucket}.s3.amazonaws.com/{location.key}"}


def _template_configuration(context: Context) -> dict[str, Any]:
    """Only Parameters, Tags and StackPolicy, and only strings in the first two.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-cfn-artifacts.html
    """
    reference = context.job.configuration.get("TemplateConfiguration")
    if not reference:
        return {}
    settings = context.read_json(reference)
    if not isinstance(settings, dict):
        raise ActionFailed(
            "ConfigurationError", f"The template configuration {reference} is not a JSON object."
        )
    unknown = sorted(set(settings) - {"Parameters", "Tags", "StackPolicy"})
    if unknown:
        raise ActionFailed(
            "ConfigurationError",
            f"The template configuration {reference} has the unknown key {', '.join(unknown)}; "
            "only Parameters, Tags and StackPolicy are allowed.",
        )
    for section in ("Parameters", "Tags"):
        values = settings.get(section, {})
        wrong = [key for key, value in values.items() if not isinstance(value, str)]
        if wrong:
            raise ActionFailed(
                "ConfigurationError",
                f"The template configuration {reference} is not valid: {section} {', '.join(wrong)} "
                "must be a string.",
            )
    return settings


def _overrides(text: str) -> dict[str, str]:
    if not text:
        return {}
    if len(text.encode()) > _OVERRIDES_LIMIT:
        raise ActionFailed("ConfigurationError", "ParameterOverrides is longer than 1 KB.")
    try:
        overrides = json.loads(text)
    except ValueError as error:
        raise ActionFailed("ConfigurationError", f"ParameterOverrides is not valid JSON: {error}.") from error
    functions = [key for key, value in overrides.items() if not isinstance(value, str)]
    if functions:
        raise ActionFailed(
            "ConfigurationError",
            f"ParameterOverrides {', '.join(functions)}: the sandbox takes strings, not Fn::GetParam or "
            "Fn::GetArtifactAtt.",
        )
    return dict(overrides)


def _exists(cloudformation: Any, name: str) -> bool:
    try:
        status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except ClientError:
        return False
    return bool(status not in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE"))


def _wait(context: Context, stack_id: str) -> dict[str, Any]:
    cloudformation = context.client("cloudformation")
    stack: dict[str, Any] = {}

    def is_done() -> bool:
        with aws_errors():
            stack.update(cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0])
        if stack["StackStatus"] != seen.get("status"):
            seen["status"] = stack["StackStatus"]
            context.job.report(external_id=stack["StackId"], summary=f"Stack {stack['StackStatus']}")
        return not stack["StackStatus"].endswith("_IN_PROGRESS")

    seen: dict[str, str] = {}
    context.wait(is_done)
    return stack


def _failure(context: Context, stack: dict[str, Any]) -> str:
    """The first resource that failed in this operation, else the stack's own reason."""
    reason = stack.get("StackStatusReason", "")
    with aws_errors():
        events = context.client("cloudformation").describe_stack_events(StackName=stack["StackId"])[
            "StackEvents"
        ]
    for event in events:  # newest first: the last one seen below is the operation's first failure
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in event.get(
            "ResourceStatusReason", ""
        ):
            reason = f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
        if (
            event["LogicalResourceId"] == stack["StackName"]
            and event.get("ResourceStatusReason") == "User Initiated"
        ):
            break
    return f"Stack {stack['StackName']} is {stack['StackStatus']}. {reason}".strip()


def _outputs(context: Context, outputs: dict[str, str]) -> dict[str, Location]:
    file = context.job.configuration.get("OutputFileName")
    artifacts = context.job.action["outputArtifacts"]
    if not file or not artifacts:
        return {}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(file, json.dumps(outputs))
    location = context.output_location(artifacts[0]["name"])
    with aws_errors():
        context.client("s3").put_object(Bucket=location.bucket, Key=location.key, Body=buffer.getvalue())
    return {artifacts[0]["name"]: location}
