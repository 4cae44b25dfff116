"""``AWS::EC2::EIP``.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-eip.html
"""

from __future__ import annotations

from ministack.services import ec2

from sink_sandbox.services.cloudformation.resource_type import Place, Properties, ResourceType
from sink_sandbox.services.ec2.patch.answers import find_member


class ElasticIp(ResourceType):
    """An address; ``Ref`` is the address itself."""

    def create(self, place: Place, properties: Properties) -> str:
        """Allocate the address."""
        answer = ec2._allocate_address({"Domain": [properties.get("Domain", "vpc")]})
        return str(ec2._addresses[find_member(answer, "allocationId")]["PublicIp"])

    def update(self, place: Place, physical_id: str, old: Properties, new: Properties) -> str:
        """Keep it as it is: nothing here depends on its properties."""
        return physical_id

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Release the address."""
        for allocation, address in list(ec2._addresses.items()):
            if address["PublicIp"] == physical_id:
                ec2._release_address({"AllocationId": [allocation]})

    def attributes(self, physical_id: str, properties: Properties) -> dict[str, str]:
        """Return AllocationId and PublicIp."""
        for allocation, address in ec2._addresses.items():
            if address["PublicIp"] == physical_id:
                return {"AllocationId": allocation, "PublicIp": physical_id}
        return {}
