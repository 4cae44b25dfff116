"""The user pool: who is in it was invited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_nobody_signs_up_and_nobody_deletes_all_users_by_mistake(stack: Callable[..., Any]) -> None:
    pool = stack("platform").properties("UserPool")

    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    assert pool["DeletionProtection"] == "ACTIVE"


def test_a_password_alone_can_be_made_not_to_do(stack: Callable[..., Any]) -> None:
    pool = stack("platform").properties("UserPool")

    assert pool["MfaConfiguration"] in ("OPTIONAL", "ON")
    assert pool["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"]
    assert pool["Policies"]["PasswordPolicy"]["MinimumLength"] >= 12
