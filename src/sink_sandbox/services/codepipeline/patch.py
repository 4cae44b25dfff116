"""Plugs the CodePipeline service into the emulator: its requests and its resource type."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from ministack import app as ministack_app
from ministack.core import router
from ministack.core.responses import get_region
from ministack.services.cloudformation import provisioners

from sink_sandbox.services.codepipeline.declaration import from_cloudformation
from sink_sandbox.services.codepipeline.errors import ServiceError
from sink_sandbox.services.codepipeline.protocol import TARGET_PREFIX
from sink_sandbox.services.codepipeline.service import CodePipeline

RESOURCE_TYPE = "AWS::CodePipeline::Pipeline"


def install(service: CodePipeline) -> None:
    """Add the service."""
    _add_requests(service)
    _add_resource_type(service)


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
            pipeline = service.define(
                get_region(),
                declaration,
                tags=tags,
                closed=closed,
                restart=str(props.get("RestartExecutionOnUpdate", "false")).lower() == "true",
            )
        except ServiceError as error:
            raise ValueError(f"{error.message} (Service: CodePipeline, Code: {error.code})") from error
        return pipeline.name, {"Version": str(pipeline.version)}

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
