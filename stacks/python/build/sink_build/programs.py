"""Runs the programs that a build host has: ``aws`` and ``docker``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from sink_build.errors import CommandFailed


@dataclass(frozen=True)
class Answer:
    """How a program ended that was listened to."""

    code: int
    out: str
    err: str


def ask(
    words: Sequence[str],
    environ: Mapping[str, str],
    *,
    given: str | None = None,
) -> Answer:
    """Run a program and return what it answers, whatever its exit code.

    Args:
        words: The program and its arguments; a secret never is one of them.
        environ: Its environment.
        given: Its standard input; None for an empty one.

    Raises:
        CommandFailed: there is no such program.
    """
    try:
        done = subprocess.run(
            list(words),
            env=dict(environ),
            input=given if given is not None else "",
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise _is_missing(words[0]) from error
    return Answer(done.returncode, done.stdout, done.stderr)


def show(words: Sequence[str], environ: Mapping[str, str], out: IO[bytes] | None = None) -> int:
    """Run a program whose output is part of the log; return its exit code.

    Args:
        words: The program and its arguments; a secret never is one of them.
        environ: Its environment.
        out: Where its standard output goes instead; what it says of errors stays in the log.

    Raises:
        CommandFailed: there is no such program.
    """
    sys.stdout.flush()
    try:
        return subprocess.run(
            list(words), env=dict(environ), stdin=subprocess.DEVNULL, stdout=out, check=False
        ).returncode
    except FileNotFoundError as error:
        raise _is_missing(words[0]) from error


def _is_missing(program: str) -> CommandFailed:
    return CommandFailed(
        f"There is no program {program} here.",
        "Use a build image of the platform's BuildProject: it has aws and docker.",
    )
