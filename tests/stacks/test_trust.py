"""Who may act under a role: the services of this account, never for somebody else, and workflows of GitHub.

https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .policies import ACCOUNT, allows, as_list, request

ROLES = [
    *(("pipeline", role) for role in ("PipelineRole", "BuildRole", "StackRole", "EventRole")),
    *(("python", role) for role in ("ExecutionRole", "TaskRole")),
]


def test_every_role_of_a_service_is_in_these_tests(stack: Callable[..., Any]) -> None:
    found = {
        (name, logical_id)
        for name in ("platform", "pipeline", "python")
        for logical_id, resource in stack(name).resources.items()
        if resource["Type"] == "AWS::IAM::Role"
        for statement in resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        if "Service" in statement["Principal"]
    }

    assert found == set(ROLES)


@pytest.mark.parametrize(("name", "role"), ROLES)
def test_a_service_acts_under_a_role_for_this_account_alone(
    name: str, role: str, stack: Callable[..., Any]
) -> None:
    statements = [
        {key: value for key, value in statement.items() if key != "Principal"} | {"Resource": "*"}
        for statement in stack(name).properties(role)["AssumeRolePolicyDocument"]["Statement"]
    ]

    def assumed(**context: str) -> bool:
        return allows(statements, request("sts:AssumeRole", "*", context))

    assert {action for each in statements for action in as_list(each["Action"])} == {"sts:AssumeRole"}
    assert assumed(**{"aws:SourceAccount": ACCOUNT})
    assert not assumed(**{"aws:SourceAccount": "999999999999"})
    assert not assumed()


@pytest.mark.parametrize(
    ("subject", "trusted"),
    [
        ("repo:acme/svc-a:environment:stage", True),
        # Of a repository that is younger than 15 July 2026
        # (https://docs.github.com/en/actions/reference/security/oidc#immutable-subject-claims).
        ("repo:acme@123456/svc-a@456789:environment:stage", True),
        ("repo:acme@123456/svc-a@456789:environment:prod", False),
        ("repo:acme@123456/svc-a@456789:ref:refs/heads/main", False),
        ("repo:acme@123456/other@456789:environment:stage", False),
        ("repo:acme-two@123456/svc-a@456789:environment:stage", False),
        ("repo:acme-two/svc-a:environment:stage", False),
    ],
)
def test_a_workflow_is_known_by_names_with_and_without_numbers(
    subject: str, trusted: bool, stack: Callable[..., Any]
) -> None:
    platform = stack("platform", GitHubOrganization="acme", GitHubRepositoryPattern="svc-*")
    (statement,) = platform.properties("GitHubRole")["AssumeRolePolicyDocument"]["Statement"]
    trust = [{key: statement[key] for key in ("Sid", "Effect", "Action", "Condition")} | {"Resource": "*"}]
    issuer = "token.actions.githubusercontent.com"
    asked = {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": subject}

    assert allows(trust, request("sts:AssumeRoleWithWebIdentity", "*", asked)) == trusted
