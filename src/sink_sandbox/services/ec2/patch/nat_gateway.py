"""``AWS::EC2::NatGateway``.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-natgateway.html
"""

from __future__ import annotations

from ministack.services import ec2

from sink_sandbox.services.cloudformation.resource_type import Place, Properties, ResourceType
from sink_sandbox.services.ec2.patch.answers import find_member


class NatGateway(ResourceType):
    """A NAT gateway; it is recorded, nothing is routed."""

    def create(self, place: Place, properties: Properties) -> str:
        """Record the gateway."""
        names = ("SubnetId", "AllocationId", "ConnectivityType")
        params = {name: [properties[name]] for name in names if name in properties}
        return find_member(ec2._create_nat_gateway(params), "natGatewayId")

    def update(self, place: Place, physical_id: str, old: Properties, new: Properties) -> str:
        """Keep it as it is."""
        return physical_id

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Forget the gateway."""
        ec2._nat_gateways.pop(physical_id, None)

    def attributes(self, physical_id: str, properties: Properties) -> dict[str, str]:
        """Return NatGatewayId."""
        return {"NatGatewayId": physical_id}
