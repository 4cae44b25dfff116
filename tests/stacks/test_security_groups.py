"""What the rules of security groups open, and what each is for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

NOTHING = [{"IpProtocol": "-1", "CidrIp": "127.0.0.1/32", "Description": "nothing"}]
"""A group without a rule of its own lets everything out:
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroup.html"""


def test_nothing_but_a_task_calls_whom_it_likes(stack: Callable[..., Any]) -> None:
    app, platform = stack("python"), stack("platform", NetworkEgress="endpoints")
    egress = {
        i: r["Properties"]["SecurityGroupEgress"]
        for each in (app, platform)
        for i, r in each.resources.items()
        if r["Type"] == "AWS::EC2::SecurityGroup"
    }

    assert [i for i, rules in egress.items() if rules != NOTHING] == ["TaskSecurityGroup"]
    assert app.properties("LoadBalancerEgress") == {
        "GroupId": "<LoadBalancerSecurityGroup>",
        "DestinationSecurityGroupId": "<TaskSecurityGroup>",
        "IpProtocol": "tcp",
        "FromPort": 8080,
        "ToPort": app.properties("Service")["LoadBalancers"][0]["ContainerPort"],
        "Description": "to tasks",
    }


def test_every_rule_of_a_security_group_says_what_it_is_for(stack: Callable[..., Any]) -> None:
    app = stack("python", UsePlatformCertificate="true")
    platform = stack("platform", NetworkEgress="endpoints")
    rules = [
        rule
        for each in (app, platform)
        for r in each.resources.values()
        if r["Type"].startswith("AWS::EC2::SecurityGroup")
        for direction in ("SecurityGroupIngress", "SecurityGroupEgress")
        for rule in r["Properties"].get(direction, [r["Properties"]] if "GroupId" in r["Properties"] else [])
    ]

    assert rules
    assert [rule for rule in rules if not rule.get("Description")] == []


@pytest.mark.parametrize(
    ("parameters", "ports"),
    [
        ({}, [80]),
        ({"UniqueDomainNameCertificateArn": "arn:own"}, [80, 443]),
        ({"UsePlatformCertificate": "true"}, [80, 443]),
    ],
)
def test_a_load_balancer_is_open_where_it_listens(
    parameters: dict[str, str], ports: list[int], stack: Callable[..., Any]
) -> None:
    app = stack("python", **parameters)
    open_ports = [r["FromPort"] for r in app.properties("LoadBalancerSecurityGroup")["SecurityGroupIngress"]]
    listening = [
        r["Properties"]["Port"]
        for r in app.resources.values()
        if r["Type"] == "AWS::ElasticLoadBalancingV2::Listener"
    ]

    assert open_ports == listening == ports


def test_only_the_load_balancer_is_open(stack: Callable[..., Any]) -> None:
    app = stack("python", EcsAlbAllowedCidr="10.0.0.0/8")
    groups = {i: r["Properties"] for i, r in app.resources.items() if r["Type"] == "AWS::EC2::SecurityGroup"}
    sources = {
        i: {rule.get("CidrIp") or rule["SourceSecurityGroupId"] for rule in group["SecurityGroupIngress"]}
        for i, group in groups.items()
    }

    assert sources == {
        "LoadBalancerSecurityGroup": {"10.0.0.0/8"},
        "TaskSecurityGroup": {"<LoadBalancerSecurityGroup>"},
        "FileSystemSecurityGroup": {"<TaskSecurityGroup>"},
        "DatabaseSecurityGroup": {"<TaskSecurityGroup>"},
    }
    assert app.properties("LoadBalancer")["Scheme"] == "internal"
    assert (
        app.properties("Service")["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"]
        == "DISABLED"
    )
