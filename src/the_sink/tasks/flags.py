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
    from datetime import timedelta

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

_TIME_SPAN = re.compile(r"([1-9]\d{0,8})([smhd])", re.ASCII)
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_S = 3650 * 86400
"""Ten years: no log group keeps anything for longer
(https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html)."""

_TASK_ID = re.compile(r"[0-9a-f][0-9a-f-]{0,35}")
"""Or its beginning; in accounts of long ago with hyphens:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html"""

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


def time_span(value: str, flag: str = "--since") -> timedelta:
    """Return the time that was typed as a number and its unit, ten years at most: ``90s``, ``10m``, ``2d``.

    Raises:
        InputError: it is something else.
    """
    from datetime import timedelta

    match = _TIME_SPAN.fullmatch(value.strip())
    if match is None:
        raise InputError(
            f"{flag} {value}: that is not a time span.",
            f"Give a number with s, m, h or d behind it: {flag} 1h.",
        )
    return timedelta(seconds=min(int(match[1]) * _UNITS_S[match[2]], _LONGEST_S))


def task_id(value: str, flag: str = "--task") -> str:
    """Return the beginning of an ECS task's id, also of one that was typed with its whole ARN."""
    found = value.strip().rpartition("/")[2]
    if value and not _TASK_ID.fullmatch(found):
        raise InputError(
            f"{flag} {value}: that is not the id of a task, nor its beginning.",
            f"An id has 32 hexadecimal digits, and `invoke logs` shows the first eight: {flag} 3f2c1ab0.",
        )
    return found


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
