"""From a resource type to the functions that the emulator calls for it, and from those to a type."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ministack.services.cloudformation import provisioners

from sink_sandbox.services.cloudformation.resource_type import Place, Properties, ResourceType


class EmulatedType(ResourceType):
    """A type as the emulator makes it, for one of ours that changes a part of it."""

    called_by_name: Mapping[str, str] = MappingProxyType({})
    """Operations that the emulator, where it replaces a resource, calls by the names of these functions."""

    def __init__(self, name: str) -> None:
        """Take what the emulator calls for the type ``name``; comes before ours is put in its place."""
        self._handlers = dict(provisioners._RESOURCE_HANDLERS[name])

    def create(self, place: Place, properties: Properties) -> str:
        """Let the emulator make it."""
        physical_id, _ = self._handlers["create"](place.logical_id, dict(properties), place.stack_name)
        return str(physical_id)

    def update(self, place: Place, physical_id: str, old: Properties, new: Properties) -> str:
        """Let the emulator change it."""
        more = (place.logical_id,) if self._handlers.get("update_with_logical_id") else ()
        updated_id, _ = self._handlers["update"](physical_id, dict(old), dict(new), place.stack_name, *more)
        return str(updated_id)

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Let the emulator delete it."""
        self._handlers["delete"](physical_id, dict(properties))


def make_handlers(kind: ResourceType) -> dict[str, Any]:
    """Return the functions that the emulator calls for a type."""

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        physical_id = kind.create(Place(stack_name, logical_id), props)
        return physical_id, kind.attributes(physical_id, props)

    def update(
        physical_id: str,
        old: dict[str, Any],
        new: dict[str, Any],
        stack_name: str,
        logical_id: str | None = None,
    ) -> tuple[str, dict[str, Any]]:
        place = Place(stack_name, logical_id or physical_id)
        updated_id = kind.update(place, physical_id, old, new)
        return updated_id, kind.attributes(updated_id, new)

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": kind.delete}
