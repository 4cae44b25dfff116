"""The value of ``secrets.set``: from a hidden prompt, a file, or standard input, never from an argument.

What stands in an argument is in the shell's history, and every process of the machine can read it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from the_sink.errors import InputError
from the_sink.report import lines


def read_value(name: str, env: str, file: str) -> str:
    """Return the value for a setting.

    The end of a single line is no part of it; a text of several lines, a key for example, stays whole.

    Args:
        name: The setting's, for the prompt.
        env: The environment's, likewise.
        file: The file's path; "" or ``-`` for standard input, at a terminal for a prompt.

    Raises:
        InputError: there is no such file, it is no text, or there is nothing in it.
    """
    if file and file != "-":
        content, source = _read_file(Path(file)), file
    elif sys.stdin.isatty():
        content, source = (
            lines.ask_hidden(f"Value of {name} in {env} (not shown):").encode(errors="surrogateescape"),
            "what was typed",
        )
    else:
        content, source = sys.stdin.buffer.read(), "standard input"
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise InputError(
            f"The value in {source} is not UTF-8, so not text.",
            "Encode it, for example by base64, and let the app decode it.",
        ) from None
    line = text.removesuffix("\n").removesuffix("\r")
    value = text if "\n" in line else line
    if not value:
        raise InputError(
            f"There is no value in {source}; nothing was changed.",
            f"To take {name} away: invoke secrets.unset --env {env} --name {name}",
        )
    return value


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", "Name a file with the value.") from None
