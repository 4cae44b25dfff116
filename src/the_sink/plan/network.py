"""The network that a platform is told to use: whole, or refused before CloudFormation is asked.

An export cannot be empty, and a load balancer, a database and a service need two zones: CloudFormation would
find out only after some minutes, or at the first app.
"""

from __future__ import annotations

from collections.abc import Mapping

from the_sink.errors import InputError

_NEEDED = 2
"""Subnets, in different zones:
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html"""


def check_network(parameters: Mapping[str, str]) -> None:
    """Refuse a network that lacks something, or subnets that nothing would use.

    Args:
        parameters: What the platform's stack will have, as far as it is not its template's default.

    Raises:
        InputError: naming the parameter that is missing.
    """
    vpc = parameters.get("VpcId", "")
    if parameters.get("VpcOwnerId", "") and not vpc:
        raise InputError(
            f"VpcOwnerId is {parameters['VpcOwnerId']}, and no VpcId says which network that account shares.",
            "Give the network's id too: --parameter VpcId=<id>",
        )
    for name in ("PrivateSubnetIdsV2", "PublicSubnetIdsV2"):
        found = _subnets(parameters, name)
        if found and len(found) < _NEEDED:
            raise InputError(
                f"{name} names one subnet: at least {_NEEDED} are needed, in different zones.",
                f"Name them: --parameter {name}=<subnet>,<subnet>",
            )
    for name, is_required in {"PrivateSubnetIds": True, "PublicSubnetIds": False}.items():
        found = _subnets(parameters, name)
        if not vpc:
            if found:
                raise InputError(
                    f"{name} names subnets, and no VpcId says of which network: the platform would make one "
                    "of its own and use none of them.",
                    "Give the network's id too: --parameter VpcId=<id>",
                )
        elif len(found) < _NEEDED and (found or is_required):
            raise InputError(
                f"VpcId is {vpc}, and {name} names {len(found)} of its subnets: at least {_NEEDED} are "
                "needed, in different zones.",
                f"Name them: --parameter {name}=<subnet>,<subnet>",
            )


def _subnets(parameters: Mapping[str, str], name: str) -> list[str]:
    return [subnet for subnet in parameters.get(name, "").split(",") if subnet.strip()]
