"""A generated service as its task starts it: by container-init, on a real database."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from .conftest import CHECKOUT, Service, find_pythons, slow_migration

CONTAINER_INIT = CHECKOUT / "runtimes" / "python" / "container-init"
DEADLINE_S = 60
*_, NEWEST = find_pythons().values()


@dataclass
class Task:
    """One task of the service, with a port and a log of its own."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def said(self) -> str:
        return self.log.read_text()

    def until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not is_so():
            assert time.monotonic() < deadline, self.said()
            assert self.process.poll() is None, self.said()
            time.sleep(0.05)

    def ask(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def answers(self) -> bool:
        return self.ask("/health")[0] == 200


@dataclass
class Environment:
    """A copy of the service, which a test may edit, and an empty database of its own."""

    service: Service
    root: Path
    database: str
    find_port: Callable[[], int]
    tasks: list[Task] = field(default_factory=list)

    @property
    def app(self) -> Path:
        return self.root / "app"

    def variables(self, port: int) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.root),
            "SINK_ROOT": str(self.root),
            "SINK_VENV": str(self.service.environment),
            "HOST": "127.0.0.1",
            "PORT": str(port),
            **self.service.variables,
            "PGDATABASE": self.database,
        }

    def start(self, **variables: str) -> Task:
        port = self.find_port()
        log = self.root / f"task-{len(self.tasks)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, str(CONTAINER_INIT)],
                env={**self.variables(port), **variables},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.tasks.append(Task(process, port, log))
        return self.tasks[-1]

    def probe(self, task: Task) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(CONTAINER_INIT), "health"],
            env=self.variables(task.port),
            check=False,
            capture_output=True,
            text=True,
        )

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        with connect(self.service, self.database) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


def connect(service: Service, database: str) -> psycopg.Connection[tuple[object, ...]]:
    named = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password"}
    parts = {named[name]: value for name, value in service.variables.items() if name in named}
    return psycopg.connect(dbname=database, autocommit=True, **parts)  # type: ignore[arg-type]


@contextmanager
def environment_of(service: Service, folder: Path, find_port: Callable[[], int]) -> Iterator[Environment]:
    shutil.copytree(service.folder, folder / "app", ignore=shutil.ignore_patterns("__pycache__", ".env"))
    name = f"starting_{os.getpid()}_{time.monotonic_ns()}"
    with connect(service, service.variables["PGDATABASE"]) as server:
        server.execute(f"CREATE DATABASE {name}")
    environment = Environment(service, folder, name, find_port)
    try:
        yield environment
    finally:
        for task in environment.tasks:
            if task.process.poll() is None:
                os.killpg(task.process.pid, signal.SIGKILL)
            task.process.wait()
        with connect(service, service.variables["PGDATABASE"]) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def environment(
    variant: str, make_service: Callable[..., Service], tmp_path: Path, free_port: Callable[[], int]
) -> Iterator[Environment]:
    with environment_of(make_service(variant, NEWEST), tmp_path, free_port) as made:
        yield made


@pytest.mark.parametrize(
    "variant", ["fastapi-postgres", pytest.param("flask-postgres", marks=pytest.mark.long)]
)
def test_a_task_of_two_processors_migrates_once_and_drains(environment: Environment) -> None:
    """Two processes serve; what they answer when SIGTERM comes is answered to its end."""
    main = environment.app / "src/hello_sink/main.py"
    main.write_text(main.read_text() + SLOW_ROUTE)
    task = environment.start(TASK_CPU="2048")
    task.until(task.answers)

    assert environment.probe(task).stdout == f"http://127.0.0.1:{task.port}/health answers with status 200.\n"
    assert task.said().count("Running upgrade") == 1
    workers: set[int] = set()
    task.until(lambda: bool(workers.add(json.loads(task.ask("/worker")[1])) or len(workers) == 2))
    assert task.process.pid not in workers

    answers: list[tuple[int, bytes]] = []
    asking = [threading.Thread(target=lambda: answers.append(task.ask("/slow"))) for _ in range(4)]
    for thread in asking:
        thread.start()
    task.until(lambda: task.said().count("slow begins") == 4)
    task.process.send_signal(signal.SIGTERM)
    assert task.process.wait(DEADLINE_S) == 0, task.said()
    for thread in asking:
        thread.join()
    assert [status for status, _ in answers] == [200] * 4


# Alike in Flask and FastAPI, but for what a handler may return.
SLOW_ROUTE = """

import os
import time


def worker():
    return str(os.getpid())


def slow():
    print("slow begins", flush=True)
    time.sleep(1)
    return "done"


if hasattr(app, "add_url_rule"):
    app.add_url_rule("/worker", view_func=worker)
    app.add_url_rule("/slow", view_func=slow)
else:
    app.get("/worker")(lambda: os.getpid())
    app.get("/slow")(slow)
"""


@pytest.fixture
def variant() -> str:
    """Migrations are the same text whatever the framework."""
    return "fastapi-postgres"


@pytest.fixture
def slow(environment: Environment) -> Environment:
    (environment.app / "migrations/versions/0002_slow.py").write_text(
        slow_migration("(SELECT seconds FROM pace)")
    )
    environment.sql("CREATE TABLE pace AS SELECT 0.5 AS seconds")
    return environment


def test_of_tasks_that_start_at_once_one_migrates_and_all_serve(slow: Environment) -> None:
    tasks = [slow.start() for _ in range(2)]
    for task in tasks:
        task.until(task.answers)

    assert sum(task.said().count("Running upgrade 0001 -> 0002") for task in tasks) == 1
    assert slow.sql("TABLE alembic_version") == [("0002",)]


def test_a_task_that_is_killed_in_a_migration_leaves_it_to_the_next(slow: Environment) -> None:
    """Nobody tells the database, which would sleep on; it finds out by itself, and takes all of it back."""
    slow.sql("UPDATE pace SET seconds = 600")
    killed = slow.start()
    killed.until(lambda: len(sleeping(slow)) == 1)
    for pid in family(slow):
        os.kill(pid, signal.SIGKILL)
    slow.sql("UPDATE pace SET seconds = 0")

    task = slow.start()
    task.until(task.answers)

    assert task.said().count("Running upgrade 0001 -> 0002") == 1
    assert slow.sql("TABLE half_made") == []
    assert sleeping(slow) == []


def sleeping(environment: Environment) -> list[tuple[object, ...]]:
    """Who is in the middle of the slow migration."""
    return environment.sql(
        "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    )


def family(environment: Environment) -> list[int]:
    """Every process of the service's tasks; release has a session of its own."""
    mark = f"PGDATABASE={environment.database}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found
