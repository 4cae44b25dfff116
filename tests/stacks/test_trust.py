"""Who may act under a role: the services of this account, never for somebody else's.

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
