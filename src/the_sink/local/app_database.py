"""The app's database on this laptop: one that is kept for ``serve``, one that is thrown away for ``test``."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sink_host import postgres

FOLDER = Path(".sink") / "postgres"
"""Below the app's root; whole folders are ignored by git through a file of their own."""

_SETS_HOST = re.compile(r"^\s*(export\s+)?PGHOST\s*=", re.MULTILINE)


def chosen_elsewhere(root: Path) -> str:
    """Return where the person has named a database of their own, "" where nowhere."""
    if os.environ.get("PGHOST"):
        return "the environment"
    env_file = root / "app" / ".env"
    if env_file.is_file() and _SETS_HOST.search(env_file.read_text(encoding="utf-8", errors="replace")):
        return "app/.env"
    return ""


def start_kept(root: Path, port: int | None) -> postgres.Database:
    """Start the app's own database, or find it running; its data and its port stay.

    Raises:
        InputError: the port is taken, or PostgreSQL is not installed.
        SinkError: the server does not start.
    """
    ignored = root / FOLDER.parent / ".gitignore"
    ignored.parent.mkdir(exist_ok=True)
    if not ignored.exists():
        ignored.write_text("# This machine's own, made by invoke serve.\n*\n")
    return postgres.start(root / FOLDER, port=port)


@contextmanager
def throw_away() -> Iterator[postgres.Database]:
    """A database that is empty, quick, and gone afterwards, however this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="the-sink-test-"))
    database = None
    try:
        database = postgres.start(folder, throw_away=True)
        yield database
    finally:
        if database is not None:
            database.stop()
        shutil.rmtree(folder, ignore_errors=True)


def task_variables(database: postgres.Database) -> dict[str, str]:
    """Return what a task of the app is given for its database, the legacy platform's names too."""
    return {
        **database.variables,
        "DATABASE_ENGINE": "postgres",
        "DATABASE_HOST": database.host,
        "DATABASE_PORT": str(database.port),
        "DATABASE_NAME": database.name,
        "DATABASE_USER": database.user,
        "DATABASE_PASSWORD": database.password,
    }
