"""The password of a database: long, and of characters that need no quotes anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_nobody_guesses_it_and_it_goes_into_an_address_as_it_is(stack: Callable[..., Any]) -> None:
    """RDS takes 8 to 128 characters of PostgreSQL
    (https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html)."""
    made = stack("python").properties("DatabaseSecret")["GenerateSecretString"]

    assert 32 <= made["PasswordLength"] <= 128
    # Not by ExcludeCharacters: a character of each kind is required that is not excluded as a kind
    # (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html).
    assert made["ExcludePunctuation"] is True
    assert "ExcludeCharacters" not in made
    assert not made.get("IncludeSpace", False)
    assert made["GenerateStringKey"] == "password"
