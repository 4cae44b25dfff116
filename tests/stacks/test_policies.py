"""The evaluator that the tests of roles rely on, for the words that the templates' policies use.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .policies import EVERYTHING, allows, as_list, is_known, request, statements

names = st.text("abcdefgh-/:", min_size=1, max_size=12)
actions = st.sampled_from(["s3:GetObject", "s3:PutObject", "ecs:UpdateService", "iam:PassRole"])


def allow(action: Any, resource: Any, **condition: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **condition}


@given(actions, names)
def test_nothing_is_allowed_that_no_statement_allows(action: str, resource: str) -> None:
    assert not allows([allow("ec2:RunInstances", "*")], request(action, resource))


@given(actions, names, names)
def test_a_wildcard_takes_any_text_and_what_stands_around_it_must_match(
    action: str, before: str, after: str
) -> None:
    statement = allow(action, f"arn:{before}*")

    assert allows([statement], request(action, f"arn:{before}{after}"))
    assert not allows([statement], request(action, f"other:{before}{after}"))


@given(actions, names)
def test_a_deny_wins_in_any_order(action: str, resource: str) -> None:
    both = [allow("*", "*"), {"Effect": "Deny", "Action": action, "Resource": resource}]

    assert not allows(both, request(action, resource))
    assert not allows(both[::-1], request(action, resource))
    assert allows(both, request(action, f"{resource}!"))


@given(st.lists(names, min_size=1, max_size=3, unique=True), names)
def test_a_condition_takes_one_of_its_values_and_no_absent_key(wanted: list[str], given_value: str) -> None:
    statement = allow("iam:PassRole", "*", Condition={"StringEquals": {"iam:PassedToService": wanted}})

    def is_allowed(**context: str) -> bool:
        return allows([statement], request("iam:PassRole", "r", context))

    assert not is_allowed()
    assert allows([statement], request("iam:PassRole", "r", {"iam:PassedToService": wanted[-1]}))
    assert allows([statement], request("iam:PassRole", "r", {"iam:PassedToService": given_value})) == (
        given_value in wanted
    )


def test_every_condition_of_a_statement_must_hold() -> None:
    both = {"StringEquals": {"ec2:Vpc": "v"}, "Bool": {"elasticfilesystem:Encrypted": "true"}}
    statement = allow("ec2:X", "*", Condition=both)
    held = {"ec2:Vpc": "v", "elasticfilesystem:Encrypted": "true"}

    assert allows([statement], request("ec2:X", "*", held))
    assert not allows([statement], request("ec2:X", "*", {**held, "ec2:Vpc": "w"}))
    assert not allows([statement], request("ec2:X", "*", {**held, "elasticfilesystem:Encrypted": "false"}))


def test_resources_are_compared_with_their_case_and_actions_without() -> None:
    assert allows([allow("S3:getobject", "a")], request("s3:GetObject", "a"))
    assert not allows([allow("s3:GetObject", "a")], request("s3:GetObject", "A"))


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_action_of_a_statement_exists(name: str, stack: Callable[..., Any]) -> None:
    """A misspelt one allows nothing, and nobody is told."""
    stated = {
        (logical_id, action)
        for logical_id, statement in statements(stack(name, **EVERYTHING[name]))
        for action in as_list(statement["Action"])
        # What denies all of a service's names none.
        if statement["Effect"] == "Allow" or not action.endswith(":*")
    }

    assert stated
    assert [each for each in sorted(stated) if not is_known(each[1])] == []
