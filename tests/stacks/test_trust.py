"""Who may act under a role: the services of this account, never for somebody else, and workflows of GitHub.

https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
"""

from __future__ import annotations

import re
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


ISSUER = "token.actions.githubusercontent.com"

OLD, NEW = "acme/svc-a", "acme@123456/svc-a@456789"
"""A repository's name in its tokens; that of one made or renamed since July 2026 has GitHub's numbers in it.

https://docs.github.com/en/actions/reference/security/oidc#immutable-subject-claims
"""


@pytest.mark.parametrize(
    ("repository", "subject", "trusted"),
    [
        (OLD, "repo:acme/svc-a:environment:stage", True),
        (NEW, "repo:acme@123456/svc-a@456789:environment:stage", True),
        # Each is the one repository: a name that somebody else has taken over since has other numbers.
        (OLD, "repo:acme@123456/svc-a@456789:environment:stage", False),
        (NEW, "repo:acme/svc-a:environment:stage", False),
        (NEW, "repo:acme@999999/svc-a@456789:environment:stage", False),
        (NEW, "repo:acme@123456/svc-a@999999:environment:stage", False),
        (NEW, "repo:acme@123456/svc-a@456789:environment:prod", False),
        (NEW, "repo:acme@123456/svc-a@456789:environment:stage-2", False),
        (NEW, "repo:acme@123456/svc-a@456789:ref:refs/heads/main", False),
        (NEW, "repo:acme@123456/svc-a@456789:pull_request", False),
        (NEW, "repo:acme@123456/other@456789:environment:stage", False),
        (OLD, "repo:acme/svc-a-two:environment:stage", False),
        (OLD, "repo:acme-two/svc-a:environment:stage", False),
    ],
)
def test_a_role_trusts_jobs_of_one_repository_and_environment(
    repository: str, subject: str, trusted: bool, stack: Callable[..., Any]
) -> None:
    delivery = stack("pipeline", GitHubRepository=repository)
    (statement,) = delivery.properties("GitHubRole")["AssumeRolePolicyDocument"]["Statement"]
    trust = [{key: statement[key] for key in ("Sid", "Effect", "Action", "Condition")} | {"Resource": "*"}]

    def assumed(**context: str) -> bool:
        return allows(trust, request("sts:AssumeRoleWithWebIdentity", "*", context))

    assert statement["Principal"] == {"Federated": "<import the-sink-GitHubOidcProviderArn>"}
    assert assumed(**{f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": subject}) == trusted
    assert not assumed(**{f"{ISSUER}:aud": "https://github.com/acme", f"{ISSUER}:sub": subject})
    assert not assumed(**{f"{ISSUER}:aud": "sts.amazonaws.com"})


@pytest.mark.parametrize("env", ["stage", "uat", "prod"])
def test_no_trust_in_workflows_has_a_pattern(env: str, stack: Callable[..., Any]) -> None:
    """Without a repository there is no role; the platform's own stack has none at all."""
    without = stack("pipeline", AppEnv=env)
    conditions = stack("pipeline", AppEnv=env, GitHubRepository=NEW).properties("GitHubRole")[
        "AssumeRolePolicyDocument"
    ]["Statement"][0]["Condition"]

    assert conditions == {
        "StringEquals": {
            f"{ISSUER}:aud": "sts.amazonaws.com",
            f"{ISSUER}:sub": f"repo:{NEW}:environment:{env}",
        }
    }
    assert "GitHubRole" not in without.resources
    assert "GitHubRoleArn" not in without.outputs
    platform = stack("platform", GitHubOrganization="acme")
    assert "AWS::IAM::Role" not in {resource["Type"] for resource in platform.resources.values()}


@pytest.mark.parametrize(
    ("repository", "taken"),
    [
        ("", True),
        (OLD, True),
        (NEW, True),
        ("acme/*", False),
        ("acme@*/svc-a@*", False),
        ("acme@1/svc-a", False),
        ("acme", False),
        ("acme/svc-a:environment:prod", False),
    ],
)
def test_a_repository_is_named_whole(repository: str, taken: bool, stack: Callable[..., Any]) -> None:
    pattern = stack("pipeline").template["Parameters"]["GitHubRepository"]["AllowedPattern"]

    assert bool(re.fullmatch(pattern, repository)) == taken
