"""The secret of a sandbox: made at its first start, readable by its user alone, and the root key's only half.

On the standard library, as it is read by every command that talks to a sandbox.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

ROOT_KEY = "000000000000"
"""Root's access key. It is no secret: it names the account, which is how the emulator knows it too."""

FILE = "secret"
"""Below the state folder. It outlives a reset, so that a shell which has it in its environment goes on."""


def read_secret(home: Path) -> str:
    """Return the secret of the sandbox whose state is in ``home``, "" before it was first started."""
    try:
        return (home / FILE).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def provide_secret(home: Path) -> str:
    """Return the secret, made if there is none; called by the server, which alone has the folder's lock."""
    found = read_secret(home)
    if found:
        (home / FILE).chmod(0o600)
        return found
    made = secrets.token_urlsafe(30)
    draft = home / f"{FILE}.{os.getpid()}.tmp"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(made)
    draft.replace(home / FILE)
    return made
