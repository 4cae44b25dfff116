"""A network that another account shares: what belongs to it carries its owner's number, nothing else does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .policies import ACCOUNT, allows, request
from .resource_requests import stack_role

OWNER = "210987654321"


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def owners(value: Any, kinds: str) -> set[str]:
    """The accounts in the ARNs of these kinds of resources."""
    found = (re.match(rf"arn:aws:ec2:[^:]*:([^:]*):({kinds})/", text) for text in texts(value))
    return {match[1] for match in found if match}


@pytest.mark.parametrize(("parameters", "owner"), [({}, ACCOUNT), ({"VpcOwnerId": OWNER}, OWNER)])
def test_networks_and_subnets_are_named_as_their_owners(
    parameters: dict[str, str], owner: str, stack: Callable[..., Any]
) -> None:
    resources = stack("pipeline", **parameters).resources

    assert owners(resources, "vpc|subnet") == {owner}
    assert owners(resources, "security-group|network-interface") == {ACCOUNT}


def test_no_other_template_names_a_network(stack: Callable[..., Any]) -> None:
    for name in ("platform", "python", "app"):
        assert owners(stack(name).resources, "vpc|subnet") == set(), name


@pytest.mark.parametrize(("account", "may"), [(OWNER, True), (ACCOUNT, False)])
def test_a_role_makes_groups_and_mount_targets_in_the_owners_network_alone(
    account: str, may: bool, stack: Callable[..., Any]
) -> None:
    role = stack_role(stack("pipeline", VpcOwnerId=OWNER))
    vpc = f"arn:aws:ec2:eu-west-1:{account}:vpc/<import the-sink-VpcId>"
    subnet = f"arn:aws:ec2:eu-west-1:{account}:subnet/subnet-1"

    assert allows(role, request("ec2:CreateSecurityGroup", vpc)) == may
    assert allows(role, request("ec2:CreateNetworkInterface", subnet, {"ec2:Vpc": vpc})) == may


@pytest.mark.parametrize(("parameters", "owner"), [({}, ACCOUNT), ({"VpcOwnerId": OWNER}, OWNER)])
def test_the_platform_says_whose_its_network_is(
    parameters: dict[str, str], owner: str, stack: Callable[..., Any]
) -> None:
    """To bootstrap, which passes it on; an export could not change while a pipeline imports it."""
    output = stack("platform", VpcId="vpc-1", **parameters).outputs["VpcOwnerId"]

    assert output["Value"] == owner
    assert "Export" not in output
