"""One PostgreSQL server for each database instance, each in a folder of its own below the sandbox's.

A server of its own, not a database in a common one, because that is what an instance is: its master user may
make roles and databases, a restart is its own, and deleting it is deleting a folder. It costs half a second.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sink_host import postgres
from sink_host.postgres_ports import HOST

FOLDER = "databases"


class DatabaseServers:
    """The servers of one sandbox, by the instance's key.

    Args:
        home: The sandbox's state folder.
        host: What a task calls this machine.
        also_listen: Addresses beside 127.0.0.1 at which tasks reach it.
    """

    def __init__(self, home: Path, host: str = HOST, also_listen: Sequence[str] = ()) -> None:
        self._folder = home / FOLDER
        self._host = host
        self._also_listen = tuple(also_listen)
        self._databases: dict[str, postgres.Database] = {}

    def start(self, key: str, user: str, password: str, database: str) -> tuple[str, int]:
        """Start an instance's server, or make it first, and return the address that tasks reach it at.

        Raises:
            SinkError: it cannot be; the message is for the person who waits for the database.
        """
        self._let_go(key)
        started = postgres.start(
            self._folder / key,
            user=user,
            password=password,
            database=database,
            also_listen=self._also_listen,
        )
        self._databases[key] = started
        return self._host, started.port

    def is_running(self, key: str) -> bool:
        """Whether it answers now."""
        return postgres.is_running(self._folder / key)

    def change_password(self, key: str, user: str, password: str) -> None:
        """Give its user another password, from now on.

        Raises:
            SinkError: it does not run.
        """
        postgres.change_password(self._folder / key, user, password)

    def stop(self, key: str) -> None:
        """Stop it and keep its data."""
        self._let_go(key)

    def remove(self, key: str) -> None:
        """Stop it and remove its data."""
        self._let_go(key)
        postgres.stop(self._folder / key)
        shutil.rmtree(self._folder / key, ignore_errors=True)

    def stop_all(self) -> None:
        """Stop every server, at the end of the sandbox."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._let_go, list(self._databases)))

    def reset(self) -> None:
        """Remove every server and its data."""
        keys = [path.name for path in self._folder.iterdir()] if self._folder.is_dir() else []
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.remove, keys))

    def _let_go(self, key: str) -> None:
        database = self._databases.pop(key, None)
        if database is not None:
            database.stop()
