"""What a flag of ours means, whichever task has it, and how the text typed after it is read.

Invoke converts a number by calling ``int`` on it, which is a traceback when it is not one, so every
value arrives here as the string that was typed and leaves as what the verbs need.
"""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING, NamedTuple

from the_sink.errors import InputError
from the_sink.naming import ENVIRONMENTS

if TYPE_CHECKING:
    from invoke.context import Context


class Flag(NamedTuple):
    """One flag name: its default (whose type Invoke reads), help, and short form.

    A named tuple because making a dataclass costs half a millisecond of ``invoke --list``.
    """

    default: str | bool
    help: str
    short: str = ""


FLAGS = {
    "env": Flag("", "The environment: stage, uat or prod."),
    "commit": Flag("", "The commit to act on: a SHA, branch or tag."),
    "sandbox": Flag(False, "Act on the sandbox of this machine instead of AWS.", "s"),
    "dry_run": Flag(False, "Show what would change, and change nothing."),
    "yes": Flag(False, "Do not ask before acting.", "y"),
    "json": Flag(False, "Print JSON for a script to read.", "j"),
    "timeout": Flag("", "Stop waiting after this many seconds; what was started goes on."),
}
"""The flags that mean the same in every task. Short forms that Invoke itself takes (``-e`` is
``--echo``, ``-d`` ``--debug``, ``-c`` ``--collection``, ``-T`` ``--command-timeout``) are not given away."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*s?")


def required_env(env: str, allowed: tuple[str, ...] = ENVIRONMENTS) -> str:
    """Return ``env`` if it names one of the ``allowed`` environments.

    Raises:
        InputError: naming the flag where it is missing, and the environments there are.
    """
    choices = f"Add --env with one of: {', '.join(allowed)}."
    if not env:
        raise InputError("--env is missing.", choices)
    if env not in allowed:
        raise InputError(f"--env {env}: there is no such environment here.", choices)
    return env


def seconds(value: str, flag: str = "--timeout", default: float | None = None) -> float | None:
    """Return the seconds that were typed, ``default`` where nothing was; ``90`` and ``90s`` are alike."""
    if not value:
        return default
    match = _DURATION.fullmatch(value.strip())
    if match is None or float(match.group(1)) <= 0:
        raise InputError(
            f"{flag} {value}: that is not a number of seconds.", f"Give a number above 0: {flag} 600."
        )
    return float(match.group(1))


def port(value: str, flag: str = "--port", default: int | None = None) -> int | None:
    """Return the TCP port that was typed, ``default`` where nothing was."""
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 65535):
        raise InputError(f"{flag} {value}: a port is a number from 1 to 65535.", f"For example: {flag} 8080.")
    return int(value)


def number_or_all(value: str, flag: str, default: int) -> int | None:
    """Return the number that was typed, ``default`` where nothing was, and None for ``all``."""
    if not value:
        return default
    if value == "all":
        return None
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise InputError(
            f"{flag} {value}: a number above 0, or `all`, is needed.", f"For example: {flag} {default}."
        )
    return int(value)


def pairs(values: list[str] | None, flag: str, example: str) -> dict[str, str]:
    """Return what was typed as ``NAME=value``, the last one of a name; a value may be empty."""
    found: dict[str, str] = {}
    for typed in values or []:
        name, equals, value = typed.partition("=")
        if not equals or not name:
            raise InputError(
                f"{flag} {typed}: a name, an equals sign and a value are needed.",
                f"For example: {flag} {example}",
            )
        found[name] = value
    return found


def passed_on(context: Context) -> list[str]:
    """Return the arguments after ``--``, as they were typed.

    Invoke joins them with spaces, which loses where one ended: ``-k "a or b"`` would become three.
    """
    if not context.remainder:
        return []
    if "--" in sys.argv and " ".join(sys.argv[sys.argv.index("--") + 1 :]) == context.remainder:
        return sys.argv[sys.argv.index("--") + 1 :]
    return shlex.split(context.remainder)
