"""Command lines as Docker writes them: read strictly, so that nothing is silently ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sink_sandbox.errors import InputError


@dataclass(frozen=True)
class Syntax:
    """What one command understands.

    Attributes:
        name: As it is typed, for messages.
        switches: Flags without a value, each with the name it is known by; ``--flag=false`` unsets it.
        options: Flags with a value, likewise.
        least: How many arguments there must be.
        most: How many there may be.
        stops: Whether flags end at the first argument, because what follows is somebody else's command.
    """

    name: str
    switches: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    least: int = 0
    most: int = 0
    stops: bool = False


@dataclass(frozen=True)
class Arguments:
    """A command line, taken apart; ``options`` holds every value of a repeated flag in order."""

    switches: frozenset[str]
    options: Mapping[str, list[str]]
    words: list[str]

    def last(self, name: str, default: str = "") -> str:
        """Return the value that counts when a flag is given more than once."""
        values = self.options.get(name) or [default]
        return values[-1]


def read_arguments(syntax: Syntax, words: list[str]) -> Arguments:
    """Take a command line apart.

    Raises:
        InputError: naming the flag that the command does not understand, or the argument that is missing.
    """
    switches: set[str] = set()
    options: dict[str, list[str]] = {}
    rest: list[str] = []
    pending = list(words)
    while pending:
        word = pending.pop(0)
        if word == "--" or not word.startswith("-") or word == "-":
            rest.extend(pending if word == "--" else [word])
            if word == "--" or syntax.stops:
                rest.extend(pending if word != "--" else [])
                break
            continue
        flag, equals, value = word.partition("=")
        if flag in syntax.switches:
            if value not in ("", "true", "false"):
                raise InputError(f"docker {syntax.name}: {flag} is true or false, not {value!r}.")
            (switches.discard if value == "false" else switches.add)(syntax.switches[flag])
            continue
        if not equals and not flag.startswith("--") and flag[:2] in syntax.options and len(flag) > 2:
            flag, equals, value = flag[:2], "=", flag[2:]
        if flag not in syntax.options:
            raise InputError(
                f"docker {syntax.name}: the flag {flag} is not understood without a Docker Engine.",
                f"It understands {', '.join([*syntax.options, *syntax.switches]) or 'no flag'}.",
            )
        if not equals:
            if not pending:
                raise InputError(f"docker {syntax.name}: {flag} needs a value.")
            value = pending.pop(0)
        options.setdefault(syntax.options[flag], []).append(value)
    if not syntax.least <= len(rest) <= syntax.most:
        bound = "at least" if len(rest) < syntax.least else "at most"
        expected = f"{bound} {syntax.least if len(rest) < syntax.least else syntax.most}"
        raise InputError(f"docker {syntax.name} takes {expected} argument(s), not {len(rest)}.")
    return Arguments(frozenset(switches), options, rest)
