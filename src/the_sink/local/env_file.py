"""``app/.env`` on this laptop: written from a secret's value, never where git would take it up."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path

from sink_host.process import run
from the_sink.config.legacy import SERVER as LEGACY_SERVER
from the_sink.errors import InputError
from the_sink.local.serving import container_init

FILE = Path("app") / ".env"

EXAMPLES = (FILE.with_name(".env.example"), Path(LEGACY_SERVER) / ".env.example", Path(".env.example"))
"""Where an app keeps the names of its settings: a generated one, one of the legacy platform, any other."""

_ENTRY = re.compile(
    r"""^[^\S\n]*(?:export[^\S\n]+)?([A-Za-z_][A-Za-z0-9_]*)[^\S\n]*=[^\S\n]*"""
    r"""(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^\n]*)""",
    re.MULTILINE | re.DOTALL,
)
"""One setting; what stands in quotes may have several lines, and none of those is a setting."""

_REPAIR = 'Make its value a JSON object of strings: {"NAME": "value"}.'


def render_secret(value: str, name: str, root: Path) -> tuple[str, list[str]]:
    """Return a secret's value as the text of a ``.env``, and the names in it.

    The text is ``container-init``'s own, so that a laptop and a task read the same.

    Raises:
        InputError: the value is no JSON object of strings; the message does not show it.
    """
    if "\0" in value:
        raise InputError(f"{name}: the secret has a NUL character, which no environment can hold.", _REPAIR)
    text, reason = _ask_runtime(value, root)
    if reason:
        raise InputError(f"{name}: {reason}", _REPAIR)
    return text, list(json.loads(value))


def check_setting(name: str, value: str, root: Path) -> None:
    """See that a secret may have this key and value, by the runtime's own rules.

    Raises:
        InputError: in the runtime's words; the value is not shown.
    """
    _, reason = _ask_runtime(json.dumps({name: value}, ensure_ascii=False), root)
    if reason:
        raise InputError(reason, "Nothing was changed.")


def _ask_runtime(secret: str, root: Path) -> tuple[str, str]:
    """Return the ``.env`` that ``container-init`` makes of a secret, or "" and why it makes none."""
    variables = {"PATH": os.environ.get("PATH", os.defpath), "SINK_SECRET_CORE": secret}
    # Not -I: the script finds its package beside itself.
    done = run([sys.executable, "-E", "-s", str(container_init()), "env"], root, env=variables)
    if done.code != 0:
        return "", done.error_text.rpartition("container-init: ")[2]
    return done.output.decode("utf-8"), ""


def find_example(root: Path) -> Path:
    """Return the app's file of settings for a new laptop, relative to the app's root.

    Raises:
        InputError: it has none.
    """
    for file in EXAMPLES:
        if (root / file).is_file():
            return file
    raise InputError(
        f"There is no {EXAMPLES[0]}, so nothing says what the environment should have.",
        "Write one, a line NAME=value for each setting with a harmless value.",
    )


def read_names(file: Path) -> tuple[str, ...]:
    """Return the names that a ``.env`` sets, in their order, each once.

    Raises:
        InputError: it is not UTF-8.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{file} is not UTF-8.", "Save it as UTF-8.") from None
    return tuple(dict.fromkeys(found[1] for found in _ENTRY.finditer(text)))


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
