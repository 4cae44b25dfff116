"""What a resource type must do for CloudFormation: the one interface of all types that the sandbox emulates.

A type is a class in the ``patch`` of its service, and a line in the table of
``cloudformation.patch.resource_types``. CONTRIBUTING.md says step by step how one is added.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Properties = Mapping[str, Any]
"""A resource's properties in the types of its schema, intrinsic functions resolved."""


@dataclass(frozen=True)
class Place:
    """Where in a stack a resource is."""

    stack_name: str
    logical_id: str

    def name(self) -> str:
        """Return a name for a resource whose template gives it none."""
        return f"{self.stack_name}-{self.logical_id}"


class ResourceType(Protocol):
    """A resource type.

    Each operation raises ``ValueError`` to fail; its message is the resource's reason, in AWS's words. The
    type's page in AWS's reference says what its physical id (``Ref``) and its attributes (``Fn::GetAtt``)
    are.
    """

    waits: bool = False
    """Whether creation and update wait for something, and so run on a thread while others go on."""

    @abstractmethod
    def create(self, place: Place, properties: Properties) -> str:
        """Make the resource, and return its physical id."""

    @abstractmethod
    def update(self, place: Place, physical_id: str, old: Properties, new: Properties) -> str:
        """Change the resource, and return its physical id.

        Another id means that it was replaced: CloudFormation then deletes the former one.
        """

    @abstractmethod
    def delete(self, physical_id: str, properties: Properties) -> None:
        """Delete the resource; one that does not exist is deleted already."""

    @abstractmethod
    def attributes(self, physical_id: str, properties: Properties) -> dict[str, Any]:
        """Return what ``Fn::GetAtt`` gives; asked after creation and after each update."""
