"""``AWS::IAM::Role``.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html
"""

from __future__ import annotations

from ministack.services import iam

from sink_sandbox.services.cloudformation.patch.handlers import EmulatedType
from sink_sandbox.services.cloudformation.resource_type import Place, Properties


class Role(EmulatedType):
    """A role with its permissions boundary, which the emulator drops."""

    def __init__(self) -> None:
        super().__init__("AWS::IAM::Role")

    def create(self, place: Place, properties: Properties) -> str:
        """Make the role."""
        return self._bound(super().create(place, properties), properties)

    def update(self, place: Place, physical_id: str, old: Properties, new: Properties) -> str:
        """Change the role."""
        return self._bound(super().update(place, physical_id, old, new), new)

    def attributes(self, physical_id: str, properties: Properties) -> dict[str, str]:
        """Return Arn and RoleId."""
        role = iam._roles[physical_id]
        return {"Arn": role["Arn"], "RoleId": role["RoleId"]}

    def _bound(self, name: str, properties: Properties) -> str:
        iam._roles[name]["PermissionsBoundary"] = properties.get("PermissionsBoundary")
        return name
