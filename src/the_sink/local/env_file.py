"""``app/.env`` on this laptop: written from a secret's value, never where git would take it up."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from sink_host.process import run
from the_sink.errors import InputError
from the_sink.local.serving import container_init

FILE = Path("app") / ".env"

_REPAIR = 'Make its value a JSON object of strings: {"NAME": "value"}.'


def render_secret(value: str, name: str, root: Path) -> tuple[str, list[str]]:
    """Return a secret's value as the text of a ``.env``, and the names in it.

    The text is ``container-init``'s own, so that a laptop and a task read the same.

    Raises:
        InputError: the value is no JSON object of strings; the message does not show it.
    """
    variables = {"PATH": os.environ.get("PATH", os.defpath), "SINK_SECRET_CORE": value}
    # Not -I: the script finds its package beside itself.
    if "\0" in value:
        raise InputError(f"{name}: the secret has a NUL character, which no environment can hold.", _REPAIR)
    done = run([sys.executable, "-E", "-s", str(container_init()), "env"], root, env=variables)
    if done.code != 0:
        reason = done.error_text.rpartition("container-init: ")[2]
        raise InputError(f"{name}: {reason}", _REPAIR)
    return done.output.decode("utf-8"), list(json.loads(value))


def require_ignored(root: Path) -> None:
    """See that git leaves ``app/.env`` alone.

    Raises:
        InputError: it is tracked, or would be.
    """
    if run(["git", "ls-files", "--error-unmatch", str(FILE)], root).code == 0:
        raise InputError(
            f"{FILE} is tracked by git, and secrets do not belong there.",
            f"Take it out: git rm --cached {FILE}, and add .env to .gitignore.",
        )
    # 0 ignored, 1 not ignored, 128 no repository: https://git-scm.com/docs/git-check-ignore
    if run(["git", "check-ignore", "--quiet", str(FILE)], root).code == 1:
        raise InputError(
            f"git does not ignore {FILE}, and would take the secrets up.", "Add a line .env to .gitignore."
        )


def differs(root: Path, text: str) -> bool:
    """Return whether there is an ``app/.env`` with another content."""
    file = root / FILE
    return file.exists() and file.read_bytes() != text.encode()


def write(root: Path, text: str) -> None:
    """Replace ``app/.env`` in one step, readable by this user alone."""
    file = root / FILE
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".env-")
    try:
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write(text.encode())
        Path(temporary).replace(file)
    except BaseException:  # Ctrl-C too: a file of that name git would take up
        Path(temporary).unlink(missing_ok=True)
        raise
