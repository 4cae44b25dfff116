"""One way to look at what the emulator's stacks tell of their resources, and to change it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass

from ministack.services.cloudformation import stacks


@dataclass(frozen=True)
class StackEvent:
    """An event as ``DescribeStackEvents`` tells it; the fields are those of the emulator, in its order."""

    stack_id: str
    stack_name: str
    logical_id: str
    resource_type: str
    status: str
    reason: str = ""
    physical_id: str = ""
    detailed_status: str = ""


Tell = Callable[[StackEvent], None]


def intercept_events(handle: Callable[[StackEvent, Tell], None]) -> None:
    """Let ``handle`` have every event from now on; its second argument passes on what is to be told."""
    add = stacks._add_event

    def tell(event: StackEvent) -> None:
        add(*astuple(event))

    def add_event(*fields: str, **named: str) -> None:
        handle(StackEvent(*fields, **named), tell)

    stacks._add_event = add_event
