"""What a stack cannot delete stays in it: its creation's rollback fails, and a later deletion tries again.

A database that is protected, for example. The emulator says so of a stack's own resources, but then forgets
them; of those of a nested stack it says nothing and takes them for deleted. CloudFormation keeps the stack
in ROLLBACK_FAILED or DELETE_FAILED
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html).
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from ministack.services.cloudformation import _stacks, provisioners, stacks

from sink_sandbox.services.cloudformation.patch.stacks import NESTED

_refused: ContextVar[dict[str, str] | None] = ContextVar("refused", default=None)
"""Why resources of the nested stack that is being deleted could not be, by logical id."""


def install() -> None:
    """Apply the corrections; before those of ``nested``, which call the deletion of a nested stack."""
    _fail_nested_deletions()
    _keep_after_rollbacks()


def _fail_nested_deletions() -> None:
    entry = provisioners._RESOURCE_HANDLERS[NESTED]
    delete, delete_resource = entry["delete"], provisioners._delete_resource

    def delete_and_note(
        kind: str,
        physical_id: str,
        props: dict[str, Any],
        stack_name: str | None = None,
        logical_id: str | None = None,
    ) -> None:
        try:
            delete_resource(kind, physical_id, props, stack_name, logical_id)
        except Exception as error:
            refused = _refused.get()
            if refused is not None and logical_id:
                refused[logical_id] = str(error)
            raise

    def delete_nested(physical_id: str, props: dict[str, Any]) -> None:
        child = _stacks.get(provisioners._nested_stack_lookup_name(physical_id), {})
        before = dict(child.get("_resources", {}))
        refused: dict[str, str] = {}
        token = _refused.set(refused)
        try:
            delete(physical_id, props)
        finally:
            _refused.reset(token)
        if refused:
            raise ValueError(_keep(child, before, refused))

    provisioners._delete_resource = delete_and_note
    entry["delete"] = delete_nested


def _keep(child: dict[str, Any], before: dict[str, Any], refused: dict[str, str]) -> str:
    """Let a nested stack have what could not be deleted, and return why its own deletion failed."""
    name, stack_id = child["StackName"], child["StackId"]
    for logical_id, reason in refused.items():
        resource = before[logical_id]
        child["_resources"][logical_id] = {**resource, "ResourceStatus": "DELETE_FAILED"}
        stacks._add_event(
            stack_id,
            name,
            logical_id,
            resource["ResourceType"],
            "DELETE_FAILED",
            reason,
            resource["PhysicalResourceId"],
        )
    reason = f"The following resource(s) failed to delete: [{', '.join(sorted(refused))}]. "
    child.update(StackStatus="DELETE_FAILED", StackStatusReason=reason)
    stacks._add_event(stack_id, name, name, NESTED, "DELETE_FAILED", reason, stack_id)
    return f"Embedded stack {stack_id} was not successfully deleted: {reason}"


def _keep_after_rollbacks() -> None:
    roll_back = stacks._roll_back_operation

    async def roll_back_operation(
        stack_name: str, stack_id: str, stack: dict[str, Any], operation: dict[str, Any], reason: str = ""
    ) -> None:
        if not operation.get("is_update"):
            _adopt(stack_name, stack, operation)
        await roll_back(stack_name, stack_id, stack, operation, reason)
        if stack["StackStatus"] == "ROLLBACK_FAILED":
            for logical_id, record in stack.get("_rollback_failed", {}).items():
                stack["_resources"][logical_id] = {**record, "ResourceStatus": "DELETE_FAILED"}

    stacks._roll_back_operation = roll_back_operation


def _adopt(stack_name: str, stack: dict[str, Any], operation: dict[str, Any]) -> None:
    """Let the rollback of a creation know of nested stacks that failed and could not be deleted."""
    for child in list(_stacks.values()):
        if child.get("_parent_stack_name") == stack_name and child.get("StackStatus") == "DELETE_FAILED":
            logical_id = child["_logical_id"]
            operation.setdefault("created", []).append(logical_id)
            stack["_resources"][logical_id] = {
                "PhysicalResourceId": child["StackId"],
                "ResourceType": NESTED,
                "Properties": {},
            }
