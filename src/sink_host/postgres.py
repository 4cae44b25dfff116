"""A real PostgreSQL on this machine: started for a folder, found again, stopped, never left behind.

A server belongs to whoever started it or found it: it runs until the last of them has ended, however that
came about, and a small process beside it (``postgres_supervisor``) sees to that and
starts it again if it dies.
The folder is the whole of it: data, log, passwords, locks.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sink_host import postgres_ports as ports
from sink_host import postgres_programs as programs
from sink_host import postgres_state as state
from sink_host import postgres_supervisor
from sink_host.errors import InputError, SinkError
from sink_host.postgres_ports import HOST
from sink_host.postgres_programs import ADMIN, last_words, psql, write_private
from sink_host.process import Completed, run


@dataclass(frozen=True)
class Database:
    """A database that answers."""

    folder: Path
    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    pid: int
    hold: int = field(repr=False, compare=False)
    """A descriptor; while it is open in any process, the server runs."""

    @property
    def variables(self) -> dict[str, str]:
        """The connection as libpq and psycopg read it from the environment."""
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGDATABASE": self.name,
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
        }

    def keep_over_exec(self) -> None:
        """Let the server outlive this program where another one takes its process over."""
        os.set_inheritable(self.hold, True)

    def stop(self) -> None:
        """Stop the server, whoever else uses it."""
        with contextlib.suppress(OSError):
            os.close(self.hold)
        stop(self.folder)


def start(
    folder: Path,
    *,
    user: str = "app",
    password: str = "",
    database: str = "app",
    port: int | None = None,
    also_listen: Sequence[str] = (),
    throw_away: bool = False,
    port_flag: str = "--db-port",
) -> Database:
    """Start the folder's server, or find it running, and return it once it answers.

    Args:
        folder: Where it lives; made if it is missing.
        user: Owner of the database, who may make further ones and roles, and is no superuser.
        password: The user's, set also where another was before; "" keeps or makes one.
        database: Made if it is missing.
        port: The one to listen on, or None: the folder's former one if it is free, else any.
        also_listen: Addresses beside 127.0.0.1.
        throw_away: Nothing is kept: the folder goes when the server does, and no write waits for the disk.
        port_flag: How the person chooses another port.

    Raises:
        InputError: the port is taken, PostgreSQL is not installed, or another version made the data.
        SinkError: the server does not start; the message has its own last words.
    """
    folder = folder.absolute()
    programs.program("postgres")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with state.exclusive(folder):
        hold = state.take_hold(folder)
        try:
            wanted = _Wanted(port, (HOST, *also_listen), throw_away, port_flag)
            pid, actual = _running(folder, wanted) or _launch(folder, wanted)
            password = password or _kept_password(folder, user)
            _provide(folder, actual, user, password, database)
        except BaseException:
            os.close(hold)
            raise
    return Database(folder, HOST, actual, database, user, password, pid, hold)


def stop(folder: Path, timeout_s: float = 30) -> bool:
    """Stop the folder's server; False where none was running."""
    folder = folder.absolute()
    if not folder.is_dir():
        return False
    with state.exclusive(folder):
        if not state.is_kept(folder):
            return state.end_orphan(folder)
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((folder / "supervisor.pid").read_text()), signal.SIGTERM)
        state.wait(lambda: not state.is_kept(folder), timeout_s)
        return True


def is_running(folder: Path) -> bool:
    """Whether the folder's server accepts connections now."""
    return state.is_kept(folder) and state.ready_postmaster(folder) is not None


def change_password(folder: Path, user: str, password: str) -> None:
    """Give a user of a running server another password.

    Raises:
        SinkError: it does not run, or there is no such user.
    """
    found = state.ready_postmaster(folder)
    if found is None:
        raise SinkError(f"The database in {folder} is not running.")
    values = {"user": user, "password": password}
    _succeed(psql("""ALTER ROLE :"user" PASSWORD :'password';""", _admin_login(folder, found[1]), values))


@dataclass(frozen=True)
class _Wanted:
    port: int | None
    addresses: tuple[str, ...]
    throw_away: bool
    port_flag: str

    def describe(self, port: int) -> str:
        return json.dumps({"port": port, "addresses": self.addresses})


def _running(folder: Path, wanted: _Wanted) -> tuple[int, int] | None:
    """The server that runs already; one that listens elsewhere is ended, for its own supervisor is gone."""
    if not state.is_kept(folder):
        state.end_orphan(folder)
        return None
    found = state.wait_ready(folder)
    if found is None:
        return None
    if not state.is_kept(folder):  # its supervisor was killed between the two looks: nobody would end it
        state.end_orphan(folder)
        return None
    pid, port = found
    if wanted.port not in (None, port):
        raise InputError(
            f"The database in {folder} is already running on port {port}, not {wanted.port}.",
            f"Leave {wanted.port_flag} away, or stop what uses it.",
        )
    if (folder / "listens").read_text() != wanted.describe(port):
        raise InputError(f"The database in {folder} is already running on other addresses.", "Stop it first.")
    return pid, port


def _launch(folder: Path, wanted: _Wanted) -> tuple[int, int]:
    data = folder / "data"
    if (data / "PG_VERSION").exists():
        _require_version(data)
    else:
        programs.initialise(data, secrets.token_urlsafe(24), folder / "admin-password")
    write_private(folder / "hba.conf", _HOST_RULES)
    tries = 5 if wanted.port is None else 1
    for attempt in range(tries):
        port = _choose_port(folder, wanted)
        write_private(folder / "listens", wanted.describe(port))
        _start_supervisor(folder, wanted, port)
        found = state.wait_ready(folder)
        if found is not None:
            return found
        reason = _failure(folder)
        # Somebody took it between the look and the start.
        if "address already in use" not in (folder / "server.log").read_text(errors="replace").lower():
            raise SinkError(f"The database in {folder} does not start: {reason}", _remedy(folder, reason))
        if attempt + 1 == tries:
            raise ports.taken(port, wanted.port_flag)
    raise AssertionError("unreachable")  # pragma: no cover


def _start_supervisor(folder: Path, wanted: _Wanted, port: int) -> None:
    durable = "off" if wanted.throw_away else "on"
    settings = {
        "listen_addresses": ",".join(wanted.addresses),
        "port": str(port),
        "unix_socket_directories": "",  # their paths may be too long, and nothing here needs them
        "hba_file": str(folder / "hba.conf"),
        "timezone": "UTC",
        "log_timezone": "UTC",
        "shared_buffers": "32MB",
        "fsync": durable,
        "synchronous_commit": durable,
        "full_page_writes": durable,
    }
    server = [*programs.unprivileged(), str(programs.program("postgres")), "-D", str(folder / "data")]
    for name, value in settings.items():
        server += ["-c", f"{name}={value}"]
    remove = "remove" if wanted.throw_away else "keep"
    done = run(
        [sys.executable, "-I", postgres_supervisor.__file__, str(folder), remove, *server],
        folder,
        env=programs.environment(),
    )
    if done.code != 0:
        raise SinkError(f"The database in {folder} is still stopping.", "Try again.")


_HOST_RULES = f"""\
host all {ADMIN} 127.0.0.1/32 scram-sha-256
host all {ADMIN} all reject
host all all all scram-sha-256
"""

_PROVIDE = """\
SELECT format('CREATE ROLE %I', :'user')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \\gexec
ALTER ROLE :"user" LOGIN CREATEDB CREATEROLE PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'user')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \\gexec
ALTER DATABASE :"database" OWNER TO :"user";
"""


def _provide(folder: Path, port: int, user: str, password: str, database: str) -> None:
    values = {"user": user, "password": password, "database": database}
    _succeed(psql(_PROVIDE, _admin_login(folder, port), values))


def _succeed(done: Completed) -> None:
    if done.code != 0:
        raise SinkError(f"The database refused its set-up: {last_words(done.error_text)}")


def _admin_login(folder: Path, port: int) -> dict[str, str]:
    password = (folder / "admin-password").read_text()
    return {
        "PGHOST": HOST,
        "PGPORT": str(port),
        "PGUSER": ADMIN,
        "PGPASSWORD": password,
        "PGDATABASE": "postgres",
    }


def _kept_password(folder: Path, user: str) -> str:
    file = folder / "passwords"
    kept: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError):
        kept = json.loads(file.read_text())
    if user not in kept:
        kept[user] = secrets.token_urlsafe(24)
        write_private(file, json.dumps(kept))
    return kept[user]


def _require_version(data: Path) -> None:
    made_by, ours = (data / "PG_VERSION").read_text().strip(), programs.major_version()
    if made_by != ours:
        raise InputError(
            f"The database in {data.parent} was made by PostgreSQL {made_by}; the one installed is {ours}.",
            f"Dump it with the former version, or begin anew: rm -r {data.parent}",
        )


def _choose_port(folder: Path, wanted: _Wanted) -> int:
    if wanted.port is not None:
        if not ports.is_free(wanted.port, wanted.addresses):
            raise ports.taken(wanted.port, wanted.port_flag)
        return wanted.port
    with contextlib.suppress(OSError, ValueError, KeyError):
        former = json.loads((folder / "listens").read_text())["port"]
        if ports.is_free(former, wanted.addresses):
            return int(former)
    return ports.free_port(wanted.addresses)


def _failure(folder: Path) -> str:
    return last_words((folder / "server.log").read_text(errors="replace"))


def _remedy(folder: Path, reason: str) -> str:
    if "No space left" in reason:
        return "Make room on the disk."
    return f"Its log: {folder / 'server.log'}"
