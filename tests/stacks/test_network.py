"""The created network: what is public, what is private, and by which way each subnet leaves it."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from itertools import combinations
from typing import Any

import pytest

EGRESS = ["nat", "nat-per-zone", "endpoints"]
EVERYWHERE = "0.0.0.0/0"


def exported(platform: Any, output: str) -> list[str]:
    """The logical ids of the subnets that apps are told of."""
    return [each.strip("<>") for each in platform.outputs[output]["Value"].split(",")]


def of_type(platform: Any, kind: str) -> dict[str, dict[str, Any]]:
    """The properties of all resources of one type, by logical id."""
    return {i: r["Properties"] for i, r in platform.resources.items() if r["Type"] == kind}


def route_table(platform: Any, subnet: str) -> str:
    """The one route table that a subnet is associated with."""
    (table,) = (
        each["RouteTableId"]
        for each in of_type(platform, "AWS::EC2::SubnetRouteTableAssociation").values()
        if each["SubnetId"] == f"<{subnet}>"
    )
    return str(table)


def way_out(platform: Any, subnet: str) -> dict[str, Any]:
    """What the subnet's default route names as its target, by the property that does; {} without one."""
    table = route_table(platform, subnet)
    routes = [each for each in of_type(platform, "AWS::EC2::Route").values() if each["RouteTableId"] == table]
    assert [each["DestinationCidrBlock"] for each in routes] in ([], [EVERYWHERE])
    ignored = ("RouteTableId", "DestinationCidrBlock")
    return {key: value for each in routes for key, value in each.items() if key not in ignored}


def zone(platform: Any, subnet: str) -> str:
    return str(platform.properties(subnet)["AvailabilityZone"])


@pytest.mark.parametrize("egress", EGRESS)
def test_there_are_two_zones_with_a_private_and_a_public_subnet_each(
    egress: str, stack: Callable[..., Any]
) -> None:
    platform = stack("platform", NetworkEgress=egress)
    private, public = exported(platform, "PrivateSubnetIds"), exported(platform, "PublicSubnetIds")

    assert {*private, *public} == of_type(platform, "AWS::EC2::Subnet").keys()
    assert [zone(platform, each) for each in private] == [zone(platform, each) for each in public]
    assert len({zone(platform, each) for each in private}) == len(private) == 2
    assert {platform.properties(each)["VpcId"] for each in (*private, *public)} == {"<Vpc>"}


@pytest.mark.parametrize("egress", EGRESS)
def test_names_of_endpoints_and_file_systems_are_found(egress: str, stack: Callable[..., Any]) -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html"""
    network = stack("platform", NetworkEgress=egress).properties("Vpc")

    assert network["EnableDnsSupport"] is True
    assert network["EnableDnsHostnames"] is True


@pytest.mark.parametrize("block", ["10.64.0.0/16", "10.0.0.0/17", "172.16.64.0/18"])
def test_subnets_lie_in_the_network_and_share_no_address(block: str, stack: Callable[..., Any]) -> None:
    platform = stack("platform", VpcCidr=block)
    ranges = [ip_network(each["CidrBlock"]) for each in of_type(platform, "AWS::EC2::Subnet").values()]

    assert platform.properties("Vpc")["CidrBlock"] == block
    assert [each.prefixlen for each in ranges] == [20] * 4, "as VpcCidr says: some 4,000 addresses each"
    assert all(each.subnet_of(ip_network(block)) for each in ranges)  # type: ignore[arg-type]
    assert [pair for pair in combinations(ranges, 2) if pair[0].overlaps(pair[1])] == []


@pytest.mark.parametrize("egress", EGRESS)
def test_only_public_subnets_are_open_to_the_internet(egress: str, stack: Callable[..., Any]) -> None:
    platform = stack("platform", NetworkEgress=egress)

    for subnet in exported(platform, "PublicSubnetIds"):
        assert way_out(platform, subnet) == {"GatewayId": "<InternetGateway>"}
    for subnet in exported(platform, "PrivateSubnetIds"):
        assert "GatewayId" not in way_out(platform, subnet)
        assert not platform.properties(subnet).get("MapPublicIpOnLaunch", False)
    attachment = platform.properties("InternetGatewayAttachment")
    assert (attachment["VpcId"], attachment["InternetGatewayId"]) == ("<Vpc>", "<InternetGateway>")


def test_with_a_gateway_for_each_zone_no_zone_needs_another(stack: Callable[..., Any]) -> None:
    platform = stack("platform", NetworkEgress="nat-per-zone")
    gateways = of_type(platform, "AWS::EC2::NatGateway")
    used = {}
    for subnet in exported(platform, "PrivateSubnetIds"):
        (gateway,) = way_out(platform, subnet).values()
        used[zone(platform, subnet)] = gateways[gateway.strip("<>")]

    public = exported(platform, "PublicSubnetIds")
    assert {name: each["SubnetId"] for name, each in used.items()} == {
        zone(platform, subnet): f"<{subnet}>" for subnet in public
    }
    assert len({each["AllocationId"] for each in used.values()}) == len(gateways) == 2


def test_with_one_gateway_both_zones_share_it(stack: Callable[..., Any]) -> None:
    platform = stack("platform", NetworkEgress="nat")
    ((gateway, properties),) = of_type(platform, "AWS::EC2::NatGateway").items()

    assert [way_out(platform, each) for each in exported(platform, "PrivateSubnetIds")] == [
        {"NatGatewayId": f"<{gateway}>"}
    ] * 2
    assert properties["SubnetId"].strip("<>") in exported(platform, "PublicSubnetIds")
    assert len(of_type(platform, "AWS::EC2::EIP")) == 1


def test_with_endpoints_nothing_leaves_the_network(stack: Callable[..., Any]) -> None:
    platform = stack("platform", NetworkEgress="endpoints")
    private = exported(platform, "PrivateSubnetIds")

    assert [way_out(platform, each) for each in private] == [{}, {}]
    assert of_type(platform, "AWS::EC2::NatGateway") == of_type(platform, "AWS::EC2::EIP") == {}


def test_endpoints_are_in_both_zones_under_the_services_own_names(stack: Callable[..., Any]) -> None:
    platform = stack("platform", NetworkEgress="endpoints")
    endpoints = [
        each
        for each in of_type(platform, "AWS::EC2::VPCEndpoint").values()
        if each["VpcEndpointType"] == "Interface"
    ]

    assert len(endpoints) > 5
    for endpoint in endpoints:
        assert endpoint["PrivateDnsEnabled"] is True, endpoint["ServiceName"]
        assert [each.strip("<>") for each in endpoint["SubnetIds"]] == exported(platform, "PrivateSubnetIds")
        (group,) = endpoint["SecurityGroupIds"]
        (rule,) = platform.properties(group.strip("<>"))["SecurityGroupIngress"]
        assert (rule["FromPort"], rule["ToPort"], rule["CidrIp"]) == (443, 443, "10.64.0.0/16")


@pytest.mark.parametrize("egress", EGRESS)
def test_layers_of_images_take_the_way_that_costs_nothing_from_every_zone(
    egress: str, stack: Callable[..., Any]
) -> None:
    platform = stack("platform", NetworkEgress=egress)
    (gateway,) = (
        each
        for each in of_type(platform, "AWS::EC2::VPCEndpoint").values()
        if each["VpcEndpointType"] == "Gateway"
    )

    assert gateway["ServiceName"] == "com.amazonaws.eu-west-1.s3"
    assert sorted(gateway["RouteTableIds"]) == sorted(
        route_table(platform, each) for each in exported(platform, "PrivateSubnetIds")
    )
