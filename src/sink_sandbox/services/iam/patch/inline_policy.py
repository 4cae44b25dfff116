"""``AWS::IAM::RolePolicy``, ``AWS::IAM::UserPolicy`` and ``AWS::IAM::GroupPolicy``.

An inline policy of one owner: what ``AWS::IAM::Policy`` does for several, but with a name of its own. Policy
and owner are its identity, so another of either is another resource:
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-rolepolicy.html
"""

from __future__ import annotations

from typing import Any

from ministack.services.cloudformation import provisioners

from sink_sandbox.services.cloudformation.resource_type import Place, Properties, ResourceType


class InlinePolicy(ResourceType):
    """An inline policy of a role, a user or a group."""

    def __init__(self, owner: str) -> None:
        """``owner`` is Role, User or Group."""
        self._owner = owner
        self._several = provisioners._RESOURCE_HANDLERS["AWS::IAM::Policy"]

    def create(self, place: Place, properties: Properties) -> str:
        """Put the policy on its owner."""
        self._several["create"](place.logical_id, self._of_several(properties), place.stack_name)
        return f"{properties['PolicyName']}|{properties[f'{self._owner}Name']}"

    def update(self, place: Place, physical_id: str, old: Properties, new: Properties) -> str:
        """Put the new policy on its owner; CloudFormation deletes the predecessor of a replacement."""
        return self.create(place, new)

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Remove the policy from its owner."""
        self._several["delete"](physical_id, self._of_several(properties))

    def attributes(self, physical_id: str, properties: Properties) -> dict[str, str]:
        """Return nothing: the type has no attributes."""
        return {}

    def _of_several(self, properties: Properties) -> dict[str, Any]:
        return {**properties, f"{self._owner}s": [properties[f"{self._owner}Name"]]}
