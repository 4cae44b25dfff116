"""Reads the command line: one subcommand, its arguments, and what its failure looks like."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Callable

from sink_build import admit, image, login, push, record, settings
from sink_build.errors import CommandFailed


@dataclass(frozen=True)
class Command:
    """One subcommand.

    Attributes:
        summary: What it does, for the usage message.
        run: Does it, with the environment's variables and the arguments after the subcommand; raises
            :class:`CommandFailed`.
    """

    summary: str
    run: Callable[[Mapping[str, str], Sequence[str]], None]


COMMANDS: Mapping[str, Command] = {
    "login": Command("log in to the registry, and find the runtime image", login.run),
    "settings": Command("write the values of the app's secret into .env", settings.run),
    "image": Command("build the release's image, or take over the one that was tested", image.run),
    "push": Command("push the image, and write imagedefinitions.json", push.run),
    "admit": Command("let only an image of this commit's own build or of the ledger roll out", admit.run),
    "record": Command("move the tag to what serves, and write the release into the ledger", record.run),
}


def main(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Run a subcommand; return the exit code: 0 done, 1 it failed, 2 there is no such subcommand."""
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        print(_usage(), file=sys.stderr)
        return 2
    try:
        command.run(environ, arguments[1:])
    except CommandFailed as failure:
        sys.stdout.flush()  # a log joins both streams: what was said before stays before
        print(f"sink-build {arguments[0]}: {failure}", file=sys.stderr)
        return 1
    return 0


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = (f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items())
    return "\n".join(("Usage: sink-build <command>", "", "Commands:", *lines))
