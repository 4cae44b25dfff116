"""Nested stacks: always updated, rolled back to the template they ran before, and found from their parent.

The emulator deploys a nested stack inside its parent's operation. What it lacks is a way back: a rollback
would fetch the template from the same address again, which by then holds what failed.
"""

from __future__ import annotations

import contextvars
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from ministack.services.cloudformation import _stacks, helpers, provisioners, stacks

from sink_sandbox.services.cloudformation.patch.stack_events import StackEvent, Tell, intercept_events
from sink_sandbox.services.cloudformation.patch.stacks import NESTED

_is_rolling_back: contextvars.ContextVar[bool] = contextvars.ContextVar("is_rolling_back", default=False)
_template_body: contextvars.ContextVar[str] = contextvars.ContextVar("template_body", default="")
_parent: contextvars.ContextVar[tuple[str, str]] = contextvars.ContextVar("parent", default=("", ""))

_MARK = "TheSinkUpdated"

_resend: set[tuple[str, str]] = set()
"""Services whose update failed: (stack, logical id). Their rollback must be sent though nothing differs."""


def install() -> None:
    """Apply the corrections."""
    _mark_rollbacks()
    _keep_templates()
    _always_update()
    _show_children()


@contextmanager
def _set(variable: contextvars.ContextVar[Any], value: Any) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def _mark_rollbacks() -> None:
    revert = stacks._revert_update

    roll_back, sends_back = stacks._roll_back_operation, stacks._sends_back_failed_update

    async def revert_update(*arguments: Any, **named: Any) -> Any:
        with _set(_is_rolling_back, True):
            return await revert(*arguments, **named)

    async def roll_back_operation(
        stack_name: str, stack_id: str, stack: dict[str, Any], operation: dict[str, Any], reason: str = ""
    ) -> None:
        _distinguish(stack, operation)
        await roll_back(stack_name, stack_id, stack, operation, reason)

    stacks._revert_update = revert_update
    stacks._roll_back_operation = roll_back_operation
    # A service whose deployment failed has changed; the emulator takes a failed update for no update.
    stacks._sends_back_failed_update = lambda kind: kind == "AWS::ECS::Service" or sends_back(kind)


def _distinguish(stack: dict[str, Any], operation: dict[str, Any]) -> None:
    """Make nested stacks that were updated differ from before: only what differs is rolled back.

    Their properties may be the same, with another template behind the address. The marked properties are
    those of the failed operation, which the rollback replaces.
    """
    for logical_id in operation.get("created", []):
        resource = stack.get("_resources", {}).get(logical_id, {})
        if resource.get("ResourceType") == NESTED:
            resource["Properties"] = {**resource.get("Properties", {}), _MARK: True}
    failed = operation.get("failed_update")
    if failed is not None and failed[1] == NESTED and failed[3] is not None:
        failed[3] = {**failed[3], _MARK: True}


def _keep_templates() -> None:
    entry = provisioners._RESOURCE_HANDLERS[NESTED]
    create, update, delete = entry["create"], entry["update"], entry["delete"]
    resolve = helpers._resolve_template

    def resolve_template(params: dict[str, Any]) -> Any:
        kept = _template_body.get()
        return (kept, None) if kept else resolve(params)

    def create_nested(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        with _set(_parent, (stack_name, logical_id)), _set(_template_body, ""):
            try:
                return create(logical_id, props, stack_name)
            except Exception as error:
                failure = _embedded(stack_name, logical_id, "created", error)
                child = _child(stack_name, logical_id)
                if child is not None:
                    # The rollback knows nothing of a resource whose creation failed, nor of what is in it.
                    _keep_retained(child, ("Retain",))
                    with suppress(ValueError):  # what stays behind the rollback is told of
                        delete(child["StackId"], props)
                raise failure from error

    def delete_nested(physical_id: str, props: dict[str, Any]) -> None:
        child = _stacks.get(provisioners._nested_stack_lookup_name(physical_id))
        if child is not None:
            _keep_retained(child, ("Retain", "RetainExceptOnCreate"))
        delete(physical_id, props)

    def update_nested(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str = ""
    ) -> Any:
        name = provisioners._nested_stack_lookup_name(physical_id)
        child = _stacks.get(name) or {}
        body = child.get("_template_body", "")
        wanted = child.get("_body_before", "") if _is_rolling_back.get() else ""
        with _set(_parent, (stack_name, logical_id)), _set(_template_body, wanted):
            try:
                return update(physical_id, old, new, stack_name)
            except Exception as error:
                raise _embedded(stack_name, logical_id, "updated", error) from error
            finally:
                if name in _stacks and not _is_rolling_back.get():
                    _stacks[name]["_body_before"] = body

    helpers._resolve_template = resolve_template
    entry.update(
        create=create_nested, update=update_nested, delete=delete_nested, update_with_logical_id=True
    )


def _keep_retained(child: dict[str, Any], policies: tuple[str, ...]) -> None:
    """The emulator deletes all that is in a nested stack, whatever its deletion policy says."""
    definitions = child.get("_template", {}).get("Resources", {})
    for logical_id, resource in list(child.get("_resources", {}).items()):
        if definitions.get(logical_id, {}).get("DeletionPolicy") in policies:
            del child["_resources"][logical_id]
            stacks._add_event(
                child["StackId"],
                child["StackName"],
                logical_id,
                resource["ResourceType"],
                "DELETE_SKIPPED",
                physical_id=resource["PhysicalResourceId"],
            )


def _child(parent: str, logical_id: str) -> dict[str, Any] | None:
    """The nested stack that a resource of the parent made last."""
    for stack in reversed(list(_stacks.values())):
        if stack.get("_parent_stack_name") == parent and stack.get("_logical_id") == logical_id:
            return stack
    return None


def _embedded(parent: str, logical_id: str, what: str, error: Exception) -> ValueError:
    """The parent's resource fails with AWS's words; the child's own events have the cause."""
    child = _child(parent, logical_id)
    if child is None:
        return ValueError(str(error))
    reason = str(child.get("StackStatusReason", ""))
    if not reason:  # not one resource's failure, so no event of the child tells it
        return ValueError(f"Embedded stack {child['StackId']} was not successfully {what}: {error}")
    failed = reason.removeprefix("Resource ").partition(" ")[0]
    verb = "update" if failed in child.get("_resources", {}) else "create"
    return ValueError(
        f"Embedded stack {child['StackId']} was not successfully {what}: "
        f"The following resource(s) failed to {verb}: [{failed}]. "
    )


def _always_update() -> None:
    update = provisioners._update_resource

    def update_resource(
        kind: str,
        physical_id: str,
        old: dict[str, Any],
        new: dict[str, Any],
        stack_name: str,
        logical_id: str | None = None,
        old_attrs: dict[str, Any] | None = None,
    ) -> Any:
        key = (stack_name, logical_id or physical_id)
        if old_attrs is None:
            # Inside a nested stack the emulator forgets what a resource answered when it was made, and the
            # next one that asks for an attribute of it fails.
            resources = _stacks.get(stack_name, {}).get("_resources", {})
            old_attrs = resources.get(logical_id, {}).get("Attributes")
        known = dict(old_attrs or {})
        if kind == NESTED and old == new:
            # Its template may have changed behind the same address.
            return provisioners._RESOURCE_HANDLERS[NESTED]["update"](
                physical_id, old, new, stack_name, logical_id
            )
        if kind == "AWS::ECS::Service" and key in _resend:
            _resend.discard(key)
            old = {name: old[name] for name in ("ServiceName", "Cluster", "LaunchType") if name in old}
        try:
            new_id, attributes = update(kind, physical_id, old, new, stack_name, logical_id, known)
        except Exception:
            if kind == "AWS::ECS::Service":
                _resend.add(key)
            raise
        return new_id, {**known, **attributes} if new_id == physical_id else attributes

    provisioners._update_resource = update_resource
    stacks._update_resource = update_resource


def _show_children() -> None:
    """A parent's events name the nested stack as soon as it exists, so that a watcher can follow it."""

    def handle(event: StackEvent, tell: Tell) -> None:
        if (
            event.resource_type == NESTED
            and not event.physical_id
            and event.reason.startswith("Embedded stack ")
        ):
            event = replace(event, physical_id=event.reason.split()[2])
        tell(event)
        stack = _stacks.get(event.stack_name, {})
        parent, parent_logical_id = _parent.get()
        is_own = event.logical_id == event.stack_name and event.resource_type == NESTED
        if is_own and parent and stack.get("_parent_stack_name") == parent and "_logical_id" not in stack:
            stack["_logical_id"] = parent_logical_id
            if event.status == "CREATE_IN_PROGRESS":
                tell(
                    StackEvent(
                        _stacks[parent]["StackId"],
                        parent,
                        parent_logical_id,
                        NESTED,
                        event.status,
                        "Resource creation Initiated",
                        event.stack_id,
                    )
                )

    intercept_events(handle)
