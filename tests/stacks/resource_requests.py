"""What CloudFormation asks of IAM for each resource of an app's stack, in the whole life of it.

It is read from the resource types' schemas, as cfn-lint carries them:
"handlers" → "permissions" (https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from .policies import (
    ACCOUNT,
    REGION,
    Request,
    filled,
    request,
    resource_kinds,
    role_statements,
)
from .stack_role_exceptions import NESTED, NOT_NEEDED

EVERYTHING = {
    "SecretsDelivery": "task",
    "EnableExec": "true",
    "RDSInstanceClass": "db.t4g.micro",
    "UniqueDomainName": "demo.example.org",
    "UniqueDomainNameCertificateArn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1",
    "RDSSnapshotIdentifier": "demo-app-stage-stackpython-1a2b-snapshot-database-3c4d",
    "InstancesMaximum": "4",
    "AlarmTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms",
}
"""Parameters with which an app's stack has every resource there is."""

BY_STACK = "aws:ResourceTag/aws:cloudformation:stack-name"
"""The tag that CloudFormation puts on what it makes."""


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def role_arn(path: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role{path}"


def stack_role_arn(stack: Any) -> str:
    """The ARN of the StackRole of a stack's app and environment."""
    platform, app, env = (stack.parameters[name] for name in ("PlatformName", "AppName", "AppEnv"))
    return role_arn(f"/{platform}/delivery/{app}/{env}/{app}-{env}-pipeline-StackRole-1A2B")


def stack_role(pipeline: Any) -> list[dict[str, Any]]:
    """What StackRole may do, by the template of the pipeline's stack."""
    return filled(role_statements(pipeline, "StackRole"), {"StackRole": stack_role_arn(pipeline)})


class Made:
    """What one resource of a stack is to IAM: its ARNs by kind, and what AWS says of requests about it."""

    def __init__(self, stack: Any, logical_id: str) -> None:
        self.properties = stack.properties(logical_id) if logical_id else {}
        self.type = stack.resources[logical_id]["Type"] if logical_id else NESTED
        self._stack = stack
        self.app_stack = f"{stack.parameters['AppName']}-{stack.parameters['AppEnv']}"

    def arns(self) -> dict[str, list[str]]:
        """ARNs by the kinds of the Service Authorization Reference."""
        p, name = self.properties, self.app_stack
        match self.type:
            case "AWS::CloudFormation::Stack":
                return {
                    "stack": [arn("cloudformation", f"stack/{name}-StackPython-1A2B3C4D/0-1")],
                    "role": [self.stack_role],
                }
            case "AWS::CloudWatch::Alarm":
                return {"alarm": [arn("cloudwatch", f"alarm:{p['AlarmName']}")]}
            case "AWS::ApplicationAutoScaling::ScalableTarget" | "AWS::ApplicationAutoScaling::ScalingPolicy":
                cluster = self._stack.properties("Cluster")["ClusterName"]
                service = f"{cluster}/{self._stack.properties('Service')['ServiceName']}"
                alarm = f"alarm:TargetTracking-service/{service}-AlarmHigh-1a2b"
                return {
                    "ScalableTarget": [arn("application-autoscaling", "scalable-target/0ec")],
                    "alarm": [arn("cloudwatch", alarm)],
                }
            case "AWS::EC2::SecurityGroup" | "AWS::EC2::SecurityGroupEgress":
                return {"security-group": [arn("ec2", "security-group/sg-1")]}
            case "AWS::ECS::Cluster":
                return {"cluster": [arn("ecs", f"cluster/{p['ClusterName']}")]}
            case "AWS::ECS::Service":
                cluster = self._stack.properties("Cluster")["ClusterName"]
                return {
                    "service": [arn("ecs", f"service/{cluster}/{p['ServiceName']}")],
                    "service-deployment": [arn("ecs", f"service-deployment/{cluster}/{p['ServiceName']}/x")],
                }
            case "AWS::ECS::TaskDefinition":
                roles = [p["TaskRoleArn"], p["ExecutionRoleArn"]]
                return {
                    "task-definition": [arn("ecs", f"task-definition/{p['Family']}:1")],
                    "role": [self._role(role.strip("<>").partition(".")[0]) for role in roles],
                }
            case "AWS::EFS::FileSystem" | "AWS::EFS::MountTarget":
                return {"file-system": [arn("elasticfilesystem", "file-system/fs-1")]}
            case "AWS::EFS::AccessPoint":
                return {
                    "file-system": [arn("elasticfilesystem", "file-system/fs-1")],
                    "access-point": [arn("elasticfilesystem", "access-point/fsap-1")],
                }
            case "AWS::ElasticLoadBalancingV2::LoadBalancer":
                return {"loadbalancer/app/": [self._balancer("loadbalancer")]}
            case "AWS::ElasticLoadBalancingV2::Listener":
                return {
                    "loadbalancer/app/": [self._balancer("loadbalancer")],
                    "listener/app": [self._balancer("listener") + "/2"],
                }
            case "AWS::ElasticLoadBalancingV2::ListenerRule":
                return {
                    "listener/app": [self._balancer("listener") + "/2"],
                    "listener-rule/app": [self._balancer("listener-rule") + "/2/3"],
                }
            case "AWS::ElasticLoadBalancingV2::TargetGroup":
                return {"targetgroup": [arn("elasticloadbalancing", "targetgroup/demo-a-Targe-1A2B/4")]}
            case "AWS::IAM::Role":
                return {"role": [role_arn(f"{p['Path']}{name}-Some-1A2B")]}
            case "AWS::Logs::LogGroup":
                group = arn("logs", f"log-group:{p['LogGroupName']}")
                return {"log-group": [group]}
            case "AWS::RDS::DBInstance":
                return {
                    "vpc": [arn("ec2", "vpc/<import the-sink-VpcId>")],
                    "db": [arn("rds", f"db:{p['DBInstanceIdentifier']}")],
                    "pg": [arn("rds", "pg:default.postgres16")],
                    "og": [arn("rds", "og:default:postgres-16")],
                    "subgrp": [arn("rds", f"subgrp:{name}-stackpython-1a2b-databasesubnetgroup-3c4d")],
                    "snapshot": [arn("rds", f"snapshot:{name}-stackpython-1a2b-snapshot-database-5e6f")],
                }
            case "AWS::RDS::DBSubnetGroup":
                return {"subgrp": [arn("rds", f"subgrp:{name}-stackpython-1a2b-databasesubnetgroup-3c4d")]}
            case "AWS::SecretsManager::Secret" | "AWS::SecretsManager::SecretTargetAttachment":
                secret = self._stack.properties("DatabaseSecret")["Name"]
                database = self._stack.properties("Database")["DBInstanceIdentifier"]
                return {
                    "Secret": [arn("secretsmanager", f"secret:{secret}-AbCdEf")],
                    "db": [arn("rds", f"db:{database}")],
                }
        raise AssertionError(f"nobody has said which ARNs a {self.type} has")

    @property
    def stack_role(self) -> str:
        """The role that its stack is made under."""
        return stack_role_arn(self._stack)

    @property
    def group(self) -> dict[str, Any]:
        """The security group that it is, or that it is a rule of."""
        named: str = self.properties.get("GroupId", "")
        return self._stack.properties(named.strip("<>")) if named else self.properties

    def _role(self, logical_id: str) -> str:
        return role_arn(f"{self._stack.properties(logical_id)['Path']}{self.app_stack}-{logical_id}-1A2B")

    def _balancer(self, kind: str) -> str:
        name = self._stack.properties("LoadBalancer")["Name"]
        return arn("elasticloadbalancing", f"{kind}/app/{name}/1")


LINKED = {
    "AWS::ECS::Cluster": "ecs.amazonaws.com",
    "AWS::EFS::FileSystem": "elasticfilesystem.amazonaws.com",
    "AWS::RDS::DBInstance": "rds.amazonaws.com",
    "AWS::RDS::DBSubnetGroup": "rds.amazonaws.com",
    "AWS::ApplicationAutoScaling::ScalableTarget": "ecs.application-autoscaling.amazonaws.com",
}
"""The service whose own role a type may bring, for iam:CreateServiceLinkedRole."""


def requests(made: Made, operation: str, action: str) -> Iterator[Request]:
    """What CloudFormation asks for when a handler uses an action on a resource."""
    service = action.partition(":")[0]
    if action == "iam:CreateServiceLinkedRole":
        owner = LINKED[made.type]
        path = f"/aws-service-role/{owner}/AWSServiceRoleForSomething"
        yield request(action, role_arn(path), {"iam:AWSServiceName": owner})
        return
    kinds, arns = resource_kinds(action), made.arns()
    if action == "ec2:CreateSecurityGroup":
        yield request(action, arn("ec2", f"vpc/{made.properties['VpcId']}"))
    if action == "rds:AddTagsToResource" and made.type == "AWS::RDS::DBInstance":
        kinds = ["db", "snapshot"]
    targets = [one for kind in kinds for one in arns.get(kind, [])]
    if kinds and not targets:
        raise AssertionError(f"{made.type} {operation}: {action} is about none of its resources: {kinds}")
    for target in targets or ["*"]:
        resource = f"{target}:log-stream:" if service == "logs" and not _is_tagging(action) else target
        yield request(action, resource, _context(made, operation, action))


def _is_tagging(action: str) -> bool:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_LogGroup.html"""
    return action.partition(":")[2] in {"TagResource", "UntagResource", "ListTagsForResource"}


def _context(made: Made, operation: str, action: str) -> dict[str, str]:
    if action == "iam:PassRole":
        service = "cloudformation" if made.type == NESTED else "ecs-tasks"
        return {"iam:PassedToService": f"{service}.amazonaws.com"}
    if action == "elasticfilesystem:CreateFileSystem":
        return {"elasticfilesystem:Encrypted": str(made.properties["Encrypted"]).lower()}
    if action == "elasticfilesystem:TagResource" and operation == "create":
        return {"elasticfilesystem:CreateAction": f"Create{made.type.rpartition('::')[2]}"}
    if action.startswith("elasticfilesystem:"):
        return {"aws:ResourceTag/the-sink:stack": made.app_stack}
    if action.startswith("ec2:") and made.type.startswith("AWS::EC2::SecurityGroup"):
        group = made.group
        is_there = operation != "create" or group is not made.properties
        by_stack = {BY_STACK: f"{made.app_stack}-StackPython-1A2B3C4D"} if is_there else {}
        return {"ec2:Vpc": arn("ec2", f"vpc/{group['VpcId']}"), **by_stack}
    if action.startswith("elasticloadbalancing:") and made.type.endswith("::TargetGroup"):
        # Whose tags come with its creation, so that it may have none of them yet.
        is_there = operation != "create"
        return {BY_STACK: f"{made.app_stack}-StackPython-1A2B3C4D"} if is_there else {}
    if action.startswith("application-autoscaling:"):
        target = made.properties
        return {
            "application-autoscaling:service-namespace": target.get("ServiceNamespace", "ecs"),
            "application-autoscaling:scalable-dimension": target.get(
                "ScalableDimension", "ecs:service:DesiredCount"
            ),
        }
    if action.startswith("iam:") and "PermissionsBoundary" in made.properties:
        return {"iam:PermissionsBoundary": made.properties["PermissionsBoundary"]}
    return {}


@cache
def handlers(resource_type: str) -> dict[str, tuple[str, ...]]:
    """The permissions that each handler of a type needs; those of its tags are the update's too."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

    schema: Any = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, resource_type).schema
    found = {
        operation: set(schema["handlers"][operation]["permissions"])
        for operation in ("create", "read", "update", "delete")
        if operation in schema["handlers"]
    }
    found.setdefault("update", set()).update(schema.get("tagging", {}).get("permissions", []))
    return {operation: tuple(sorted(permissions)) for operation, permissions in found.items()}


def needs(stack: Any) -> Iterator[tuple[Made, str, str]]:
    """(resource, operation, action) of everything that the stack's life may take."""
    for logical_id in ["", *stack.resources]:
        made = Made(stack, logical_id)
        spared = {action for actions in NOT_NEEDED.get(made.type, {}).values() for action in actions.split()}
        for operation, permissions in handlers(made.type).items():
            for action in permissions:
                if action not in spared:
                    yield made, operation, action
