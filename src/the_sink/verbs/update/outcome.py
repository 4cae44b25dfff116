"""What an update did, or would do, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from the_sink.config.problems import Problem
from the_sink.verbs.update.target import Target


class Kind(StrEnum):
    """What became of one file."""

    ADDED = "added"
    CHANGED = "changed"
    """By the template alone."""
    MERGED = "merged"
    """By the template and by the team, who had no quarrel."""
    REMOVED = "removed"
    KEPT = "kept"
    """The team's own, although the template has another."""
    CONFLICT = "conflict"


@dataclass(frozen=True)
class FileChange:
    """One file of the app.

    Attributes:
        path: Relative to the app's folder.
        kind: What became of it.
        note: What a reader should know besides, "" for nothing.
    """

    path: str
    kind: Kind
    note: str = ""


@dataclass(frozen=True)
class Outcome:
    """An update.

    Attributes:
        target: From where to where.
        files: Every file that changed, is in conflict, or was kept although the template changed it.
        new_answers: The questions that the app had not answered, with the default that each took.
        problems: What ``validate`` would say of the result.
        is_applied: Whether the working tree has it.
    """

    target: Target
    files: tuple[FileChange, ...]
    new_answers: Mapping[str, object]
    problems: tuple[Problem, ...]
    is_applied: bool

    def paths(self, kind: Kind) -> tuple[str, ...]:
        """Return the paths of one kind."""
        return tuple(file.path for file in self.files if file.kind is kind)

    @property
    def locks_are_behind(self) -> bool:
        """Whether the app's dependencies changed, which its locks do not know yet."""
        return any(
            file.path == "app/pyproject.toml" and file.kind in {Kind.CHANGED, Kind.MERGED}
            for file in self.files
        )
