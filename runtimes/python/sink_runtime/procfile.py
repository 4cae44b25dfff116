"""The Procfile: one `name: command` a line, what an app's container runs."""

from __future__ import annotations

import re
from pathlib import Path

from sink_runtime.layout import Refusal

PROCESSES = ("check", "release", "web")
"""Those with a meaning of their own; every further one runs beside `web`."""

_LINE = re.compile(r"(?P<name>[a-z][a-z0-9_-]*):\s*(?P<command>\S.*)")


def read_procfile(path: Path) -> dict[str, str]:
    """Return the commands by name. `web` is always there; `release` and `check` may be.

    Raises:
        Refusal: the file is missing, has a line of another form or a name twice, or has no `web`.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise Refusal(f"{path} is missing: write `web: <command>` into it.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"{path} cannot be read: {error}.") from None
    commands: dict[str, str] = {}
    for number, raw in enumerate(lines, start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise Refusal(f"{path} line {number} is not `name: command`.")
        if match["name"] in commands:
            raise Refusal(f"{path} line {number} names {match['name']!r} a second time.")
        commands[match["name"]] = match["command"]
    if "web" not in commands:
        raise Refusal(f"{path} has no line `web: <command>`: nothing would serve requests.")
    return commands
