"""``app/Procfile``: one ``name: command`` a line, what the app's container runs.

The runtime reads it again, inside the container and without this package
(``runtimes/python/sink_runtime/procfile.py``); a test holds both to one rule.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from the_sink.config.problems import Problem, did_you_mean

FILE = "app/Procfile"

PROCESSES = ("release", "web", "check")
"""Those with a meaning of their own: the first two in a task, the last in the build. A further one is run
beside ``web``."""

_LINE = re.compile(r"(?P<name>[a-z][a-z0-9_-]*):\s*(?P<command>\S.*)")


def check_processes(commands: Collection[str]) -> list[Problem]:
    """Warn of every process type that looks like a misspelt one: it would run beside ``web``."""
    meant = {name: did_you_mean(name, PROCESSES) for name in commands if name not in PROCESSES}
    return [
        Problem(FILE, f"every task runs {name!r} beside web.{hint}", is_warning=True)
        for name, hint in meant.items()
        if hint
    ]


def parse_procfile(text: str) -> tuple[dict[str, str], list[Problem]]:
    """Return the commands by name, and every line that the runtime would refuse."""
    commands: dict[str, str] = {}
    problems = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            problems.append(
                Problem(FILE, f"line {number} is not 'name: command'.", "A comment begins with #.")
            )
        elif match["name"] in commands:
            problems.append(Problem(FILE, f"line {number} names {match['name']!r} a second time."))
        else:
            commands[match["name"]] = match["command"]
    if "web" not in commands:
        problems.append(
            Problem(
                FILE,
                "it has no line 'web: <command>': nothing would serve.",
                "Write what serves the app into it.",
            )
        )
    return commands, problems
