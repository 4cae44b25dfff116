"""A Dockerfile as instructions: lines joined, comments gone, flags and JSON forms taken apart.

Only reading happens here; :mod:`sink_sandbox.containers.process.images.build` gives the instructions their
meaning.
Grammar: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sink_sandbox.errors import InputError

KEYWORDS = frozenset(
    {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN", "SHELL"}
    | {"STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
)
_DIRECTIVE = re.compile(r"#\s*(?P<name>[a-zA-Z]+)\s*=\s*(?P<value>\S+)\s*")
_HEREDOC = re.compile(r"<<-?[\"']?[A-Za-z_]")
_FLAG = re.compile(r"--(?P<name>[a-z-]+)(?:=(?P<value>\S*))?(?:\s+|$)")
_VARIABLE = re.compile(
    r"\$(?P<bare>[A-Za-z_]\w*)|\$\{(?P<name>[A-Za-z_]\w*)(?:(?P<op>:?[-+?])(?P<word>[^{}]*))?\}"
)


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        keyword: Upper case.
        rest: What follows keyword and flags, continuation lines joined.
        flags: ``--name=value`` pairs in order; the value is "" for a bare flag.
        line: Where it begins, counted from 1.
        source: The Dockerfile's name, for messages.
    """

    keyword: str
    rest: str
    flags: tuple[tuple[str, str], ...]
    line: int
    source: str

    @property
    def text(self) -> str:
        """The instruction on one line, as a build prints it."""
        flags = "".join(f"--{name}{'=' if value else ''}{value} " for name, value in self.flags)
        return f"{self.keyword} {flags}{self.rest}"

    @property
    def place(self) -> str:
        """File and line, for messages."""
        return f"{self.source} line {self.line}"

    def refuse(self, what: str, hint: str = "") -> InputError:
        """Return the error that names this line and says why it cannot be built here."""
        return InputError(f"{self.place}: {what}", hint)

    def exec_form(self) -> list[str] | None:
        """Return the words of ``["a", "b"]``, or None for the shell form."""
        if not self.rest.startswith("["):
            return None
        try:
            words = json.loads(self.rest)
        except ValueError:
            return None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            return None
        return words


def parse_dockerfile(text: str, source: str) -> list[Instruction]:
    """Return the instructions of a Dockerfile.

    Raises:
        InputError: naming the line and the instruction that the sandbox does not understand.
    """
    found: list[Instruction] = []
    pending: list[str] = []
    began = 0
    directives = True
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if directives and not pending and (match := _DIRECTIVE.fullmatch(line)):
            if match["name"].lower() == "escape" and match["value"] != "\\":
                raise InputError(f"{source} line {number}: another escape character is not understood here.")
            continue
        directives = False
        # Comments and empty lines between continuation lines are dropped, as Docker does.
        if line.startswith("#") or (not line and pending):
            continue
        if not line:
            continue
        began = began if pending else number
        if line.endswith("\\"):
            pending.append(line[:-1].rstrip())
            continue
        found.append(_instruction(" ".join([*pending, line]).strip(), began, source))
        pending = []
    if pending:
        found.append(_instruction(" ".join(pending).strip(), began, source))
    return found


def _instruction(text: str, line: int, source: str) -> Instruction:
    keyword, *following = text.split(None, 1)  # a tab separates as well as a space
    keyword, rest = keyword.upper(), "".join(following).strip()
    flags: list[tuple[str, str]] = []
    while match := _FLAG.match(rest):
        flags.append((match["name"], match["value"] or ""))
        rest = rest[match.end() :]
    found = Instruction(keyword, rest, tuple(flags), line, source)
    if keyword not in KEYWORDS:
        raise found.refuse(
            f"{keyword} is not understood without a Docker Engine.",
            f"The sandbox understands {', '.join(sorted(KEYWORDS))}.",
        )
    if keyword in {"RUN", "COPY"} and _HEREDOC.search(rest):
        raise found.refuse(f"the heredoc of {keyword} is not understood without a Docker Engine.")
    if not rest:
        raise found.refuse(f"{keyword} needs an argument.")
    return found


def split_words(text: str, instruction: Instruction, variables: Mapping[str, str] | None = None) -> list[str]:
    """Split at spaces that no quote and no backslash protects; quotes and backslashes go.

    With ``variables``, ``$name``, ``${name}``, ``${name:-word}``, ``${name:+word}`` and ``${name:?word}``
    are replaced outside single quotes. As in Docker an undefined variable is empty, and what a value
    holds is neither split nor unquoted.

    Raises:
        InputError: an open quote, another kind of substitution, or ``:?`` of a variable that is not set.
    """
    words: list[str] = []
    current: list[str] = []
    quote = ""
    begun = False
    position = 0
    while position < len(text):
        letter = text[position]
        step = 1
        if letter == "\\" and quote != "'" and position + 1 < len(text):
            following = text[position + 1]
            # Within double quotes a backslash is itself unless it protects a quote, a dollar or another.
            current.append(following if not quote or following in '"\\$' else letter + following)
            begun, step = True, 2
        elif letter == "$" and quote != "'" and variables is not None and text[position + 1 : position + 2]:
            value, step = _substitute(text, position, instruction, variables)
            current.append(value)
            begun = True
        elif quote:
            if letter == quote:
                quote = ""
            else:
                current.append(letter)
        elif letter in "\"'":
            quote, begun = letter, True
        elif letter.isspace():
            if begun:
                words.append("".join(current))
            current, begun = [], False
        else:
            current.append(letter)
            begun = True
        position += step
    if quote:
        raise instruction.refuse("a quote is not closed.")
    if begun:
        words.append("".join(current))
    return words


def _substitute(
    text: str, position: int, instruction: Instruction, variables: Mapping[str, str]
) -> tuple[str, int]:
    """Return the value of the variable at ``position`` and how many characters it takes up there."""
    match = _VARIABLE.match(text, position)
    if match is None:
        if text.startswith("${", position):
            raise instruction.refuse("this variable substitution is not understood without a Docker Engine.")
        return "$", 1
    length = match.end() - position
    name, operator, word = match["bare"] or match["name"], match["op"] or "", match["word"] or ""
    known = variables.get(name)
    present = bool(known) if operator.startswith(":") else known is not None
    other = " ".join(split_words(word, instruction, variables))
    if operator.endswith("+"):
        return (other if present else ""), length
    if operator.endswith("?") and not present:
        raise instruction.refuse(f"{name}: {word or 'it is not set'}.")
    return (known or "") if present or not operator else other, length


def split_pairs(text: str, instruction: Instruction, variables: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the pairs of ``ENV`` and ``LABEL``: ``a=1 b="2 3"``, or the old form ``a the rest``.

    Raises:
        InputError: a name without a value.
    """
    words = split_words(text, instruction, variables)
    if "=" not in words[0]:
        if len(words) == 1:
            raise instruction.refuse(f"{instruction.keyword} {words[0]} has no value.")
        return [(words[0], " ".join(words[1:]))]
    pairs = [word.partition("=") for word in words]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise instruction.refuse(f"{instruction.keyword} expects name=value, not {name!r}.")
    return [(name, value) for name, _, value in pairs]
