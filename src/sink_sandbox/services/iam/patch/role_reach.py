"""What a role's policies allow on anything at all: for what is asked before its resource has a name.

ministack's evaluator answers for one request with its resource and its context. Here neither is known yet,
so only a refusal that holds for all of them counts: no statement allows the action on any resource, under
any condition, or one denies it on everything, without any.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import ParsedStatement
from ministack.services import iam

from sink_sandbox.client.lifecycle import ACCOUNT_ID


def why_out_of_reach(role_name: str, actions: Sequence[str]) -> str:
    """Return why a role may do none of the actions, "" where it may do one of them to something.

    The answer is about the first action, and ends AWS's sentence
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html).
    """
    policies = _policies(role_name)
    if policies is None:
        return ""
    allowed = [statement for policy in policies for statement in policy]
    limits = iam_evaluator._permissions_boundary(iam._roles, role_name, ACCOUNT_ID)
    layers = [("identity-based policy", allowed)]
    layers += [("permissions boundary", [each for policy in limit for each in policy]) for limit in limits]
    found = [_refusal(layers, action) for action in actions]
    return found[0] if all(found) else ""


def _refusal(layers: Sequence[tuple[str, list[ParsedStatement]]], action: str) -> str:
    for kind, statements in layers:
        if any(each.effect == "Deny" and _is_total(each) for each in _about(action, statements)):
            return f"with an explicit deny in {_article(kind)} {kind}"
    for kind, statements in layers:
        if not any(each.effect == "Allow" for each in _about(action, statements)):
            return f"because no {kind} allows the {action} action"
    return ""


def _article(kind: str) -> str:
    return "an" if kind[0] in "aeiou" else "a"


def _about(action: str, statements: list[ParsedStatement]) -> Iterator[ParsedStatement]:
    return (
        each for each in statements if iam_evaluator._action_matches(action, each.actions, each.not_actions)
    )


def _is_total(statement: ParsedStatement) -> bool:
    return "*" in statement.resources and not statement.conditions


def _policies(role_name: str) -> list[list[ParsedStatement]] | None:
    """Return the statements of each policy, None where one is attached that nobody here has the text of.

    ``sink.toml`` names the policies of its account on AWS: the sandbox's of the same name stands for one.
    """
    role = iam._roles.get_scoped(ACCOUNT_ID, None, role_name)
    if role is None:
        return None
    documents = list((role.get("InlinePolicies") or {}).values())
    documents += [find_document(arn) for arn in role.get("AttachedPolicies", [])]
    if None in documents:
        return None
    return [iam_evaluator.parse_policy_document(document) for document in documents]


def unread_policies() -> list[str]:
    """Return one sentence for each policy of a role for stacks that the sandbox does not have."""
    return [
        f"AWS::IAM::Role {role['RoleName']}: the sandbox has no policy {arn.rpartition('/')[2]}, "
        f"and takes {arn} to let CloudFormation make everything"
        for role in iam._roles.values()
        if "cloudformation.amazonaws.com" in str(role.get("AssumeRolePolicyDocument"))
        for arn in role.get("AttachedPolicies", [])
        if find_document(arn) is None
    ]


def find_document(arn: str) -> Any:
    """Return what a managed policy says, None where the sandbox has none of its name."""
    return iam_evaluator._resolve_managed_policy_document(_own(arn), ACCOUNT_ID)


def _own(arn: str) -> str:
    """Return the ARN of the sandbox's own policy that stands for one of another account; AWS's are AWS's."""
    parts = arn.split(":")
    if len(parts) == 6 and parts[4].isdecimal():
        parts[4] = ACCOUNT_ID
    return ":".join(parts)
