"""An update tells of what it makes, changes or deletes, and of nothing else.

The emulator tells ``UPDATE_IN_PROGRESS`` and ``UPDATE_COMPLETE`` of every resource of a template that is
updated: of those that stay as they are, where CloudFormation tells nothing, and of new ones, whose events
are ``CREATE_…``; of what it deletes it tells nothing. What a resource's event says, its record says too
(``DescribeStackResources``).
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ministack.services.cloudformation import _stacks, provisioners, stacks

from sink_sandbox.services.cloudformation.patch.stack_events import StackEvent, Tell, intercept_events
from sink_sandbox.services.cloudformation.patch.stacks import NESTED

_RECORDED = ("ResourceStatus", "Timestamp")


@dataclass(frozen=True)
class _Held:
    """The beginning of an update that may turn out to be none."""

    event: StackEvent
    tell: Tell
    record: dict[str, Any]
    """What the resource's record said before."""


class _Updates:
    """The resources of updates that are under way, by stack name and logical id."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], _Held] = {}
        self._new: set[tuple[str, str]] = set()

    def handle(self, event: StackEvent, tell: Tell) -> None:
        """Pass an event on as CloudFormation would tell it, or keep it until that is known."""
        key = (event.stack_name, event.logical_id)
        _, _, phase = event.status.partition("UPDATE_")
        if event.logical_id == event.stack_name or phase not in ("IN_PROGRESS", "COMPLETE", "FAILED"):
            tell(event)
        elif phase == "IN_PROGRESS":
            self._begin(key, event, tell)
        elif key in self._new or (phase == "FAILED" and _record(key) is None):
            self._new.discard(key)
            _say(key, {"ResourceStatus": f"CREATE_{phase}"})
            tell(replace(event, status=f"CREATE_{phase}"))
        elif key in self._held and phase == "COMPLETE":
            _say(key, self._held.pop(key).record)
        else:
            self.change(key)
            tell(event)

    def _begin(self, key: tuple[str, str], event: StackEvent, tell: Tell) -> None:
        known = _record(key)
        self._held.pop(key, None)
        self._new.discard(key)
        if event.physical_id:
            # A replacement, which is told with its reason, or a step of a rollback.
            tell(event)
        elif known is None:
            self._new.add(key)
            tell(replace(event, status="CREATE_IN_PROGRESS"))
        elif event.resource_type == NESTED:
            # CloudFormation always updates it: aws/aws-cdk#6216.
            tell(event)
        else:
            record = {name: known[name] for name in _RECORDED if name in known}
            self._held[key] = _Held(event, tell, record)

    def change(self, key: tuple[str, str]) -> None:
        """Tell of the resource's beginning, which was kept: it does change."""
        held = self._held.pop(key, None)
        if held is not None:
            held.tell(held.event)


def _record(key: tuple[str, str]) -> dict[str, Any] | None:
    stack, logical_id = key
    found: dict[str, Any] | None = _stacks.get(stack, {}).get("_resources", {}).get(logical_id)
    return found


def _say(key: tuple[str, str], said: dict[str, Any]) -> None:
    record = _record(key)
    if record is not None:
        record.update(said)


def install() -> None:
    """Apply the correction. Comes before that of nested stacks, whose own update does not pass here."""
    updates = _Updates()
    update = provisioners._update_resource

    def update_resource(
        kind: str, physical_id: str, old: Any, new: Any, stack_name: str, logical_id: str = "", *rest: Any
    ) -> Any:
        if old != new:
            updates.change((stack_name, logical_id or physical_id))
        return update(kind, physical_id, old, new, stack_name, logical_id, *rest)

    provisioners._update_resource = update_resource
    intercept_events(updates.handle)
    _tell_deletions()


def _tell_deletions() -> None:
    delete = provisioners._delete_resource

    def delete_resource(
        kind: str, physical_id: str, props: Any, stack_name: str = "", logical_id: str = ""
    ) -> None:
        stack = _stacks.get(stack_name, {})
        is_update = stack.get("StackStatus") == "UPDATE_IN_PROGRESS"  # of other deletions the emulator tells

        def tell(status: str, reason: str = "") -> None:
            if is_update:
                stacks._add_event(stack["StackId"], stack_name, logical_id, kind, status, reason, physical_id)

        tell("DELETE_IN_PROGRESS")
        try:
            delete(kind, physical_id, props, stack_name, logical_id)
        except Exception as error:
            if "_parent_stack_name" in stack:  # of another stack's it tells
                tell("DELETE_FAILED", str(error))
            raise
        tell("DELETE_COMPLETE")

    provisioners._delete_resource = delete_resource
    stacks._delete_resource = delete_resource
