"""What a role may do: its policies, as a resolved template has them, by the evaluator of the sandbox.

The evaluator is ministack's, which plays IAM in the sandbox too; ``test_policies`` holds what these tests
rely on. Tokens of :mod:`conftest` (``<FileSystem.Arn>``) are values like any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

ACCOUNT = "123456789012"
REGION = "eu-west-1"

BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
EVERYTHING: dict[str, dict[str, str]] = {
    "platform": {
        "GitHubOrganization": "acme",
        "NetworkEgress": "nat-per-zone",
    },
    "python": {
        "SecretsDelivery": "task",
        "EnableExec": "true",
        "PermissionsBoundaryArn": BOUNDARY,
        "AlarmTopicArn": "arn:aws:sns:eu-west-1:1:t",
    },
    "pipeline": {
        "PermissionsBoundaryArn": BOUNDARY,
        "NotificationTopicArn": "arn:aws:sns:eu-west-1:1:t",
        "RequireApproval": "true",
        "PromotedFrom": "stage",
        "GitHubRepository": "acme/demo-app",
    },
}
"""Parameters with which each template makes every role and statement it has."""


@dataclass(frozen=True)
class Request:
    """Something that a role asks for; ``context`` holds the condition keys that AWS sets for it."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


def request(action: str, resource: str = "*", context: Mapping[str, str] | None = None) -> Request:
    """A request."""
    return Request(action, resource, tuple(sorted((context or {}).items())))


def allows(
    statements: list[dict[str, Any]],
    asked: Request,
    *,
    role: str = f"arn:aws:iam::{ACCOUNT}:role/role",
    boundary: list[dict[str, Any]] | None = None,
) -> bool:
    """Whether a role with these statements may do it, under a permissions boundary of these, if there is one.

    Args:
        statements: The role's own.
        asked: What it asks for.
        role: The role's ARN, for conditions on ``aws:PrincipalArn``.
        boundary: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
    """
    context = EvalContext(
        # The role's own, as IAM has it of a session
        # (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html).
        principal_arn=role,
        principal_type="AssumedRole",
        principal_account=ACCOUNT,
        action=asked.action,
        resource_arn=asked.resource,
        region=REGION,
        # The evaluator knows it apart; requests go over TLS unless a test says otherwise.
        secure_transport=("aws:SecureTransport", "false") not in asked.context,
        service_context={key.lower(): value for key, value in asked.context},
    )
    limits = [] if boundary is None else [[_document(boundary)]]
    return bool(evaluate(context, [_document(statements)], *limits).decision == "Allow")


def _document(statements: list[dict[str, Any]]) -> Any:
    return parse_policy_document({"Version": "2012-10-17", "Statement": statements})


def role_statements(stack: Any, logical_id: str) -> list[dict[str, Any]]:
    """The statements of a role: its own, and those of the stack's managed policies that are for it."""
    documents = [policy["PolicyDocument"] for policy in stack.properties(logical_id).get("Policies", [])]
    documents += [
        resource["Properties"]["PolicyDocument"]
        for resource in stack.resources.values()
        if resource["Type"] == "AWS::IAM::ManagedPolicy"
        and f"<{logical_id}>" in resource["Properties"].get("Roles", [])
    ]
    return [statement for document in documents for statement in document["Statement"]]


def filled(statements: list[dict[str, Any]], arns: Mapping[str, str]) -> list[dict[str, Any]]:
    """The statements with ``<LogicalId.Arn>`` of their resources replaced, for the logical ids given."""

    def fill(resource: str) -> str:
        return re.sub(r"<(\w+)\.Arn>", lambda found: arns.get(found[1], found[0]), resource)

    return [
        {**statement, "Resource": [fill(resource) for resource in as_list(statement["Resource"])]}
        for statement in statements
    ]


def statements(stack: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every IAM statement of a stack's roles and resource policies, with the resource that holds it."""
    for logical_id, resource in stack.resources.items():
        properties = resource["Properties"]
        if logical_id == "Boundary":
            continue  # it gives nothing, and test_boundary looks at it
        is_role = resource["Type"] == "AWS::IAM::Role"
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])] if is_role else []
        documents += [
            properties[key]
            for key in ("AssumeRolePolicyDocument", "PolicyDocument", "FileSystemPolicy")
            if key in properties
        ]
        for document in documents:
            for statement in document["Statement"]:
                yield logical_id, statement


def as_list(value: Any) -> list[Any]:
    """IAM takes one or several alike."""
    return value if isinstance(value, list) else [value]


def parts(statements: list[dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each (Sid, action) with the statement that allows that alone; and so for each (Sid, resource)."""
    for statement in (each for each in statements if each["Effect"] == "Allow"):
        for action in as_list(statement["Action"]):
            yield statement["Sid"], action, {**statement, "Action": action}
        for resource in as_list(statement["Resource"]):
            yield statement["Sid"], resource, {**statement, "Resource": resource}


@cache
def _reference() -> dict[str, Any]:
    """AWS's Service Authorization Reference, as cfn-lint carries it."""
    from cfnlint.data import AdditionalSpecs

    return json.loads((files(AdditionalSpecs) / "Policies.json").read_text())


def is_known(action: str) -> bool:
    """Whether AWS has an action of that name."""
    service, name = action.split(":")
    return name.lower() in _reference().get(service, {}).get("Actions", {})


def actions_of(service: str) -> list[str]:
    """All actions that AWS has of a service, in lower case."""
    return [f"{service}:{name}" for name in _reference()[service]["Actions"]]


def resource_kinds(action: str) -> list[str]:
    """The kinds of resources that an action is authorized on; none where it is on ``*``.

    https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
    """
    service, name = action.split(":")
    return list(_reference()[service]["Actions"][name.lower()].get("Resources", []))


def length(policies: Any) -> int:
    """How long policies are as IAM counts them; a token stands for an ARN or an id that is not known here."""
    return len(re.sub(r"<[^>]+>", "x" * 60, json.dumps(policies, separators=(",", ":"))))
