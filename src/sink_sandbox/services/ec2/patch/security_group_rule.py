"""``AWS::EC2::SecurityGroupIngress`` and ``AWS::EC2::SecurityGroupEgress``.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-securitygroupingress.html
"""

from __future__ import annotations

from ministack.core.responses import new_uuid
from ministack.services import ec2

from sink_sandbox.services.cloudformation.resource_type import Place, Properties, ResourceType
from sink_sandbox.services.ec2.patch.answers import check


class SecurityGroupRule(ResourceType):
    """A rule of a security group; it is recorded, nothing is filtered."""

    def __init__(self, direction: str) -> None:
        """``direction`` is Ingress or Egress."""
        self._peer = "SourceSecurityGroupId" if direction == "Ingress" else "DestinationSecurityGroupId"
        is_inbound = direction == "Ingress"
        self._authorize = ec2._authorize_sg_ingress if is_inbound else ec2._authorize_sg_egress
        self._revoke = ec2._revoke_sg_ingress if is_inbound else ec2._revoke_sg_egress

    def create(self, place: Place, properties: Properties) -> str:
        """Add the rule to its group."""
        check(self._authorize(self._request(properties)))
        return f"sgr-{new_uuid().replace('-', '')[:17]}"

    def update(self, place: Place, physical_id: str, old: Properties, new: Properties) -> str:
        """Put the new rule in the place of the old one."""
        self._revoke(self._request(old))
        check(self._authorize(self._request(new)))
        return physical_id

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Remove the rule from its group."""
        self._revoke(self._request(properties))

    def attributes(self, physical_id: str, properties: Properties) -> dict[str, str]:
        """Return Id."""
        return {"Id": physical_id}

    def _request(self, properties: Properties) -> dict[str, list[str]]:
        """Return the rule as the request of EC2's API spells it."""
        found = {
            "GroupId": properties.get("GroupId"),
            "IpPermissions.1.IpProtocol": properties.get("IpProtocol"),
            "IpPermissions.1.FromPort": properties.get("FromPort"),
            "IpPermissions.1.ToPort": properties.get("ToPort"),
            "IpPermissions.1.IpRanges.1.CidrIp": properties.get("CidrIp"),
            "IpPermissions.1.Groups.1.GroupId": properties.get(self._peer),
        }
        return {name: [str(value)] for name, value in found.items() if value is not None}
