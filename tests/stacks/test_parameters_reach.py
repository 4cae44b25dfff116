"""Each parameter reaches what it is there for: none is declared, described, passed on, and then forgotten."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/1"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"


def container(app: Any) -> dict[str, Any]:
    (only,) = app.properties("TaskDefinition")["ContainerDefinitions"]
    return dict(only)


def variable(name: str) -> Callable[[Any], str]:
    """What tells a task the value of a variable."""
    return lambda app: {each["Name"]: each["Value"] for each in container(app)["Environment"]}[name]


def attribute(name: str) -> Callable[[Any], str]:
    """What tells an attribute of the load balancer."""

    def read(app: Any) -> str:
        found = app.properties("LoadBalancer")["LoadBalancerAttributes"]
        return {each["Key"]: each["Value"] for each in found}[name]

    return read


def at(logical_id: str, *path: str) -> Callable[[Any], Any]:
    """What tells a property of a resource."""

    def read(app: Any) -> Any:
        found = app.properties(logical_id)
        for key in path:
            found = found[key]
        return found

    return read


def imported(app: Any) -> set[str]:
    """The platforms whose exports a stack imports."""
    return set(re.findall(r"<import (\w+)-[A-Z]\w+>", str(app.resources)))


def ingress(app: Any) -> set[str]:
    return {rule["CidrIp"] for rule in app.properties("LoadBalancerSecurityGroup")["SecurityGroupIngress"]}


def boundaries(app: Any) -> set[Any]:
    roles = [each["Properties"] for each in app.resources.values() if each["Type"] == "AWS::IAM::Role"]
    return {role.get("PermissionsBoundary") for role in roles}


def told(app: Any) -> set[Any]:
    kind = "AWS::CloudWatch::Alarm"
    found = [each["Properties"] for each in app.resources.values() if each["Type"] == kind]
    return {tuple(alarm["AlarmActions"]) for alarm in found}


def subnets(app: Any) -> set[str]:
    """The lists of subnets that a stack imports."""
    return set(re.findall(r"<import [\w-]+SubnetIds\w*>", str(app.resources)))


REACHES: list[tuple[str, str, Callable[[Any], Any], Any]] = [
    ("PlatformName", "plant", imported, {"plant"}),
    ("PlatformName", "plant", variable("PLATFORM_NAME"), "plant"),
    ("PlatformName", "plant", at("TaskRole", "Path"), "/plant/apps/demo-app/stage/"),
    ("AppName", "other-app", variable("APP_NAME"), "other-app"),
    ("AppName", "other-app", at("LoadBalancer", "Name"), "other-app-stage"),
    ("AppEnv", "uat", variable("APP_ENV"), "uat"),
    ("AppEnv", "uat", at("LoadBalancer", "Name"), "demo-app-uat"),
    ("RuntimeVersion", "3.11", lambda app: app.outputs["RuntimeVersion"]["Value"], "3.11"),
    ("TaskCpu", "2048", at("TaskDefinition", "Cpu"), "2048"),
    ("TaskCpu", "2048", variable("TASK_CPU"), "2048"),
    ("TaskMemory", "5120", at("TaskDefinition", "Memory"), "5120"),
    ("TaskEphemeralStorage", "33", at("TaskDefinition", "EphemeralStorage", "SizeInGiB"), "33"),
    ("EcsAlbIdleTimeout", "75", attribute("idle_timeout.timeout_seconds"), "75"),
    ("InstancesCount", "3", at("Service", "DesiredCount"), "3"),
    ("EcrTag", "moving", lambda app: container(app)["Image"].rpartition(":")[2], "moving"),
    ("RDSInstanceClass", "db.m7g.large", at("Database", "DBInstanceClass"), "db.m7g.large"),
    ("RDSStorageType", "gp3", at("Database", "StorageType"), "gp3"),
    ("RDSAllocatedStorage", "77", at("Database", "AllocatedStorage"), "77"),
    ("RDSEngineVersion", "17.4", at("Database", "EngineVersion"), "17"),
    ("UniqueDomainName", "a.example.org", lambda app: app.outputs["Url"]["Value"], "http://a.example.org"),
    (
        "UniqueDomainNameCertificateArn",
        CERTIFICATE,
        lambda app: app.properties("HttpsListener")["Certificates"],
        [{"CertificateArn": CERTIFICATE}],
    ),
    ("SecretsDelivery", "task", lambda app: container(app)["Secrets"][0]["Name"], "SINK_SECRET_CORE"),
    ("Architecture", "ARM64", at("TaskDefinition", "RuntimePlatform", "CpuArchitecture"), "ARM64"),
    ("EnableExec", "false", at("Service", "EnableExecuteCommand"), False),
    ("EcsAlbScheme", "internet-facing", at("LoadBalancer", "Scheme"), "internet-facing"),
    ("EcsAlbAllowedCidr", "10.1.0.0/16", ingress, {"10.1.0.0/16"}),
    ("PermissionsBoundaryArn", BOUNDARY, boundaries, {BOUNDARY}),
    (
        "UsePlatformCertificate",
        "true",
        lambda app: app.properties("HttpsListener")["Certificates"],
        [{"CertificateArn": "<import the-sink-CertificateArn>"}],
    ),
    ("InstancesMaximum", "7", at("ScalableTarget", "MaxCapacity"), "7"),
    ("HealthCheckGracePeriod", "111", at("Service", "HealthCheckGracePeriodSeconds"), "111"),
    ("AlarmTopicArn", TOPIC, told, {(TOPIC,)}),
    ("RDSConnectionsAlarm", "99", at("DatabaseConnectionsAlarm", "Threshold"), "99"),
    ("AlarmRollback", "true", at("Service", "DeploymentConfiguration", "Alarms", "Rollback"), True),
    ("RDSMaxAllocatedStorage", "100", at("Database", "MaxAllocatedStorage"), "100"),
    ("RDSMultiAZ", "true", at("Database", "MultiAZ"), True),
    ("RDSSnapshotIdentifier", "before", at("Database", "DBSnapshotIdentifier"), "before"),
    ("SubnetsVersion", "V2", subnets, {"<import the-sink-PrivateSubnetIdsV2>"}),
]
"""A parameter, a value that is not its default, where to look, and what must be there."""

NEEDED = {"RDSConnectionsAlarm": {"AlarmTopicArn": TOPIC}}
"""What else must be said before there is anything to look at."""


def test_no_parameter_is_left_out_here(stack: Callable[..., Any]) -> None:
    assert list(dict.fromkeys(name for name, *_ in REACHES)) == list(stack("python").template["Parameters"])


@pytest.mark.parametrize(
    ("parameter", "value", "look", "expected"),
    [pytest.param(*each, id=f"{each[0]}-{i}") for i, each in enumerate(REACHES)],
)
def test_a_parameter_reaches_what_it_is_for(
    parameter: str, value: str, look: Callable[[Any], Any], expected: Any, stack: Callable[..., Any]
) -> None:
    app = stack("python", **{parameter: value}, **NEEDED.get(parameter, {}))

    assert app.template["Parameters"][parameter].get("Default") != value
    assert look(app) == expected


OTHERS: dict[str, dict[str, str]] = {
    "pipeline": {
        "PlatformName": "plant",
        "AppName": "other-app",
        "AppEnv": "uat",
        "ArchiveTag": "prod",
        "EcrTag": "moving",
        "SecretsDelivery": "image",
        "PromotedFrom": "stage",
        "ExistingSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x",
        "Architecture": "ARM64",
        "RuntimeVersion": "3.11",
        "RequireApproval": "true",
        "NotificationTopicArn": TOPIC,
        "PermissionsBoundaryArn": BOUNDARY,
        "AdditionalPolicyArns": "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "VpcOwnerId": "210987654321",
        "GitHubRepository": "acme@1/other-app@2",
    },
    "platform": {
        "PlatformName": "plant",
        "CertificateArn": CERTIFICATE,
        "VpcId": "vpc-1",
        "VpcOwnerId": "210987654321",
        "PrivateSubnetIdsV2": "subnet-5,subnet-6",
        "PublicSubnetIdsV2": "subnet-7,subnet-8",
        "PrivateSubnetIds": "subnet-1,subnet-2",
        "PublicSubnetIds": "subnet-3,subnet-4",
        "VpcCidr": "10.1.0.0/16",
        "NetworkEgress": "endpoints",
        "GitHubOrganization": "acme",
        "GitHubOidcProviderArn": "arn:aws:iam::123456789012:oidc-provider/x",
    },
}
"""Another value for each parameter of the other two."""

USED_WITH: dict[str, dict[str, str]] = {
    "PrivateSubnetIds": {"VpcId": "vpc-1"},
    "PublicSubnetIds": {"VpcId": "vpc-1"},
    "GitHubOidcProviderArn": {"GitHubOrganization": "acme"},
}
"""Parameters of the platform that mean nothing alone."""


@pytest.mark.parametrize(
    ("name", "parameter"), [(name, parameter) for name, values in OTHERS.items() for parameter in values]
)
def test_no_parameter_is_without_effect(name: str, parameter: str, stack: Callable[..., Any]) -> None:
    """And its value itself is in the stack, unless it only chooses between two things."""
    value = OTHERS[name][parameter]
    others = USED_WITH.get(parameter, {}) if name == "platform" else {}
    before, after = stack(name, **others), stack(name, **others, **{parameter: value})

    assert [before.resources, before.outputs] != [after.resources, after.outputs]
    found = str([after.resources, after.outputs])
    if parameter not in {"RequireApproval", "NetworkEgress", "Architecture", "GitHubOrganization"}:
        assert all(each in found for each in value.split(","))


@pytest.mark.parametrize("name", OTHERS)
def test_no_parameter_of_the_platforms_own_stacks_is_left_out_here(
    name: str, stack: Callable[..., Any]
) -> None:
    assert set(OTHERS[name]) == set(stack(name).template["Parameters"])
