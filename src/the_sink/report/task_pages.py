"""The reference pages of tasks: what there is to type, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """One option of a task.

    Attributes:
        flag: As it is typed: ``--dry-run``.
        short: Its one-letter form, "" where it has none.
        takes_value: Whether a value follows it.
        help: One sentence.
    """

    flag: str
    short: str
    takes_value: bool
    help: str


@dataclass(frozen=True)
class TaskEntry:
    """One task as ``invoke --list`` names it."""

    name: str
    help: str
    options: tuple[Option, ...]


def render_tasks(entries: Iterable[TaskEntry]) -> str:
    """Return one section a task, its options below it."""
    return "\n\n".join(_section(entry) for entry in entries)


def _section(entry: TaskEntry) -> str:
    lines = [f"## {entry.name}", "", entry.help]
    if entry.options:
        lines += ["", "| | |", "|---|---|"]
        lines += [f"| {_typed(option)} | {escape(option.help)} |" for option in entry.options]
    return "\n".join(lines)


def _typed(option: Option) -> str:
    value = " …" if option.takes_value else ""
    return f"`{option.flag}{value}`" + (f" `{option.short}`" if option.short else "")


def escape(text: str) -> str:
    """Return text that means the same in a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
