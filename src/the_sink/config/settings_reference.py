"""Every key that ``sink.toml`` may have, found out by reading an empty one.

Reading is what decides which keys there are (a key that is never asked for is refused), so what is asked
for here can't differ from what is taken.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from the_sink.config import settings
from the_sink.config.tables import Table


@dataclass(frozen=True)
class Setting:
    """One key of ``sink.toml``.

    Attributes:
        table: Dotted, ``environments.<env>`` for the tables of the environments.
        key: Its name in that table.
        expected: What its value must be.
        default: As TOML, "" where a value is required or nothing is the default.
        is_required: Whether a file without it is refused.
        meaning: What it decides.
    """

    table: str
    key: str
    expected: str
    default: str
    is_required: bool
    meaning: str


_ATTRIBUTES = {
    ("app", "name"): (settings.Settings, "app"),
    ("app", "secrets_delivery"): (settings.Settings, "secrets_delivery"),
    ("platform", "name"): (settings.Settings, "platform"),
    ("platform", "repository"): (settings.Settings, "platform_repository"),
    ("sandbox", "name"): (settings.Settings, "sandbox"),
}
"""Where the attribute that says what a key means is named otherwise than the key."""

_CLASSES = {
    "environments.<env>": settings.Environment,
    "package": settings.Package,
    "github": settings.GitHub,
}


def describe_settings() -> list[Setting]:
    """Return the keys of an app's ``sink.toml``, in the order in which they are read."""
    asked: dict[tuple[str, str], bool] = {}
    wanted: dict[tuple[str, str], dict[str, str]] = {}
    defaults: dict[tuple[str, str], dict[str, str]] = {}

    class Recorder(Table):
        """A table that takes note of what it is asked for."""

        def table(self, key: str, *, required: bool = False, example: str = "") -> Table:
            inner = super().table(key, required=required, example=example)
            return Recorder(inner.file, inner.path, {name: {} for name in inner.keys()}, [])  # noqa: SIM118 (a Table is no mapping)

        def text(
            self,
            key: str,
            *,
            required: bool = False,
            pattern: str = ".*",
            expected: str = "",
            default: str = "",
        ) -> str:
            self._note(key, expected or "text", f'"{default}"' if default else "", required)
            return super().text(key, required=required, pattern=pattern, expected=expected, default=default)

        def texts(self, key: str) -> tuple[str, ...]:
            self._note(key, "a list of texts", "[]", False)
            return super().texts(key)

        def flag(self, key: str) -> bool | None:
            self._note(key, "true or false", "", False)
            return super().flag(key)

        def _note(self, key: str, expected: str, default: str, required: bool) -> None:
            first, _, environment = self.path.partition(".")
            path = f"{first}.<env>" if environment else first
            asked.setdefault((path, key), required)
            wanted.setdefault((path, key), {})[environment] = expected
            defaults.setdefault((path, key), {})[environment] = default

    empty: dict[str, Any] = {"environments": {"stage": {}, "uat": {}, "prod": {}}}
    settings.read_document(Path(), Recorder(settings.FILE, "", empty, []))
    return [
        Setting(
            table,
            key,
            expected=_of_environments(wanted[table, key], "; "),
            default=_of_environments(defaults[table, key], ", "),
            is_required=required,
            meaning=_meaning(table, key),
        )
        for (table, key), required in asked.items()
    ]


def _of_environments(by_environment: dict[str, str], separator: str) -> str:
    """Return one text where all have the same, else each with its environment."""
    if len(set(by_environment.values())) == 1:
        return next(iter(by_environment.values()))
    return separator.join(f"{environment}: {text}" for environment, text in by_environment.items())


def _meaning(table: str, key: str) -> str:
    """Return what the attribute's docstring says of it, "" where it says nothing."""
    owner, attribute = _ATTRIBUTES.get((table, key), (_CLASSES.get(table), key))
    found = re.search(
        rf"^ {{4}}{attribute}: (.*(?:\n {{5,}}\S.*)*)", inspect.getdoc(owner) or "", re.MULTILINE
    )
    return " ".join(found[1].split()) if found else ""
