"""Plugs the CodePipeline service into the emulator: its requests, resource type and EventBridge target."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from ministack import app as ministack_app
from ministack.core import router
from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import get_region
from ministack.services import eventbridge
from ministack.services.cloudformation import provisioners

from the_sink.sandbox.codepipeline.declaration import from_cloudformation
from the_sink.sandbox.codepipeline.errors import ServiceError
from the_sink.sandbox.codepipeline.service import TARGET_PREFIX, CodePipeline

logger = logging.getLogger(__name__)

RESOURCE_TYPE = "AWS::CodePipeline::Pipeline"


def install(service: CodePipeline) -> None:
    """Add the service."""
    _add_requests(service)
    _add_resource_type(service)
    _add_event_target(service)


def _add_requests(service: CodePipeline) -> None:
    async def handle(
        _method: str, _path: str, headers: dict[str, str], body: bytes, _query: dict[str, list[str]]
    ) -> tuple[int, dict[str, str], bytes]:
        status, content = await asyncio.to_thread(
            service.handle, headers.get("x-amz-target", ""), body, get_region()
        )
        return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(content).encode()

    ministack_app.SERVICE_HANDLERS["codepipeline"] = handle
    router.SERVICE_PATTERNS["codepipeline"] = {
        "target_prefixes": [TARGET_PREFIX],
        "host_patterns": [r"codepipeline\."],
    }


def _add_resource_type(service: CodePipeline) -> None:
    """``Ref`` is the pipeline's name, the only attribute its version.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-codepipeline-pipeline.html
    """

    def define(name: str, props: dict[str, Any]) -> tuple[str, dict[str, str]]:
        declaration, closed = from_cloudformation(props, name)
        tags = [{"key": tag["Key"], "value": str(tag["Value"])} for tag in props.get("Tags") or []]
        try:
            record = service.define(
                get_region(),
                declaration,
                tags=tags,
                closed=closed,
                restart=str(props.get("RestartExecutionOnUpdate", "false")).lower() == "true",
            )
        except ServiceError as error:
            raise ValueError(f"{error.message} (Service: CodePipeline, Code: {error.code})") from error
        declared = record["declaration"]
        return declared["name"], {"Version": str(declared["version"])}

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        name = props.get("Name") or provisioners._physical_name(stack_name, logical_id, max_len=100)
        if service.store.has(get_region(), name):
            raise ValueError(f"A pipeline with the name '{name}' already exists.")
        return define(name, props)

    def update(
        physical_id: str, _old: dict[str, Any], new: dict[str, Any], _stack_name: str
    ) -> tuple[str, dict[str, str]]:
        return define(new.get("Name") or physical_id, new)

    def delete(physical_id: str, _props: dict[str, Any]) -> None:
        service.delete(get_region(), physical_id)

    provisioners._RESOURCE_HANDLERS[RESOURCE_TYPE] = {"create": create, "update": update, "delete": delete}


def _add_event_target(service: CodePipeline) -> None:
    """A rule may start a pipeline; the transformed input may name the source revisions.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/create-S3-source-events.html
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
        seen = view or eventbridge._pattern_event_view(event)
        payload = target.get("Input") or ""
        if target.get("InputTransformer"):
            payload = eventbridge._apply_input_transformer(target["InputTransformer"], rule, seen)
        try:
            service.engine.start(
                arn.region,
                arn.resource,
                trigger="CloudWatchEvent",
                detail=rule.get("Arn", ""),
                revisions=_revisions(payload),
            )
        except ServiceError as error:
            logger.error("The rule %s could not start %s: %s", rule.get("Name"), arn.resource, error.message)

    eventbridge._invoke_target = invoke_target


def _revisions(payload: str) -> list[dict[str, Any]]:
    try:
        content = json.loads(payload)
    except ValueError:
        return []
    revisions = content.get("sourceRevisions") if isinstance(content, dict) else None
    return revisions if isinstance(revisions, list) else []
