r"""The .env file: written so that every value survives, read as python-dotenv reads it.

An app may read the same file with python-dotenv (pydantic-settings does), whose form has two traps, both
seen with 1.2: ``${NAME}`` is replaced in every value, whatever the quotes, and a backslash before the
closing quote hides that quote. Neither can be escaped, but ``${:-x}``, the default of a variable without
a name, is always ``x``: the writer says ``$`` and a last ``\`` that way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sink_runtime.layout import Refusal

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
"""What can be the name of an environment variable in every shell."""

# After "=" and a space "#" begins a comment, and without the space a value.
_ENTRY = re.compile(
    r"""(?:export[^\S\n]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[^\S\n]*=[^\S\n]*
        (?: (?: '(?P<single>(?:\\.|[^'\\])*)' | "(?P<double>(?:\\.|[^"\\])*)" ) [^\S\n]*(?:\#[^\n]*)?
          | (?<=[^\S\n])\#[^\n]*
          | (?P<bare>(?!['"]|[^\S\n])[^\n]*)
        )(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_BLANK = re.compile(r"[^\S\n]*(?:\#[^\n]*)?(?:\n|\Z)|[^\S\n]+")
_VARIABLE = re.compile(r"\$\{(?P<name>[^}:]*)(?::-(?P<default>[^}]*))?\}")

_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def render(values: Mapping[str, str]) -> str:
    """Return the file's text, one quoted value a line."""
    return "".join(f'{name}="{_quote(value)}"\n' for name, value in values.items())


def _quote(value: str) -> str:
    value = value.replace("${", "${:-$}{")
    if value.endswith("\\"):
        value = value[:-1] + "${:-\\}"
    value = value.replace("\\", "\\\\").replace('"', '\\"')
    # Text files may lose a carriage return and split at a line feed; both have an escape.
    return value.replace("\n", "\\n").replace("\r", "\\r")


def parse(text: str, source: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the values of a .env file.

    Args:
        text: Its content.
        source: Its name, for messages.
        environ: Where ``${NAME}`` is looked up when no earlier line of the file has it.

    Raises:
        Refusal: a line that is no entry; its content is not shown, because it may be a secret.
    """
    values: dict[str, str] = {}
    position = 0
    while position < len(text):
        if blank := _BLANK.match(text, position):
            position = blank.end()
            continue
        entry = _ENTRY.match(text, position)
        if entry is None:
            number = text.count("\n", 0, position) + 1
            raise Refusal(f"{source} line {number} is not NAME=value, or its quotes do not close.")
        values[entry["name"]] = _interpolate(_unquote(entry), {**environ, **values})
        position = entry.end()
    return values


def _unquote(entry: re.Match[str]) -> str:
    if entry["single"] is not None:
        return re.sub(r"\\([\\'])", r"\1", entry["single"])
    if entry["double"] is not None:
        return re.sub(r"\\([\\'\"abfnrtv])", lambda match: _ESCAPES.get(match[1], match[1]), entry["double"])
    return re.sub(r"\s+#.*", "", entry["bare"] or "").rstrip()


def _interpolate(value: str, known: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: known.get(match["name"], match["default"] or ""), value)
