"""Requests are authorized as on AWS: against the right resource, and for all that a request asks for.

ministack reads action and resource off a request. Where it takes another resource than AWS's Service
Authorization Reference names (https://docs.aws.amazon.com/service-authorization/latest/reference/), or
overlooks that a request passes a role on or gives tags, it is corrected here.
"""

from __future__ import annotations

import contextvars
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ministack import app as ministack_app
from ministack.core import iam_actions, iam_evaluator

from sink_sandbox.services.iam.patch.roles import denial


@dataclass(frozen=True)
class Check:
    """What a request needs beyond its own action."""

    action: str
    resource: str
    context: dict[str, Any] = field(default_factory=dict)


_further: contextvars.ContextVar[tuple[Check, ...]] = contextvars.ContextVar("further", default=())
_said: contextvars.ContextVar[str] = contextvars.ContextVar("said", default="")


def install() -> None:
    """Apply the corrections. Comes after the roles' own, whose record then holds every check."""
    iam_actions.SERVICE_TO_IAM_NAMESPACE["codepipeline"] = "codepipeline"
    _be_reached_by_tls()
    _find_resources()
    _find_write_conditions()
    _check_further()
    _name_resources()


def _be_reached_by_tls() -> None:
    """AWS is; the sandbox is plain HTTP on loopback, and bucket policies refuse that."""
    pin = iam_evaluator.pin_request_origin

    def pin_request_origin(source_ip: str, _secure_transport: bool) -> None:
        pin(source_ip, True)

    ministack_app.pin_request_origin = pin_request_origin


def _find_resources() -> None:
    extract = iam_actions.extract_resource_arn

    def extract_resource_arn(
        service: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query_params: dict[str, Any],
        region: str,
        account_id: str,
    ) -> str:
        request = _Request(service, headers, body, query_params, f"{region}:{account_id}")
        _further.set(tuple(_further_checks(request)))
        found = _RESOURCES.get(service)
        resource = found(request) if found else ""
        return resource or str(
            extract(service, method, path, headers, body, query_params, region, account_id)
        )

    iam_actions.extract_resource_arn = extract_resource_arn


def _find_write_conditions() -> None:
    """What a write to S3 demands of the key is a condition key of its policy.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
    """
    find = iam_actions._s3_object_context

    def find_with_demands(
        iam_action: str, query_params: dict[str, Any], path: str, headers: dict[str, str]
    ) -> dict[str, Any]:
        context: dict[str, Any] = find(iam_action, query_params, path, headers)
        if iam_action == "s3:PutObject":
            demands = ("if-match", "if-none-match")
            context |= {f"s3:{name}": headers[name] for name in demands if headers.get(name)}
        return context

    iam_actions._s3_object_context = find_with_demands


def _check_further() -> None:
    """All that a request needs is checked with the first of it."""
    enforce = iam_evaluator.enforce

    def enforce_all(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        further = _further.get()
        _further.set(())
        _said.set("")
        denied = enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
        for check in further:
            if denied is not None:
                break
            prefix = check.action.partition(":")[0]
            denied = enforce(access_key_id, check.action, prefix, region, check.resource, check.context)
            if denied is not None and not isinstance(denied, iam_evaluator.AuthError):
                _said.set(denial(check.action, check.resource, denied))
        return denied

    iam_evaluator.enforce = enforce_all


def _name_resources() -> None:
    """A refusal names the resource, as AWS's do."""
    respond = iam_actions.access_denied_response

    def access_denied_response(
        service: str, action: str, principal_arn: str, request_id: str, **more: Any
    ) -> Any:
        if not more.get("message") and not more.get("error_code") and not more.get("resource_policy_arn"):
            more["message"] = _said.get() or iam_actions.identity_denial_message(
                action, principal_arn, more.get("resource_arn", "*"), more.get("explicit_deny", False)
            )
        return respond(service, action, principal_arn, request_id, **more)

    iam_actions.access_denied_response = access_denied_response


class _Request:
    """A request as far as its resource depends on it."""

    def __init__(
        self, service: str, headers: dict[str, str], body: bytes, query: dict[str, Any], place: str
    ) -> None:
        self.service = service
        self.operation = headers.get("x-amz-target", "").rpartition(".")[2]
        self._query = query
        self._place = place
        try:
            content = json.loads(body) if body[:1] == b"{" else {}
        except ValueError:
            content = {}
        self._content: dict[str, Any] = content

    def value(self, *names: str) -> str:
        """Return the first member there is, the first entry of a list; "" for none."""
        for name in names:
            found = self._content.get(name) or self._query.get(name)
            if isinstance(found, list):
                found = found[0] if found else ""
            if found:
                return str(found)
        return ""

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource of this account and region."""
        return resource if resource.startswith("arn:") else f"arn:aws:{service}:{self._place}:{resource}"


def _codebuild(request: _Request) -> str:
    """Builds are authorized by their project; a build's id is ``project:uuid``."""
    build = request.value("ids", "id")
    return request.arn("codebuild", f"project/{build.partition(':')[0]}") if build else ""


def _codepipeline(request: _Request) -> str:
    pipeline = request.value("name", "pipelineName")
    if not pipeline:
        return ""
    if request.operation == "PutApprovalResult":
        pipeline = "/".join([request.value("pipelineName"), *map(request.value, ("stageName", "actionName"))])
    return request.arn("codepipeline", pipeline)


def _ecs(request: _Request) -> str:
    operation = request.operation
    if operation in ("RegisterTaskDefinition", "DescribeTaskDefinition", "DeregisterTaskDefinition"):
        return "*"
    if operation in ("DescribeServices", "UpdateService", "DeleteService", "ListServiceDeployments"):
        service = request.value("services", "service")
        cluster = request.value("cluster").rpartition("/")[2] or "default"
        return service if service.startswith("arn:") else request.arn("ecs", f"service/{cluster}/{service}")
    if operation == "DescribeClusters":
        cluster = request.value("clusters") or "default"
        return cluster if cluster.startswith("arn:") else request.arn("ecs", f"cluster/{cluster}")
    if operation == "StopServiceDeployment":
        return request.value("serviceDeploymentArn")
    return ""


def _logs(request: _Request) -> str:
    """The ARN of a group in a policy ends in ``:*``, but for three actions about tags.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_LogGroup.html
    """
    group = request.value("logGroupName")
    if not group or request.operation in ("TagResource", "UntagResource", "ListTagsForResource"):
        return ""
    return request.arn("logs", f"log-group:{group}:log-stream:{request.value('logStreamName')}")


_RESOURCES: dict[str, Callable[[_Request], str]] = {
    "codebuild": _codebuild,
    "codepipeline": _codepipeline,
    "ecs": _ecs,
    "logs": _logs,
}


def _further_checks(request: _Request) -> Iterator[Check]:
    """Roles that are passed on, and tags that are given with what is made.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html and
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/supported-iam-actions-tagging.html
    """
    if request.service == "cloudformation":
        role = request.value("RoleARN")
        if role:
            yield Check("iam:PassRole", role, {"iam:PassedToService": "cloudformation.amazonaws.com"})
    if request.service == "ecs" and request.operation == "RegisterTaskDefinition":
        for role in filter(None, map(request.value, ("taskRoleArn", "executionRoleArn"))):
            yield Check("iam:PassRole", role, {"iam:PassedToService": "ecs-tasks.amazonaws.com"})
        if request.value("tags"):
            family = request.arn("ecs", f"task-definition/{request.value('family')}:*")
            yield Check("ecs:TagResource", family, {"ecs:CreateAction": "RegisterTaskDefinition"})
