"""StackRole can make, change, read and delete every resource of an app's stack, and nothing else.

CloudFormation acts under it, of which the sandbox plays only whether a type can be made at all (its resources
are made by the emulator, past IAM); so what CloudFormation needs is read from the resource types' schemas, as
cfn-lint carries them:
"handlers" → "permissions" (https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from the_sink.config.stack_template import parse_template
from the_sink.local.creation import creating_actions
from the_sink.local.stack_role import allowed_actions, may_make

from .policies import (
    ACCOUNT,
    REGION,
    Request,
    allows,
    filled,
    is_known,
    parts,
    request,
    resource_kinds,
    role_statements,
)

ROOT = Path(__file__).parents[2]
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
EVERYTHING = {
    "SecretsDelivery": "task",
    "EnableExec": "true",
    "RDSInstanceClass": "db.t4g.micro",
    "UniqueDomainName": "demo.example.org",
    "UniqueDomainNameCertificateArn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1",
    "InstancesMaximum": "4",
    "AlarmTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms",
}
"""Parameters with which an app's stack has every resource there is."""

NESTED = "AWS::CloudFormation::Stack"
"""What an app's own template adds: the platform's, nested."""


class Unset:
    """Needed only where one of these properties is set, which the template does not."""

    def __init__(self, *properties: str) -> None:
        self.properties = properties


@dataclass(frozen=True)
class Fixed:
    """Needed only where a property has another value than the template's."""

    name: str
    value: str


NOT_NEEDED: dict[str, dict[Unset | Fixed | str, str]] = {
    NESTED: {
        "the type has no property for it, and a nested stack has neither": (
            "cloudformation:SetStackPolicy cloudformation:UpdateTerminationProtection"
        ),
    },
    "AWS::ApplicationAutoScaling::ScalableTarget": {
        Unset("RoleARN"): "iam:PassRole",
        Unset("ScheduledActions"): (
            "application-autoscaling:DeleteScheduledAction application-autoscaling:PutScheduledAction"
        ),
        Fixed("ServiceNamespace", "ecs"): (
            "lambda:DeleteProvisionedConcurrencyConfig lambda:GetProvisionedConcurrencyConfig "
            "lambda:PutProvisionedConcurrencyConfig"
        ),
    },
    "AWS::ApplicationAutoScaling::ScalingPolicy": {
        Fixed("PolicyType", "TargetTrackingScaling"): "cloudwatch:GetMetricData",
    },
    "AWS::ECS::Cluster": {
        Unset("Configuration"): "kms:DescribeKey",
        Unset("CapacityProviders", "DefaultCapacityProviderStrategy"): "ecs:PutClusterCapacityProviders",
        "settings of the whole account are no app's to change": (
            "ecs:PutAccountSetting ecs:PutAccountSettingDefault"
        ),
    },
    "AWS::ECS::Service": {
        Unset("Role", "VolumeConfigurations"): "iam:PassRole",
    },
    "AWS::EFS::FileSystem": {
        Unset("FileSystemProtection"): "elasticfilesystem:UpdateFileSystemProtection",
        # The service's own key takes whoever may use the service
        # (https://docs.aws.amazon.com/efs/latest/ug/encryption-at-rest.html).
        Unset("KmsKeyId"): "kms:CreateGrant kms:DescribeKey kms:GenerateDataKeyWithoutPlaintext",
        Unset("ReplicationConfiguration"): (
            "elasticfilesystem:CreateReplicationConfiguration "
            "elasticfilesystem:DeleteReplicationConfiguration iam:PassRole"
        ),
        "UntagResource took its place (https://docs.aws.amazon.com/efs/latest/ug/API_DeleteTags.html)": (
            "elasticfilesystem:DeleteTags"
        ),
    },
    "AWS::ElasticLoadBalancingV2::Listener": {
        "no listener signs people in with Cognito": "cognito-idp:DescribeUserPoolClient",
    },
    "AWS::ElasticLoadBalancingV2::ListenerRule": {
        "no rule signs people in with Cognito": "cognito-idp:DescribeUserPoolClient",
    },
    "AWS::ElasticLoadBalancingV2::LoadBalancer": {
        Unset("IpAddressType"): "elasticloadbalancing:SetIpAddressType",
        Unset("Ipv4IpamPoolId"): "ec2:DescribeIpamPools elasticloadbalancing:ModifyIpPools",
        Unset("MinimumLoadBalancerCapacity"): "elasticloadbalancing:ModifyCapacityReservation",
    },
    "AWS::ElasticLoadBalancingV2::TargetGroup": {
        Unset("Targets"): "elasticloadbalancing:DeregisterTargets elasticloadbalancing:RegisterTargets",
    },
    "AWS::IAM::Role": {
        "a role never loses its boundary; test_security holds that": "iam:DeleteRolePermissionsBoundary",
    },
    "AWS::Logs::LogGroup": {
        Unset("BearerTokenAuthenticationEnabled"): "logs:PutBearerTokenAuthentication",
        Unset("DataProtectionPolicy"): "logs:PutDataProtectionPolicy",
        Unset("DeletionProtectionEnabled"): "logs:PutLogGroupDeletionProtection",
        Unset("FieldIndexPolicies"): "logs:DeleteIndexPolicy logs:PutIndexPolicy",
        Unset("KmsKeyId"): "logs:AssociateKmsKey logs:DisassociateKmsKey",
        Unset("LogGroupClass"): "firehose:TagDeliveryStream logs:CreateLogDelivery",
        Unset("ResourcePolicyDocument"): "logs:DeleteResourcePolicy logs:PutResourcePolicy",
        "IAM has no such action": "s3:REST.PUT.OBJECT",
    },
    "AWS::RDS::DBInstance": {
        Unset("AssociatedRoles", "MonitoringRoleArn", "DomainIAMRoleName"): (
            "iam:GetRole iam:ListRoles iam:PassRole rds:AddRoleToDBInstance rds:RemoveRoleFromDBInstance"
        ),
        Unset("AutomaticBackupReplicationRegion", "SourceDBInstanceAutomatedBackupsArn"): (
            "rds:DescribeDBInstanceAutomatedBackups rds:StartDBInstanceAutomatedBackupsReplication "
            "rds:StopDBInstanceAutomatedBackupsReplication"
        ),
        Unset("DBClusterIdentifier", "SourceDBClusterIdentifier"): "rds:DescribeDBClusters",
        Unset("DBClusterSnapshotIdentifier"): "rds:DescribeDBClusterSnapshots",
        Unset("DBSnapshotIdentifier"): "rds:RestoreDBInstanceFromDBSnapshot",
        Unset("KmsKeyId"): "kms:CreateGrant kms:DescribeKey",
        Unset("ManageMasterUserPassword"): "secretsmanager:CreateSecret secretsmanager:TagResource",
        Unset("RestoreTime", "UseLatestRestorableTime"): "rds:RestoreDBInstanceToPointInTime",
        Unset("SourceDBInstanceIdentifier"): "rds:CreateDBInstanceReadReplica rds:PromoteReadReplica",
    },
    "AWS::SecretsManager::Secret": {
        Unset("ReplicaRegions"): (
            "secretsmanager:RemoveRegionsFromReplication secretsmanager:ReplicateSecretToRegions"
        ),
    },
    "AWS::SecretsManager::SecretTargetAttachment": {
        Fixed("TargetType", "AWS::RDS::DBInstance"): (
            "docdb-elastic:GetCluster rds:DescribeDBClusters redshift-serverless:GetNamespace "
            "redshift-serverless:ListWorkgroups redshift:DescribeClusters"
        ),
    },
}
"""Permissions that a type's schema names and StackRole need not have: why, and which."""

STACK_TAGS = "a nested stack gets the tags of the one above; TagStack in the template says what is known"
INTERFACES = "https://docs.aws.amazon.com/efs/latest/ug/API_CreateMountTarget.html and its siblings name them"
BY_STACK = "aws:ResourceTag/aws:cloudformation:stack-name"
"""The tag that CloudFormation puts on what it makes."""

BEYOND_SCHEMAS = {
    ("ReadTemplates", "s3:GetObject"): (
        "TemplateURL of a nested stack is read under the role "
        "(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html)"
    ),
    ("ReadExports", "cloudformation:ListExports"): (
        "Fn::ImportValue "
        "(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-importvalue.html)"
    ),
    ("NestStacks", "cloudformation:DescribeStackEvents"): (
        "reads of its own nested stacks; no page says with which of them CloudFormation follows one"
    ),
    ("NestStacks", "cloudformation:DescribeStackResources"): "as DescribeStackEvents",
    ("TagNestedStacks", "cloudformation:TagResource"): STACK_TAGS,
    ("TagNestedStacks", "cloudformation:UntagResource"): STACK_TAGS,
    ("MakeMountTargets", "ec2:CreateNetworkInterface"): INTERFACES,
    ("MakeMountTargets", "ec2:DeleteNetworkInterface"): INTERFACES,
    ("MakeMountTargets", "ec2:ModifyNetworkInterfaceAttribute"): INTERFACES,
    ("LookAtResources", "ec2:DescribeNetworkInterfaces"): INTERFACES,
}
"""Permissions that StackRole has and no schema names, by Sid and action: why."""


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


def test_no_type_of_the_templates_is_refused_by_validate_or_the_sandbox() -> None:
    """Under any condition; they ask whether it may bring a type into being at all."""
    pipeline, app = (
        parse_template((ROOT / f"stacks/python/{name}.yml").read_text())[0]
        for name in ("pipeline", "cfn-template")
    )
    allowed = allowed_actions(pipeline)
    types = {NESTED, *(resource["Type"] for resource in app["Resources"].values())}

    assert {each for each in types if not creating_actions(each, REGION)} == set()
    assert {each for each in types if not may_make(each, REGION, allowed)} == set()
    assert not may_make("AWS::SQS::Queue", REGION, allowed)


@pytest.mark.parametrize("boundary", ["", BOUNDARY])
def test_it_may_do_all_that_the_stacks_resources_take(boundary: str, stack: Callable[..., Any]) -> None:
    role = stack_role(stack("pipeline", PermissionsBoundaryArn=boundary))
    app = stack("python", **EVERYTHING, PermissionsBoundaryArn=boundary)
    missing = {
        f"{made.type} {operation}: {asked.action} on {asked.resource} {dict(asked.context) or ''}"
        for made, operation, action in needs(app)
        for asked in requests(made, operation, action)
        if not allows(role, asked)
    }

    assert sorted(missing) == []


def test_it_may_do_nothing_that_neither_a_resource_nor_a_reason_takes(stack: Callable[..., Any]) -> None:
    role = stack_role(stack("pipeline", PermissionsBoundaryArn=BOUNDARY))
    app = stack("python", **EVERYTHING, PermissionsBoundaryArn=BOUNDARY)
    asked = {one for made, operation, action in needs(app) for one in requests(made, operation, action)}
    used = {(sid, part) for sid, part, alone in parts(role) if any(allows([alone], one) for one in asked)}
    reasoned = {sid for sid, _ in BEYOND_SCHEMAS}
    without_use = {(sid, part) for sid, part, _ in parts(role)} - used

    assert {(sid, part) for sid, part in without_use if ":" in part and not part.startswith("arn:")} == {
        *BEYOND_SCHEMAS
    }
    assert {sid for sid, part in without_use if part == "*" or part.startswith("arn:")} <= reasoned


def test_no_two_statements_allow_the_same(stack: Callable[..., Any]) -> None:
    """Else one of them could go or be narrowed, and nothing would change."""
    role = stack_role(stack("pipeline", PermissionsBoundaryArn=BOUNDARY))
    app = stack("python", **EVERYTHING, PermissionsBoundaryArn=BOUNDARY)
    twice = {
        (one.action, one.resource, *sids)
        for made, operation, action in needs(app)
        for one in requests(made, operation, action)
        if len(sids := [s["Sid"] for s in role if allows([s], one)]) > 1
    }

    assert twice == set()


REACHES_OTHERS = {
    "MakeScaling": "scalable targets",
    "TagScaling": "scalable targets",
    "MakeTargetGroups": "target groups",
    "MakeTaskDefinitions": "task definitions",
}
"""Where StackRole can change or delete what another app has, and as what docs/resources.md confesses it.

MakeMountTargets, which no schema names, is the one beside these: see below.
"""


OTHERS = {
    "demo-app": (("other-app", "stage"), ("demo-app", "prod"), ("demo-app-stage-database", "prod")),
    # Names that begin as those of demo5 in stage do.
    "demo5": tuple(
        (f"demo5-stage{what}", env)
        for what in ("", "-app", "-database", "-secret", "-stackpython")
        for env in ("stage", "prod")
    ),
}


@pytest.mark.parametrize("app", OTHERS)
def test_it_changes_nothing_of_another_app_but_what_the_documentation_says(
    app: str, stack: Callable[..., Any]
) -> None:
    role = stack_role(stack("pipeline", AppName=app))
    reached = {
        (statement["Sid"], action)
        for name, env in OTHERS[app]
        for other in (stack("python", **EVERYTHING, AppName=name, AppEnv=env),)
        for made, operation, action in needs(other)
        if operation in ("update", "delete")
        and not re.match(r"[\w-]+:(Describe|Get|List)|iam:CreateServiceLinkedRole", action)
        for one in requests(made, operation, action)
        if not re.search(r":[po]g:default[.:]", one.resource)  # AWS's own, which nobody can change
        if allows(role, one)
        for statement in role
        if allows([statement], one)
    }
    documented = (ROOT / "docs/resources.md").read_text()

    assert {sid for sid, _ in reached} == REACHES_OTHERS.keys()
    assert [kind for kind in (*REACHES_OTHERS.values(), "network interfaces") if kind not in documented] == []


VPC = arn("ec2", "vpc/<import the-sink-VpcId>")
OTHER_VPC = arn("ec2", "vpc/vpc-other")
OWN, PLATFORM = "demo-app-stage-StackPython-1A2B3C4D", "the-sink-platform"


@pytest.mark.parametrize("action", ["AuthorizeSecurityGroupIngress", "DeleteSecurityGroup", "CreateTags"])
@pytest.mark.parametrize(
    ("vpc", "made_by", "may"),
    [
        (VPC, OWN, True),
        (VPC, "demo-app-stage", True),  # of the app's own template
        (VPC, "", True),  # being made
        (VPC, "other-app-stage-StackPython-1A2B3C4D", False),
        (VPC, "demo-app-prod-StackPython-1A2B3C4D", False),
        (VPC, "demo-app-stage-two", False),
        (VPC, PLATFORM, False),
        (OTHER_VPC, OWN, False),
        (OTHER_VPC, "", False),
    ],
)
def test_a_security_group_of_another_stack_or_network_is_out_of_reach(
    vpc: str, made_by: str, may: bool, action: str, stack: Callable[..., Any]
) -> None:
    role = stack_role(stack("pipeline"))
    context = {"ec2:Vpc": vpc, **({BY_STACK: made_by} if made_by else {})}

    assert allows(role, request(f"ec2:{action}", arn("ec2", "security-group/sg-1"), context)) == may


def test_a_group_gets_its_tags_while_its_network_is_not_known(stack: Callable[..., Any]) -> None:
    role = stack_role(stack("pipeline"))

    assert allows(role, request("ec2:CreateTags", arn("ec2", "security-group/sg-1")))
    assert not allows(role, request("ec2:DeleteSecurityGroup", arn("ec2", "security-group/sg-1")))


@pytest.mark.parametrize(("vpc", "may"), [(VPC, True), (OTHER_VPC, False)])
@pytest.mark.parametrize("kind", ["network-interface", "security-group", "subnet"])
def test_mount_targets_stay_in_the_platforms_network(
    kind: str, vpc: str, may: bool, stack: Callable[..., Any]
) -> None:
    role = stack_role(stack("pipeline"))
    asked = request("ec2:ModifyNetworkInterfaceAttribute", arn("ec2", f"{kind}/x-1"), {"ec2:Vpc": vpc})

    assert allows(role, asked) == may


def test_what_it_need_not_have_is_for_what_the_template_does_not_set(stack: Callable[..., Any]) -> None:
    """So that a property that is set one day asks for its permissions."""
    app = stack("python", **EVERYTHING)
    for resource_type, reasons in NOT_NEEDED.items():
        named = {action for permissions in handlers(resource_type).values() for action in permissions}
        found = [r["Properties"] for r in app.resources.values() if r["Type"] == resource_type]
        assert found or resource_type == NESTED, resource_type
        for reason, actions in reasons.items():
            assert set(actions.split()) <= named, (resource_type, actions)
            if isinstance(reason, Unset):
                assert set(reason.properties) <= properties(resource_type), (resource_type, reason.properties)
                assert [p for p in found if p.keys() & set(reason.properties)] == [], resource_type
            if isinstance(reason, Fixed):
                assert {p[reason.name] for p in found} == {reason.value}


@cache
def properties(resource_type: str) -> set[str]:
    """The properties that a type has."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

    schema: Any = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, resource_type).schema
    return set(schema["properties"])


def test_a_schema_that_names_no_action_of_iam_is_told_apart() -> None:
    assert not is_known("s3:REST.PUT.OBJECT")
