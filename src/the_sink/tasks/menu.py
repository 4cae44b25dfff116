"""What there is to type: every task of a namespace with its options, as plain values.

The reference pages are written from it, and tests hold against it what documents and workflows tell
people and machines to run.
"""

from __future__ import annotations

import runpy
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from the_sink.report.task_pages import Option, TaskEntry

if TYPE_CHECKING:
    from invoke.collection import Collection
    from invoke.parser.argument import Argument


def read_menu(namespace: Collection) -> dict[str, TaskEntry]:
    """Return the tasks of a namespace by name, in the order of ``invoke --list``."""
    found = {}
    for name in sorted(namespace.task_names, key=lambda name: ("." in name, name)):
        task = namespace[name]
        help_line = (task.__doc__ or "").strip().partition("\n\n")[0]
        options = sorted((_option(argument) for argument in task.get_arguments()), key=lambda it: it.flag)
        found[name] = TaskEntry(name, " ".join(help_line.split()), tuple(options))
    return found


def load_menu(checkout: Path) -> dict[str, TaskEntry]:
    """Return the tasks that ``invoke --list`` shows in a folder, by running its ``tasks.py``."""
    return read_menu(runpy.run_path(str(checkout / "tasks.py"))["namespace"])


def find_mistake(command: str, menu: dict[str, TaskEntry]) -> str:
    """Say what is wrong with one ``invoke …`` command as typed in a shell, "" if nothing is.

    Several tasks may follow one another; what comes after ``--`` is not ours.
    """
    words = shlex.split(command)
    words = words[: words.index("--")] if "--" in words else words
    task: TaskEntry | None = None
    values_due = False
    for word in words[1:]:
        if values_due:
            values_due = False
        elif not word.startswith("-"):
            if word not in menu:
                return f"{command}: there is no task {word!r}"
            task = menu[word]
        elif task is not None:
            flag, equals, _ = word.partition("=")
            option = next((each for each in task.options if flag in (each.flag, each.short)), None)
            if option is None and flag not in ("--help", "-h"):
                return f"{command}: {task.name} has no {flag}"
            values_due = option is not None and option.takes_value and not equals
    return f"{command}: a value is missing at its end" if values_due else ""


def _option(argument: Argument) -> Option:
    names = sorted((("--" if len(name) > 1 else "-") + name for name in argument.names), key=len)
    flag = names[-1].replace("_", "-")
    short = names[0] if len(names[0]) == 2 else ""
    return Option(flag, short, bool(argument.takes_value), " ".join((argument.help or "").split()))
