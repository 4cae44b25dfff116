"""EventBridge: S3's events name the version, rules may start pipelines, and pipelines tell what happens.

https://docs.aws.amazon.com/codepipeline/latest/userguide/create-S3-source-events.html and
https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
"""

from __future__ import annotations

import contextvars
import json
import logging
from typing import Any

from botocore.exceptions import ClientError
from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.concurrency import spawn_background
from ministack.core.responses import new_uuid, now_iso, request_scope
from ministack.services import eventbridge, s3

from sink_sandbox.client.lifecycle import ACCOUNT_ID
from sink_sandbox.server.clients import Clients
from sink_sandbox.services.codepipeline.errors import ServiceError
from sink_sandbox.services.codepipeline.executions import ActionExecution, Execution
from sink_sandbox.services.codepipeline.jobs import Observer
from sink_sandbox.services.codepipeline.service import CodePipeline
from sink_sandbox.services.iam.access import RoleRefused, Roles

logger = logging.getLogger(__name__)

_version_id: contextvars.ContextVar[str] = contextvars.ContextVar("version_id", default="")


def install(service: CodePipeline, roles: Roles) -> None:
    """Add what the emulator's events lack."""
    _name_versions()
    _start_pipelines(service, roles)


class PipelineEvents(Observer):
    """Tells EventBridge of executions, and the topic of an approval that it is waited for."""

    def __init__(self, clients: Clients, roles: Roles) -> None:
        self._clients = clients
        self._roles = roles

    def execution_changed(self, execution: Execution, state: str) -> None:
        """Dispatch the event in the background: its targets may take their time."""
        event = {
            "EventId": new_uuid(),
            "Source": "aws.codepipeline",
            "DetailType": "CodePipeline Pipeline Execution State Change",
            "Detail": json.dumps(
                {
                    "pipeline": execution.pipeline,
                    "execution-id": execution.id,
                    "execution-trigger": {
                        "trigger-type": execution.trigger.type,
                        "trigger-detail": execution.trigger.detail,
                    },
                    "state": state,
                    "version": execution.version,
                }
            ),
            "EventBusName": "default",
            "Time": now_iso(),
            "Resources": [f"arn:aws:codepipeline:{execution.region}:{ACCOUNT_ID}:{execution.pipeline}"],
            "Account": ACCOUNT_ID,
            "Region": execution.region,
        }

        def dispatch() -> None:
            with request_scope(ACCOUNT_ID, execution.region):
                eventbridge._dispatch_event(event)

        spawn_background(dispatch, thread_name="sandbox-pipeline-event")

    def approval_opened(self, execution: Execution, action: ActionExecution) -> None:
        """Publish to the action's topic, if it has one."""
        topic = action.configuration.get("NotificationArn")
        if not topic:
            return
        approval = {
            "pipelineName": execution.pipeline,
            "stageName": action.stage,
            "actionName": action.action,
            "token": action.token,
            "customData": action.configuration.get("CustomData"),
        }

        def publish() -> None:
            region = execution.region
            try:
                role = execution.declaration["roleArn"]
                credentials = self._roles.assume(role, "codepipeline.amazonaws.com", region)
                self._clients.under(credentials).get("sns", region).publish(
                    TopicArn=topic,
                    Subject=f"APPROVAL NEEDED: {execution.pipeline}, action {action.action}"[:100],
                    Message=json.dumps({"region": region, "approval": approval}),
                )
            except (RoleRefused, ClientError) as refused:
                logger.error("Nobody was told that %s waits: %s", execution.pipeline, refused)

        spawn_background(publish, thread_name="sandbox-approval")


def _name_versions() -> None:
    """An object's event carries the version that the request made."""
    fire, dispatch = s3._fire_s3_event, eventbridge._dispatch_event

    def fire_s3_event(*arguments: Any, version_id: str | None = None, **named: Any) -> None:
        token = _version_id.set(version_id or "")
        try:
            fire(*arguments, version_id=version_id, **named)
        finally:
            _version_id.reset(token)

    def dispatch_event(event: dict[str, Any], view: Any = None) -> None:
        version = _version_id.get()
        if version and event.get("Source") == "aws.s3" and view is None:
            detail = json.loads(event["Detail"])
            detail["object"].setdefault("version-id", version)
            event = {**event, "Detail": json.dumps(detail)}
        dispatch(event, view)

    s3._fire_s3_event = fire_s3_event
    eventbridge._dispatch_event = dispatch_event


def _start_pipelines(service: CodePipeline, roles: Roles) -> None:
    """A rule may have a pipeline as target; the transformed input may name the source revisions.

    It is started under the target's role: what EventBridge may not do is a failed invocation, which nobody
    but its metrics is told of (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html).
    """
    invoke = eventbridge._invoke_target

    def invoke_target(
        target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None
    ) -> None:
        try:
            arn = parse_arn(target.get("Arn", ""))
        except ArnParseError:
            arn = None
        if arn is None or arn.service != "codepipeline":
            invoke(target, event, rule, view)
            return
        payload = target.get("Input") or ""
        if target.get("InputTransformer"):
            seen = view or eventbridge._pattern_event_view(event)
            payload = eventbridge._apply_input_transformer(target["InputTransformer"], rule, seen)
        try:
            credentials = roles.assume(target.get("RoleArn", ""), "events.amazonaws.com", arn.region)
            roles.check(credentials, "codepipeline:StartPipelineExecution", target["Arn"], arn.region)
            service.engine.start(
                arn.region,
                arn.resource,
                trigger="CloudWatchEvent",
                detail=rule.get("Arn", ""),
                revisions=_revisions(payload),
            )
        except (RoleRefused, ServiceError) as error:
            logger.error("The rule %s could not start %s: %s", rule.get("Name"), arn.resource, error)

    eventbridge._invoke_target = invoke_target


def _revisions(payload: str) -> list[dict[str, Any]]:
    try:
        content = json.loads(payload)
    except ValueError:
        return []
    revisions = content.get("sourceRevisions") if isinstance(content, dict) else None
    return revisions if isinstance(revisions, list) else []
