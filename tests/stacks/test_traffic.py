"""Who may talk to whom: the port that somebody listens on, and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

NFS, POSTGRESQL = 2049, 5432
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/1"


def rules(app: Any, direction: str, logical_id: str) -> Iterator[dict[str, Any]]:
    """The rules of one security group, written in it or beside it."""
    yield from app.properties(logical_id).get(f"SecurityGroup{direction}", [])
    kind = f"AWS::EC2::SecurityGroup{direction}"
    beside = [each["Properties"] for each in app.resources.values() if each["Type"] == kind]
    yield from (rule for rule in beside if rule["GroupId"] == f"<{logical_id}>")


def ports(found: Iterator[dict[str, Any]]) -> list[int]:
    """The ports of rules that let one each through, by TCP."""
    kept = list(found)
    assert {rule["IpProtocol"] for rule in kept} == {"tcp"}
    assert [rule["FromPort"] for rule in kept] == [rule["ToPort"] for rule in kept]
    return [rule["FromPort"] for rule in kept]


@pytest.mark.parametrize("certificate", ["", CERTIFICATE])
def test_a_load_balancer_is_open_where_it_listens(certificate: str, stack: Callable[..., Any]) -> None:
    app = stack("python", UniqueDomainNameCertificateArn=certificate)
    listened = [
        each["Properties"]["Port"]
        for each in app.resources.values()
        if each["Type"] == "AWS::ElasticLoadBalancingV2::Listener"
    ]

    assert sorted(ports(rules(app, "Ingress", "LoadBalancerSecurityGroup"))) == sorted(listened)


def test_a_task_is_open_where_it_listens_and_the_load_balancer_asks(stack: Callable[..., Any]) -> None:
    app = stack("python")
    (container,) = app.properties("TaskDefinition")["ContainerDefinitions"]
    (mapping,) = container["PortMappings"]
    listens = [mapping["ContainerPort"]]

    assert ports(rules(app, "Ingress", "TaskSecurityGroup")) == listens
    assert [app.properties("TargetGroup")["Port"]] == listens
    asks = [rule for rule in rules(app, "Egress", "LoadBalancerSecurityGroup") if rule["IpProtocol"] == "tcp"]
    assert ports(iter(asks)) == listens
    assert [rule["DestinationSecurityGroupId"] for rule in asks] == ["<TaskSecurityGroup>"]


@pytest.mark.parametrize(
    ("group", "port"), [("FileSystemSecurityGroup", NFS), ("DatabaseSecurityGroup", POSTGRESQL)]
)
def test_what_tasks_use_is_open_to_them_and_calls_nobody(
    group: str, port: int, stack: Callable[..., Any]
) -> None:
    """A group without a rule for what leaves lets everything out; 127.0.0.1 is nobody."""
    app = stack("python")
    incoming = list(rules(app, "Ingress", group))

    assert ports(iter(incoming)) == [port]
    assert [rule["SourceSecurityGroupId"] for rule in incoming] == ["<TaskSecurityGroup>"]
    assert [rule["CidrIp"] for rule in rules(app, "Egress", group)] == ["127.0.0.1/32"]


def test_each_part_is_in_its_own_group(stack: Callable[..., Any]) -> None:
    app = stack("python")
    network = app.properties("Service")["NetworkConfiguration"]["AwsvpcConfiguration"]

    assert app.properties("LoadBalancer")["SecurityGroups"] == ["<LoadBalancerSecurityGroup>"]
    assert network["SecurityGroups"] == ["<TaskSecurityGroup>"]
    assert app.properties("Database")["VPCSecurityGroups"] == ["<DatabaseSecurityGroup>"]
    for zone in "AB":
        target = app.properties(f"FileSystemMountTarget{zone}")
        assert target["SecurityGroups"] == ["<FileSystemSecurityGroup>"]
