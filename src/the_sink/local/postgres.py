"""A real PostgreSQL on this machine: started for a folder, found again, stopped, never left behind.

A server belongs to whoever started it or found it: it runs until the last of them has ended, however that
came about, and a small process beside it (``postgres_keeper``) sees to that and starts it again if it dies.
The folder is the whole of it: data, log, passwords, locks.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from the_sink.errors import InputError, SinkError
from the_sink.local import postgres_keeper
from the_sink.local import postgres_programs as programs
from the_sink.local.postgres_programs import ADMIN, last_words, psql, write_private
from the_sink.local.process import Completed, run

HOST = "127.0.0.1"
_PORTS = (15432, 25432)
"""Where a free port is looked for: below those that the system hands out to connections (32768 on)."""

_START_S = 60.0
"""Recovery after a crash may take its time."""

_POLL_S = 0.02


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
    with _exclusive(folder):
        hold = _take_hold(folder)
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
    with _exclusive(folder):
        if not _is_kept(folder):
            return _end_orphan(folder)
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((folder / "keeper.pid").read_text()), signal.SIGTERM)
        _wait(lambda: not _is_kept(folder), timeout_s)
        return True


def is_running(folder: Path) -> bool:
    """Whether the folder's server accepts connections now."""
    return _is_kept(folder) and _ready_postmaster(folder) is not None


def change_password(folder: Path, user: str, password: str) -> None:
    """Give a user of a running server another password.

    Raises:
        SinkError: it does not run, or there is no such user.
    """
    found = _ready_postmaster(folder)
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
    """The server that runs already; one that listens elsewhere is ended, for its own keeper is gone."""
    if not _is_kept(folder):
        _end_orphan(folder)
        return None
    found = _wait_ready(folder)
    if found is None:
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
        _start_keeper(folder, wanted, port)
        found = _wait_ready(folder)
        if found is not None:
            return found
        reason = _failure(folder)
        # Somebody took it between the look and the start.
        if "address already in use" not in (folder / "server.log").read_text(errors="replace").lower():
            raise SinkError(f"The database in {folder} does not start: {reason}", _remedy(folder, reason))
        if attempt + 1 == tries:
            raise _taken(port, wanted.port_flag)
    raise AssertionError("unreachable")  # pragma: no cover


def _start_keeper(folder: Path, wanted: _Wanted, port: int) -> None:
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
        [sys.executable, "-I", postgres_keeper.__file__, str(folder), remove, *server],
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
        if not _is_free(wanted.port, wanted.addresses):
            raise _taken(wanted.port, wanted.port_flag)
        return wanted.port
    with contextlib.suppress(OSError, ValueError, KeyError):
        former = json.loads((folder / "listens").read_text())["port"]
        if _is_free(former, wanted.addresses):
            return int(former)
    return free_port(wanted.addresses)


def free_port(addresses: Sequence[str] = (HOST,)) -> int:
    """Return a port that nobody listens on, outside of the range that connections are given."""
    candidates = random.sample(range(*_PORTS), 200)
    for port in candidates:
        if _is_free(port, addresses):
            return port
    raise SinkError(f"No port between {_PORTS[0]} and {_PORTS[1]} is free for a database.")


def _is_free(port: int, addresses: Sequence[str]) -> bool:
    for address in addresses:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                if isinstance(error, PermissionError):
                    raise InputError(
                        f"Port {port} needs privileges that this user does not have.",
                        "Choose one from 1024 on.",
                    ) from None
                if not _is_ours(address):
                    raise InputError(f"This machine has no address {address} for a database.") from None
                return False
    return True


def _is_ours(address: str) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind((address, 0))
        return True
    return False


def _taken(port: int, flag: str) -> InputError:
    other = port + 1 if port < 65535 else 15432
    return InputError(
        f"The database's port {port} is taken by another program.", f"Choose another: {flag} {other}."
    )


def _wait_ready(folder: Path) -> tuple[int, int] | None:
    """Pid and port once the server accepts connections; None when it has ended instead."""
    found: list[tuple[int, int]] = []

    def is_settled() -> bool:
        ready = _ready_postmaster(folder)
        if ready is not None:
            found[:] = [ready]
        return bool(found) or not _is_kept(folder)

    if not _wait(is_settled, _START_S):
        raise SinkError(
            f"The database in {folder} did not accept connections within {_START_S:g} s.",
            f"Its log: {folder / 'server.log'}",
        )
    return found[0] if found else None


def _ready_postmaster(folder: Path) -> tuple[int, int] | None:
    # Line 1 is the process, 4 the port, 8 the state: https://www.postgresql.org/docs/18/storage-file-layout.html
    try:
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
        if len(lines) < 8 or lines[7].strip() != "ready":
            return None
        return int(lines[0]), int(lines[3])
    except (OSError, ValueError):
        return None


def _end_orphan(folder: Path) -> bool:
    """End a server whose keeper was killed; a file that names a process of somebody else's is stale."""
    import psutil

    file = folder / "data" / "postmaster.pid"
    try:
        process = psutil.Process(int(file.read_text().splitlines()[0]))
        is_server = process.name() == "postgres" and Path(process.cwd()) == (folder / "data").resolve()
    except (OSError, ValueError, IndexError, psutil.Error):
        is_server = False
    if is_server:
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
                process.wait(5)
                break
    with contextlib.suppress(OSError):
        file.unlink()
    return is_server


def _failure(folder: Path) -> str:
    return last_words((folder / "server.log").read_text(errors="replace"))


def _remedy(folder: Path, reason: str) -> str:
    if "No space left" in reason:
        return "Make room on the disk."
    return f"Its log: {folder / 'server.log'}"


def _take_hold(folder: Path) -> int:
    handle = os.open(folder / "in-use.lock", os.O_RDWR | os.O_CREAT, 0o600)
    if not _wait(lambda: _lock(handle, fcntl.LOCK_SH), _START_S):
        os.close(handle)
        raise SinkError(f"The database in {folder} is still stopping.", "Try again.")
    return handle


def _is_kept(folder: Path) -> bool:
    """Whether its keeper lives."""
    try:
        handle = os.open(folder / "keeper.lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _lock(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    handle = os.open(folder / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _wait(lambda: _lock(handle, fcntl.LOCK_EX), 2 * _START_S):
            raise SinkError(f"Another command is still starting the database in {folder}.", "Try again.")
        yield
    finally:
        os.close(handle)


def _lock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _wait(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True
