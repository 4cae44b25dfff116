"""A role does no more than its permissions boundary says, as on AWS.

ministack bounds the roles that are made by calls of IAM. It overlooks the boundary of a role that a stack
makes, and takes the ARN of a session for ``aws:PrincipalArn``, by which a boundary tells roles apart.
"""

from __future__ import annotations

from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam

from sink_sandbox.services.iam.patch.role_reach import find_document


def install() -> None:
    """Apply the corrections."""
    _find_boundaries()
    _name_roles()


def unread_boundaries() -> list[str]:
    """Return one sentence for each role whose boundary the sandbox does not have."""
    return [
        f"AWS::IAM::Role {role['RoleName']}: the sandbox has no policy {arn.rpartition('/')[2]}, "
        f"and without it the boundary {arn} bounds nothing"
        for role in iam._roles.values()
        if (arn := role.get("PermissionsBoundary")) and find_document(arn) is None
    ]


def _find_boundaries() -> None:
    """``sink.toml`` names the policy of its account on AWS: the sandbox's of the same name stands for it."""

    def permissions_boundary(store: Any, name: str, account_id: str) -> list[Any]:
        arn = (store.get_scoped(account_id, None, name) or {}).get("PermissionsBoundary")
        document = find_document(arn) if arn else None
        return [[iam_evaluator.parse_policy_document(document)]] if document is not None else []

    iam_evaluator._permissions_boundary = permissions_boundary


def _name_roles() -> None:
    """Compare with the role (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html)."""
    resolve = iam_evaluator._resolve_condition_key

    def resolve_condition_key(key: str, ctx: Any) -> Any:
        if key.lower() == "aws:principalarn" and ctx.principal_type == "AssumedRole":
            name = iam_evaluator._role_name_from_assumed_arn(ctx.principal_arn)
            role = iam._roles.get_scoped(ctx.principal_account, None, name)
            if role is not None:
                return role["Arn"]
        return resolve(key, ctx)

    iam_evaluator._resolve_condition_key = resolve_condition_key
