"""How a command of the Procfile is handed to the shell, so that signals and exit codes are its own."""

from __future__ import annotations

import re
import shlex
import shutil

_ASSIGNMENT = re.compile(r"""\s*[A-Za-z_][A-Za-z0-9_]*=(?:'[^']*'|"[^"]*"|[^\s'"])*\s+""", re.ASCII)
_REDIRECTIONS = frozenset({"<", ">", ">>", "<&", ">&"})


def exec_form(command: str, path: str) -> str | None:
    """Return a single command with `exec` before its program; None where it is more than that.

    Debian's sh stays between the container and the program otherwise: as process 1 it would swallow
    SIGTERM, and ECS would kill the task after its stop timeout instead of letting it drain.

    Args:
        command: As the Procfile has it; variables may be set before the program.
        path: Where programs are looked for: a builtin such as `cd` has nothing to exec.
    """
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:  # an open quote: the shell has the words for it
        return None
    if any(word and set(word) <= set("();<>|&") and word not in _REDIRECTIONS for word in words):
        return None
    start = 0
    while assignment := _ASSIGNMENT.match(command, start):
        start = assignment.end()
    program = command[start:].split(maxsplit=1)[:1]
    if program and shutil.which(program[0].strip("'\""), path=path):
        return f"{command[:start]}exec {command[start:]}"
    return None
