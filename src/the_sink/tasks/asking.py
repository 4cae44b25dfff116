"""Asking before something is done that cannot be undone, and refusing where nobody can answer."""

from __future__ import annotations

import sys

from the_sink.errors import InputError


def confirm(question: str, *, yes: bool) -> None:
    """Go on if ``--yes`` was given or the person at the terminal says so.

    Args:
        question: Without a question mark: "Throw away everything in the sandbox 'default'".
        yes: What ``--yes`` was.

    Raises:
        InputError: the answer was no, or there is nobody to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError(f"{question}? There is no terminal to ask at.", "If you mean it, add --yes.")
    from the_sink.report import lines  # the menu imports this module, and shows no question

    if lines.ask(f"{question}? [y/N]").strip().lower() not in {"y", "yes"}:
        raise InputError("Nothing was done.")
