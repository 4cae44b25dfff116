"""A problem found in a file of an app: what ``validate`` lists and what loading a file refuses with."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from the_sink.errors import ConfigError


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong with one file.

    Attributes:
        file: Relative to the app's root, as a reader would type it.
        message: What is wrong, naming the key or parameter. One sentence, without the file.
        hint: The edit or command that repairs it.
        is_warning: Worth knowing, and no reason to refuse.
    """

    file: str
    message: str
    hint: str = ""
    is_warning: bool = False

    def __str__(self) -> str:
        """Return what an error says."""
        return f"{self.file}: {self.message}"

    @property
    def line(self) -> str:
        """The line of a list: whether it is a warning, and what repairs it."""
        return f"{'warning: ' if self.is_warning else ''}{self}{self.hint and f' {self.hint}'}"


def warnings_of(problems: Iterable[Problem], commit: str = "") -> list[Problem]:
    """Return the problems, where all are warnings.

    Args:
        problems: In the order in which they were found.
        commit: As in :func:`refusal`.

    Raises:
        ConfigError: one of them is none.
    """
    found = list(problems)
    if any(not problem.is_warning for problem in found):
        raise refusal(found, commit)
    return found


def refusal(problems: Iterable[Problem], commit: str = "") -> ConfigError:
    """Return the first problem that is no warning as an error that says how many more there are.

    Args:
        problems: At least one of them no warning.
        commit: Whose files they were found in, as a reader would name it; "" for the working tree.
    """
    errors = [problem for problem in problems if not problem.is_warning]
    first, more = errors[0], len(errors) - 1
    counted = f"{more} more problem{'s' * (more > 1)}"
    if commit:
        rest = f" ({counted} there)" if more else ""
        hint = f"{first.hint} Deploy a commit that has it repaired.".strip()
        return ConfigError(f"In commit {commit}: {first}{rest}", hint)
    rest = f" ({counted}: invoke validate lists them)" if more else ""
    return ConfigError(f"{first}{rest}", first.hint)


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known word, or ``""``."""
    lowered = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return f" Did you mean {lowered[near[0]]!r}?" if near else ""
