"""The resource types that the sandbox emulates itself, and how CloudFormation comes to call them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ministack.services.cloudformation import provisioners, stacks

from sink_sandbox.services.autoscaling.patch import ScalableTarget, ScalingPolicy
from sink_sandbox.services.cloudformation.resource_type import Place, ResourceType
from sink_sandbox.services.codepipeline.patch import PipelineType
from sink_sandbox.services.codepipeline.service import CodePipeline
from sink_sandbox.services.ec2.patch.elastic_ip import ElasticIp
from sink_sandbox.services.ec2.patch.nat_gateway import NatGateway
from sink_sandbox.services.ec2.patch.security_group_rule import SecurityGroupRule
from sink_sandbox.services.ecs.patch.resources import Service, TaskDefinition
from sink_sandbox.services.iam.patch.inline_policy import InlinePolicy
from sink_sandbox.services.iam.patch.oidc_provider import OidcProvider


def resource_types(pipelines: CodePipeline) -> dict[str, ResourceType]:
    """Return the table: one line for each type."""
    return {
        "AWS::ApplicationAutoScaling::ScalableTarget": ScalableTarget(),
        "AWS::ApplicationAutoScaling::ScalingPolicy": ScalingPolicy(),
        "AWS::CodePipeline::Pipeline": PipelineType(pipelines),
        "AWS::EC2::EIP": ElasticIp(),
        "AWS::EC2::NatGateway": NatGateway(),
        "AWS::EC2::SecurityGroupEgress": SecurityGroupRule("Egress"),
        "AWS::EC2::SecurityGroupIngress": SecurityGroupRule("Ingress"),
        "AWS::ECS::Service": Service(),
        "AWS::ECS::TaskDefinition": TaskDefinition(),
        "AWS::IAM::GroupPolicy": InlinePolicy("Group"),
        "AWS::IAM::OIDCProvider": OidcProvider(),
        "AWS::IAM::RolePolicy": InlinePolicy("Role"),
        "AWS::IAM::UserPolicy": InlinePolicy("User"),
    }


def install(types: Mapping[str, ResourceType]) -> None:
    """Let stacks have the types; those that the emulator has too are ours from now on."""
    for name, kind in types.items():
        provisioners._RESOURCE_HANDLERS.setdefault(name, {}).update(_handlers(kind))
    waiting = {name for name, kind in types.items() if kind.waits}
    runs_on_thread = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda name: name in waiting or runs_on_thread(name)


def _handlers(kind: ResourceType) -> dict[str, Any]:
    """Return the functions that the emulator calls for a type."""

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        physical_id = kind.create(Place(stack_name, logical_id), props)
        return physical_id, kind.attributes(physical_id, props)

    def update(
        physical_id: str,
        old: dict[str, Any],
        new: dict[str, Any],
        stack_name: str,
        logical_id: str | None = None,
    ) -> tuple[str, dict[str, str]]:
        place = Place(stack_name, logical_id or physical_id)
        updated_id = kind.update(place, physical_id, old, new)
        return updated_id, kind.attributes(updated_id, new)

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": kind.delete}
