"""``secrets.list``, ``set``, ``unset`` and ``diff``: the values of an environment's secret, one at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from the_sink.aws.session import Aws
from the_sink.config.problems import did_you_mean
from the_sink.errors import InputError, NotFound
from the_sink.local import env_file
from the_sink.models import SecretValue
from the_sink.naming import Names

_LARGEST = 65_536
"""Bytes of a secret: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html"""


@dataclass(frozen=True)
class EnvironmentSecret:
    """An environment's secret as it was read.

    Attributes:
        name: The secret's.
        before: Its value, and which version of it.
        values: The same as an object; what is not text there, the runtime refuses.
    """

    name: str
    before: SecretValue = field(repr=False)
    values: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Difference:
    """What a list of names and a secret do not have in common, in the order of each."""

    missing: tuple[str, ...]
    more: tuple[str, ...]


def require_secret(aws: Aws, names: Names) -> None:
    """See that the environment has a secret.

    Raises:
        NotFound: it has none, or one that is about to be deleted.
    """
    found = aws.secrets.describe(names.secret)
    if found is None or found.is_scheduled_for_deletion:
        what = "is waiting for its deletion" if found else "does not exist"
        raise NotFound(
            f"The secret {names.secret} {what}.",
            f"Run invoke bootstrap --env {names.env}{aws.target.flags} first.",
        )


def read_secret(aws: Aws, names: Names, root: Path) -> EnvironmentSecret:
    """Return an environment's secret.

    Args:
        aws: The environment's account.
        names: Of the app there.
        root: The app's root.

    Raises:
        NotFound: there is none.
        InputError: it is no JSON object; the message does not show its value.
    """
    require_secret(aws, names)
    before = aws.secrets.read(names.secret)
    try:
        values = json.loads(before.text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        env_file.render_secret(before.text, names.secret, root)  # refuses it in the runtime's words
        raise AssertionError("the runtime takes nothing but an object")
    return EnvironmentSecret(names.secret, before, values)


def set_value(aws: Aws, names: Names, root: Path, key: str, value: str) -> EnvironmentSecret | None:
    """Give one key of an environment's secret a value, and leave the others as they are.

    Args:
        aws: The environment's account.
        names: Of the app there.
        root: The app's root.
        key: The setting's name.
        value: Its value; no message shows it.

    Returns:
        The secret before the change; None if it had that value already, and nothing was changed.

    Raises:
        InputError: the runtime would refuse the key or the value, or the secret becomes too large.
        SinkError: somebody else changed the secret meanwhile.
    """
    secret = read_secret(aws, names, root)
    if secret.values.get(key) == value:
        return None
    text = json.dumps({**secret.values, key: value}, ensure_ascii=False)
    if len(text.encode()) > _LARGEST:
        raise InputError(
            f"With {key} the secret {secret.name} would have {len(text.encode())} bytes; {_LARGEST} are "
            "allowed.",
            "Make what is long a secret of its own: docs/how-to/add-a-secret-setting.md of the platform.",
        )
    env_file.check_setting(key, value, root)
    aws.secrets.replace(secret.name, secret.before, text)
    return secret


def unset_value(aws: Aws, names: Names, root: Path, key: str) -> EnvironmentSecret:
    """Take one key out of an environment's secret, and leave the others as they are.

    Returns:
        The secret before the change.

    Raises:
        NotFound: it has no such key.
        SinkError: somebody else changed the secret meanwhile.
    """
    secret = read_secret(aws, names, root)
    if key not in secret.values:
        raise NotFound(
            f"The secret {secret.name} has no {key}.{did_you_mean(key, secret.values)}",
            f"What it has: invoke secrets.list --env {names.env}{aws.target.flags}",
        )
    left = {name: value for name, value in secret.values.items() if name != key}
    aws.secrets.replace(secret.name, secret.before, json.dumps(left, ensure_ascii=False))
    return secret


def compare(aws: Aws, names: Names, root: Path, expected: tuple[str, ...]) -> Difference:
    """Return which of the expected names an environment's secret lacks, and which it has besides."""
    found = read_secret(aws, names, root).values
    return Difference(
        missing=tuple(name for name in expected if name not in found),
        more=tuple(name for name in found if name not in expected),
    )
