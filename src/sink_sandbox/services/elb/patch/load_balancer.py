"""``AWS::ElasticLoadBalancingV2::LoadBalancer``.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-elasticloadbalancingv2-loadbalancer.html
"""

from __future__ import annotations

from typing import Any

from ministack.services import alb

from sink_sandbox.services.cloudformation.patch.handlers import EmulatedType
from sink_sandbox.services.cloudformation.resource_type import Properties
from sink_sandbox.services.elb.patch.balancer import Balancers
from sink_sandbox.services.elb.patch.protection import find_refusal

_ZONE = "Z35SXDOTRQ7X7K"
"""The hosted zone that the emulator gives all of them."""


class LoadBalancer(EmulatedType):
    """A load balancer with an address that opens."""

    def __init__(self, balancers: Balancers) -> None:
        super().__init__("AWS::ElasticLoadBalancingV2::LoadBalancer")
        self._balancers = balancers

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Delete the load balancer.

        Raises:
            ValueError: it is protected from deletion.
        """
        if refusal := find_refusal(physical_id):
            raise ValueError(refusal)
        super().delete(physical_id, properties)

    def attributes(self, physical_id: str, properties: Properties) -> dict[str, Any]:
        """Return its names, its address and its security groups."""
        found = alb._lbs[physical_id]
        return {
            "Arn": physical_id,
            "LoadBalancerArn": physical_id,
            "LoadBalancerName": found["LoadBalancerName"],
            "DNSName": self._balancers.name_address(found),
            "LoadBalancerFullName": physical_id.partition(":loadbalancer/")[2],
            "CanonicalHostedZoneID": _ZONE,
            "SecurityGroups": found["SecurityGroups"],
        }
