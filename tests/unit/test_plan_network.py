"""A network that is named by halves is refused before anything is made."""

from __future__ import annotations

import pytest

from the_sink.errors import InputError
from the_sink.plan import check_network

PRIVATE, PUBLIC = "subnet-1,subnet-2", "subnet-3,subnet-4"


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"VpcId": "", "PrivateSubnetIds": "", "PublicSubnetIds": ""},
        {"VpcId": "vpc-1", "PrivateSubnetIds": PRIVATE},
        {"VpcId": "vpc-1", "PrivateSubnetIds": f"{PRIVATE},subnet-9", "PublicSubnetIds": PUBLIC},
        {"VpcId": "vpc-1", "VpcOwnerId": "210987654321", "PrivateSubnetIds": PRIVATE},
        {"PrivateSubnetIdsV2": PRIVATE, "PublicSubnetIdsV2": PUBLIC},
    ],
)
def test_a_whole_network_or_none_is_taken(parameters: dict[str, str]) -> None:
    check_network(parameters)


@pytest.mark.parametrize("name", ["PrivateSubnetIds", "PublicSubnetIds"])
@pytest.mark.parametrize("subnets", ["", "subnet-1", "subnet-1,", " , "])
def test_too_few_subnets_are_refused(name: str, subnets: str) -> None:
    parameters = {"VpcId": "vpc-1", "PrivateSubnetIds": PRIVATE, name: subnets}
    if name == "PublicSubnetIds" and "subnet" not in subnets:
        check_network(parameters)  # an app that faces the internet needs them, no other
        return

    with pytest.raises(InputError) as caught:
        check_network(parameters)

    assert caught.value.message == (
        f"VpcId is vpc-1, and {name} names {int('subnet' in subnets)} of its subnets: at least 2 are needed, "
        "in different zones."
    )
    assert caught.value.hint == f"Name them: --parameter {name}=<subnet>,<subnet>"


@pytest.mark.parametrize("name", ["PrivateSubnetIds", "PublicSubnetIds"])
def test_subnets_of_no_network_are_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        check_network({name: PRIVATE})

    assert caught.value.message == (
        f"{name} names subnets, and no VpcId says of which network: the platform would make one of its own "
        "and use none of them."
    )
    assert caught.value.hint == "Give the network's id too: --parameter VpcId=<id>"


@pytest.mark.parametrize("name", ["PrivateSubnetIdsV2", "PublicSubnetIdsV2"])
def test_a_second_list_needs_two_subnets_too(name: str) -> None:
    with pytest.raises(InputError) as caught:
        check_network({name: "subnet-1"})

    assert caught.value.message == f"{name} names one subnet: at least 2 are needed, in different zones."
    assert caught.value.hint == f"Name them: --parameter {name}=<subnet>,<subnet>"


def test_an_owner_of_no_network_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        check_network({"VpcOwnerId": "210987654321"})

    assert caught.value.message == (
        "VpcOwnerId is 210987654321, and no VpcId says which network that account shares."
    )
    assert caught.value.hint == "Give the network's id too: --parameter VpcId=<id>"
