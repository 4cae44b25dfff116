"""CloudFormation takes a role for a stack only where the role trusts it, and makes under it what it may make.

The emulator makes resources by itself, by other calls than AWS's handlers, so these calls are not played
under the role. What is checked is whether the role may bring a new thing into being at all: the action that
its type's creation cannot do without (:mod:`sink_host.templates.creating_actions`), on any resource. What an
update, a replacement or a deletion takes, and what only some properties take, is not. A new nested stack is
given the role of the one above, which must be allowed to pass itself on
(https://github.com/aws-solutions-library-samples/data-lakes-on-aws/issues/275).
"""

from __future__ import annotations

import contextvars
from typing import Any

from ministack.core.responses import get_region
from ministack.services.cloudformation import _ACTION_HANDLERS, helpers, provisioners, stacks

from sink_host.templates.creating_actions import creating_actions, resource_pattern
from sink_sandbox.client.lifecycle import ACCOUNT_ID
from sink_sandbox.services.cloudformation.patch.stacks import NESTED
from sink_sandbox.services.iam.access import Credentials, RoleRefused, Roles

_acting: contextvars.ContextVar[Credentials | None] = contextvars.ContextVar("acting", default=None)
"""The role of the stack that is being changed, and of those nested in it; None where nothing is new."""


def install(roles: Roles) -> None:
    """Refuse a role that cannot be assumed, and what a role may not make."""
    for operation in ("CreateStack", "UpdateStack", "CreateChangeSet"):
        _ACTION_HANDLERS[operation] = _with_role_checked(_ACTION_HANDLERS[operation], roles)
    _check_what_is_new(roles)
    _leave_out_what_is_not()


def acting() -> Credentials | None:
    """Return the role of the stack that is being changed; None for one without."""
    return _acting.get()


def _with_role_checked(change: Any, roles: Roles) -> Any:
    def change_stack(params: dict[str, Any]) -> Any:
        role = helpers._p(params, "RoleARN")
        try:
            acting = roles.assume(role, "cloudformation.amazonaws.com", get_region()) if role else None
        except RoleRefused as refused:
            return helpers._error("ValidationError", str(refused))
        token = _acting.set(acting)  # for the task that the change starts, which takes the context along
        try:
            return change(params)
        finally:
            _acting.reset(token)

    return change_stack


def _check_what_is_new(roles: Roles) -> None:
    provision = provisioners._provision_resource

    def provision_resource(kind: str, logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        acting = _acting.get()
        if acting is not None:
            _check(roles, acting, kind)
        return provision(kind, logical_id, props, stack_name)

    provisioners._provision_resource = provision_resource
    stacks._provision_resource = provision_resource


def _check(roles: Roles, acting: Credentials, kind: str) -> None:
    """Fail as the handler of a type fails that is refused its call.

    https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html
    """
    region = get_region()
    actions = creating_actions(kind, region)
    if not actions:
        return
    try:
        roles.check_reach(acting, actions, resource_pattern(actions[0], region, ACCOUNT_ID))
        if kind == NESTED:
            to = {"iam:PassedToService": "cloudformation.amazonaws.com"}
            roles.check(acting, "iam:PassRole", acting.role, region, to)
    except RoleRefused as refused:
        raise ValueError(
            f'Resource handler returned message: "{refused}" (HandlerErrorCode: AccessDenied)'
        ) from refused


def _leave_out_what_is_not() -> None:
    """What was there before was made; that the role may make it still is not certain to be asked on AWS.

    Of many types that cannot be updated here the emulator makes the resource again, in a rollback too.
    """
    update, revert = provisioners._update_resource, stacks._revert_update

    def update_resource(kind: str, *rest: Any, **named: Any) -> Any:
        if kind == NESTED:  # what is new in it is new
            return update(kind, *rest, **named)
        token = _acting.set(None)
        try:
            return update(kind, *rest, **named)
        finally:
            _acting.reset(token)

    async def revert_update(*arguments: Any, **named: Any) -> Any:
        token = _acting.set(None)
        try:
            return await revert(*arguments, **named)
        finally:
            _acting.reset(token)

    provisioners._update_resource = update_resource
    stacks._update_resource = update_resource
    stacks._revert_update = revert_update
