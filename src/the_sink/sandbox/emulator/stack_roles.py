"""CloudFormation takes a role for a stack only where the role trusts it.

What it then makes is not played under that role: the emulator makes resources by itself.
"""

from __future__ import annotations

from typing import Any

from ministack.core.responses import get_region
from ministack.services.cloudformation import _ACTION_HANDLERS, helpers

from the_sink.sandbox.access import RoleRefused, Roles


def install(roles: Roles) -> None:
    """Refuse a role that cannot be assumed."""
    for operation in ("CreateStack", "UpdateStack"):
        _ACTION_HANDLERS[operation] = _with_role_checked(_ACTION_HANDLERS[operation], roles)


def _with_role_checked(change: Any, roles: Roles) -> Any:
    def change_stack(params: dict[str, Any]) -> Any:
        role = helpers._p(params, "RoleARN")
        try:
            if role:
                roles.assume(role, "cloudformation.amazonaws.com", get_region())
        except RoleRefused as refused:
            return helpers._error("ValidationError", str(refused))
        return change(params)

    return change_stack
