"""The resource types that the sandbox emulates itself, and how CloudFormation comes to call them."""

from __future__ import annotations

from collections.abc import Mapping

from ministack.services.cloudformation import provisioners, stacks

from sink_sandbox.services.autoscaling.patch import ScalableTarget, ScalingPolicy
from sink_sandbox.services.cloudformation.patch.handlers import EmulatedType, make_handlers
from sink_sandbox.services.cloudformation.resource_type import ResourceType
from sink_sandbox.services.codebuild.patch.project import Project
from sink_sandbox.services.codepipeline.patch import PipelineType
from sink_sandbox.services.codepipeline.service import CodePipeline
from sink_sandbox.services.ec2.patch.elastic_ip import ElasticIp
from sink_sandbox.services.ec2.patch.nat_gateway import NatGateway
from sink_sandbox.services.ec2.patch.security_group_rule import SecurityGroupRule
from sink_sandbox.services.ecs.patch.resources import Service, TaskDefinition
from sink_sandbox.services.elb.patch.balancer import Balancers
from sink_sandbox.services.elb.patch.load_balancer import LoadBalancer
from sink_sandbox.services.iam.patch.inline_policy import InlinePolicy
from sink_sandbox.services.iam.patch.oidc_provider import OidcProvider
from sink_sandbox.services.iam.patch.role import Role
from sink_sandbox.services.rds.patch.instance import Instance
from sink_sandbox.services.rds.patch.servers import DatabaseInstances
from sink_sandbox.services.secretsmanager.patch import Secret


def resource_types(
    pipelines: CodePipeline, balancers: Balancers, databases: DatabaseInstances
) -> dict[str, ResourceType]:
    """Return the table: one line for each type."""
    return {
        "AWS::ApplicationAutoScaling::ScalableTarget": ScalableTarget(),
        "AWS::ApplicationAutoScaling::ScalingPolicy": ScalingPolicy(),
        "AWS::CodeBuild::Project": Project(),
        "AWS::CodePipeline::Pipeline": PipelineType(pipelines),
        "AWS::EC2::EIP": ElasticIp(),
        "AWS::EC2::NatGateway": NatGateway(),
        "AWS::EC2::SecurityGroupEgress": SecurityGroupRule("Egress"),
        "AWS::EC2::SecurityGroupIngress": SecurityGroupRule("Ingress"),
        "AWS::ECS::Service": Service(),
        "AWS::ECS::TaskDefinition": TaskDefinition(),
        "AWS::ElasticLoadBalancingV2::LoadBalancer": LoadBalancer(balancers),
        "AWS::IAM::GroupPolicy": InlinePolicy("Group"),
        "AWS::IAM::OIDCProvider": OidcProvider(),
        "AWS::IAM::Role": Role(),
        "AWS::IAM::RolePolicy": InlinePolicy("Role"),
        "AWS::IAM::UserPolicy": InlinePolicy("User"),
        "AWS::RDS::DBInstance": Instance(databases),
        "AWS::SecretsManager::Secret": Secret(),
    }


def install(types: Mapping[str, ResourceType]) -> None:
    """Let stacks have the types; those that the emulator has too are ours from now on."""
    for name, kind in types.items():
        handlers = make_handlers(kind)
        provisioners._RESOURCE_HANDLERS.setdefault(name, {}).update(handlers)
        if isinstance(kind, EmulatedType):
            for operation, function in kind.called_by_name.items():
                setattr(provisioners, function, handlers[operation])
    waiting = {name for name, kind in types.items() if kind.waits}
    runs_on_thread = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda name: name in waiting or runs_on_thread(name)
