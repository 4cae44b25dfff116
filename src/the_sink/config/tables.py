"""Reading a parsed TOML document key by key, collecting every problem instead of stopping at one."""

from __future__ import annotations

import re
from pathlib import Path
from tomllib import TOMLDecodeError, loads
from typing import Any

from the_sink.config.problems import Problem, did_you_mean

_TYPE_NAMES = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a table",
}


def read_toml(path: Path, file: str) -> tuple[dict[str, Any], list[Problem]]:
    """Return what a TOML file says, or an empty table and why it says nothing.

    Args:
        path: The file; the caller has seen that it exists.
        file: Its name for the problems.
    """
    try:
        return loads(path.read_text(encoding="utf-8-sig")), []  # some editors write a mark
    except UnicodeDecodeError:
        return {}, [Problem(file, "it is not UTF-8 text.", "Save it as UTF-8.")]
    except OSError as error:
        return {}, [Problem(file, f"it cannot be read: {error.strerror}.")]
    except TOMLDecodeError as error:
        # An account number beginning with 0 is what most often ends here: no number in TOML.
        hint = "Text goes in quotes, account numbers too." if "account" in _line_of(path, str(error)) else ""
        return {}, [Problem(file, f"it is not TOML: {error}.", hint or "See https://toml.io for its rules.")]


def _line_of(path: Path, message: str) -> str:
    match = re.search(r"at line (\d+)", message)
    lines = path.read_text(encoding="utf-8").splitlines()
    return lines[int(match.group(1)) - 1] if match and int(match.group(1)) <= len(lines) else ""


class Table:
    """One table of a document; what is asked of it is what it may contain.

    Args:
        file: The document's name, for problems.
        path: Dotted, ``""`` for the document itself.
        values: What was parsed.
        problems: Grown by every reading that fails; a failed reading returns its default.
    """

    def __init__(self, file: str, path: str, values: dict[str, Any], problems: list[Problem]) -> None:
        self.file = file
        self.path = path
        self.problems = problems
        self._values = values
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        """Say whether the key is there, whatever its value."""
        return key in self._values

    def keys(self) -> list[str]:
        """Return the keys that are there, in the file's order."""
        return list(self._values)

    def problem(self, key: str, message: str, hint: str = "") -> None:
        """Record what is wrong with one key."""
        self.problems.append(Problem(self.file, f"{self._name(key)} {message}", hint))

    def table(self, key: str, *, required: bool = False, example: str = "") -> Table:
        """Return a table inside this one, empty where it is missing or something else."""
        self._asked.add(key)
        path = f"{self.path}.{key}" if self.path else key
        value = self._values.get(key)
        if value is None and required:
            self.problems.append(Problem(self.file, f"the table [{path}] is missing.", f"Add it: {example}"))
        if value is not None and not isinstance(value, dict):
            self.problem(
                key, f"is {_TYPE_NAMES.get(type(value), 'a date')}; expected: a table.", f"Write [{path}]."
            )
        return Table(self.file, path, value if isinstance(value, dict) else {}, self.problems)

    def text(
        self, key: str, *, required: bool = False, pattern: str = ".*", expected: str = "", default: str = ""
    ) -> str:
        """Return text, ``default`` where it is missing.

        Args:
            key: Its name.
            required: Whether missing or empty is a problem.
            pattern: What all of it must match.
            expected: What to say when it does not: "an AWS region such as eu-west-1".
            default: What a missing or unusable value becomes.
        """
        self._asked.add(key)
        value = self._values.get(key)
        wanted = expected or "text"
        if value is None:
            if required:
                self.problem(key, f"is missing; expected: {wanted}.")
            return default
        if not isinstance(value, str):
            kind = _TYPE_NAMES.get(type(value), "a date")
            self.problem(
                key, f"is {kind}; expected: {wanted}, in quotes.", f'Write it in quotes: {key} = "…".'
            )
            return default
        if (required and not value) or not re.fullmatch(pattern, value):
            self.problem(key, f"is {value!r}; expected: {wanted}.")
            return default
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, empty where it is missing."""
        self._asked.add(key)
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self.problem(key, "must be a list of texts.", f'Write {key} = ["…", "…"].')
            return ()
        return tuple(value)

    def flag(self, key: str) -> bool | None:
        """Return true or false, None where it is missing."""
        self._asked.add(key)
        value = self._values.get(key)
        if value is not None and not isinstance(value, bool):
            self.problem(key, "must be true or false, without quotes.")
            return None
        return value

    def no_more(self) -> None:
        """Record every key that was never asked for: a misspelt setting would be silently ignored."""
        for key in self._values:
            if key not in self._asked:
                self.problem(
                    key,
                    f"is no setting of the platform.{did_you_mean(key, self._asked)}",
                    f"Known here: {', '.join(sorted(self._asked))}.",
                )

    def _name(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key
