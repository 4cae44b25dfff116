"""Plugs the CodePipeline service into the emulator: its requests and its resource type."""

from __future__ import annotations

import asyncio
import json

from ministack import app as ministack_app
from ministack.core import router
from ministack.core.responses import get_region
from ministack.services.cloudformation import provisioners

from sink_sandbox.services.cloudformation.resource_type import Place, Properties, ResourceType
from sink_sandbox.services.codepipeline.declaration import from_cloudformation
from sink_sandbox.services.codepipeline.errors import ServiceError
from sink_sandbox.services.codepipeline.protocol import TARGET_PREFIX
from sink_sandbox.services.codepipeline.service import CodePipeline


def install(service: CodePipeline) -> None:
    """Let requests reach the service."""

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


class PipelineType(ResourceType):
    """``AWS::CodePipeline::Pipeline``: ``Ref`` is its name, its only attribute its version.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-codepipeline-pipeline.html
    """

    def __init__(self, service: CodePipeline) -> None:
        self._service = service

    def create(self, place: Place, properties: Properties) -> str:
        """Create the pipeline, which starts its first execution.

        Raises:
            ValueError: there is one of that name, or the service refuses the definition.
        """
        name = properties.get("Name") or provisioners._physical_name(
            place.stack_name, place.logical_id, max_len=100
        )
        if self._service.store.has(get_region(), name):
            raise ValueError(f"A pipeline with the name '{name}' already exists.")
        return self._define(name, properties)

    def update(self, place: Place, physical_id: str, old: Properties, new: Properties) -> str:
        """Make a further version of the pipeline."""
        return self._define(new.get("Name") or physical_id, new)

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Delete the pipeline with its executions."""
        self._service.delete(get_region(), physical_id)

    def attributes(self, physical_id: str, properties: Properties) -> dict[str, str]:
        """Return Version."""
        return {"Version": str(self._service.store.pipeline(get_region(), physical_id).version)}

    def _define(self, name: str, properties: Properties) -> str:
        declaration, closed = from_cloudformation(dict(properties), name)
        tags = [{"key": tag["Key"], "value": str(tag["Value"])} for tag in properties.get("Tags") or []]
        try:
            pipeline = self._service.define(
                get_region(),
                declaration,
                tags=tags,
                closed=closed,
                restart=str(properties.get("RestartExecutionOnUpdate", "false")).lower() == "true",
            )
        except ServiceError as error:
            raise ValueError(f"{error.message} (Service: CodePipeline, Code: {error.code})") from error
        return pipeline.name
