"""The runtime images, really built, and what their two programs do as process 1 of a real container."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sink_host import postgres
from tests.template.conftest import copy_template, git, slow_migration
from the_sink.local.docker import Docker
from the_sink.verbs.runtimes import apply_build

DOCKERFILE = """\
ARG FROM
FROM ${FROM}
COPY --chown=app:app requirements.lock /app/
RUN app-init dependencies
COPY --chown=app:app . /app/
RUN app-init app
"""

SERVER = '''\
"""Answers slowly on /slow; SIGTERM lets the answers under way end, then ends with code 0."""
import http.server, os, pathlib, signal, sys, threading, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/slow":
            pathlib.Path("/tmp/began").touch()
            time.sleep(2)
        body = os.environ.get("GREETING", "none").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        print("answered", self.path, flush=True)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler)
server.daemon_threads = False
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("serving", flush=True)
server.serve_forever()
server.server_close()
'''


@pytest.fixture(scope="module", params=["3.11", "3.13"])
def runtime(
    request: pytest.FixtureRequest, base_image: Any, engine: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A runtime image of each Python, built as `invoke runtimes.build` does."""
    version = str(request.param)
    base = base_image(version)
    name = f"the-sink-test-runtime-{os.getpid()}:{version}"  # another checkout's may be built at this moment
    docker = Docker(tmp_path_factory.mktemp("config"))
    try:
        list(apply_build(docker, {version: name}, "0.0.0", [f"BASE={base}"]))
        yield name
    finally:
        engine.run("image", "rm", "--force", name)


@pytest.fixture(scope="module")
def build_app(
    runtime: str, engine: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., str]]:
    """A function that builds an app of a Procfile on the runtime and returns its image."""
    built: list[str] = []

    def build(procfile: str) -> str:
        folder = tmp_path_factory.mktemp("app")
        (folder / "src").mkdir()
        (folder / "src" / "server.py").write_text(SERVER)
        (folder / "requirements.lock").write_text("# nothing\n")
        (folder / "Procfile").write_text(procfile)
        (folder / "Dockerfile").write_text(DOCKERFILE)
        name = f"the-sink-test-app-{os.getpid()}:{runtime.rpartition(':')[2]}-{len(built)}"
        options = ("--quiet", "--network", "host", "-t", name, "--build-arg", f"FROM={runtime}")
        engine.run("build", *options, str(folder))
        built.append(name)
        return name

    yield build
    for name in built:
        engine.run("image", "rm", "--force", name)


@pytest.fixture(scope="module")
def network(engine: Any) -> Iterator[str]:
    """A network of these tests' own, where containers have addresses that this machine reaches."""
    name = f"the-sink-test-{os.getpid()}"
    engine.run("network", "create", name)
    yield name
    engine.run("network", "rm", name)


@pytest.fixture
def start(engine: Any, network: str) -> Iterator[Callable[..., str]]:
    """A function that starts a container and returns its id; all are removed afterwards."""
    started: list[str] = []

    def run(image: str, *options: str, on: str = network) -> str:
        started.append(engine.run("run", "--detach", "--network", on, *options, image))
        return started[-1]

    yield run
    for container in started:
        engine.run("rm", "--force", "--volumes", container)


def inspect(engine: Any, container: str) -> Any:
    return json.loads(engine.run("inspect", container))[0]


def await_line(engine: Any, container: str, words: str, read: Any = None) -> None:
    """Wait until the container has said something: on standard output, or where ``read`` finds it."""
    deadline = time.monotonic() + 60
    while words not in (said := (read or engine.run)("logs", container)):
        assert time.monotonic() < deadline, said
        assert inspect(engine, container)["State"]["Running"], said
        time.sleep(0.05)


def ended(engine: Any, container: str) -> int:
    """Wait for the container's end and return its exit code."""
    return int(engine.run("wait", container))


WEB = "web: python3 -u src/server.py\n"


def test_the_app_s_server_is_process_1_and_nobody_special(build_app: Any, start: Any, engine: Any) -> None:
    """Nothing stands between it and SIGTERM; it runs as uid 1000."""
    container = start(build_app(WEB), "-e", "TASK_CPU=2048")
    await_line(engine, container, "serving")

    assert engine.run("exec", container, "cat", "/proc/1/cmdline").split("\0")[1:3] == [
        "-u",
        "src/server.py",
    ]
    assert engine.run("exec", container, "id", "-u") == "1000"
    assert inspect(engine, container)["Config"]["User"] == "app"
    assert "WEB_CONCURRENCY=2" in engine.run("exec", container, "cat", "/proc/1/environ").split("\0")


def test_the_probe_asks_from_inside(build_app: Any, start: Any, engine: Any) -> None:
    """It is the image's health check, and it works for whoever looks into a container."""
    container = start(build_app(WEB))
    await_line(engine, container, "serving")

    said = engine.run("exec", container, "container-init", "health")
    assert said == "http://127.0.0.1:8080/health answers with status 200."
    check = inspect(engine, container)["Config"]["Healthcheck"]
    assert check["Test"] == ["CMD", "container-init", "health"]
    engine.run("exec", "-e", "PORT=1", container, "container-init", "health", code=1)


def test_a_server_that_nobody_reaches_is_told(build_app: Any, start: Any, engine: Any) -> None:
    """On another port after some seconds, on loopback alone at once; a read-only root is no hindrance."""
    image = build_app('web: PORT="$REAL_PORT" HOST="$REAL_HOST" python3 -u src/server.py\n')
    read_only = ("--init", "--read-only", "--mount", "type=volume,dst=/tmp")
    elsewhere = start(image, *read_only, "-e", "REAL_PORT=5000", "-e", "REAL_HOST=0.0.0.0")
    loopback = start(image, "-e", "REAL_PORT=8080", "-e", "REAL_HOST=127.0.0.1")

    said = "container-init: web listens on port 8080 of 127.0.0.1 alone, where no load balancer reaches it"
    await_line(engine, loopback, said, engine.errors)
    assert engine.run("exec", loopback, "container-init", "health").endswith("status 200.")
    # After five seconds, or ten where a busy engine has not started it by then.
    said = " s after the start of web, which listens on port 5000."
    await_line(engine, elsewhere, said, engine.errors)
    said = engine.run("exec", elsewhere, "container-init", "health", code=1)
    assert said == "http://127.0.0.1:8080/health does not answer: Connection refused."


def test_below_an_init_nothing_is_left_of_who_watched(build_app: Any, start: Any, engine: Any) -> None:
    container = start(build_app(WEB), "--init")
    await_line(engine, container, "serving")

    # One that ends between the two is listed and cannot be read.
    look = ("exec", container, "sh", "-c", "cat /proc/[0-9]*/comm 2>/dev/null || true")
    deadline = time.monotonic() + 60
    while len(names := engine.run(*look).split()) > 4:
        assert time.monotonic() < deadline, names
        time.sleep(0.2)
    # The init, the server, and the two that look.
    assert sorted(names)[-2:] == ["python3", "sh"], names


@pytest.mark.parametrize("options", [(), ("--init",)], ids=["alone", "below an init"])
@pytest.mark.parametrize(
    "procfile",
    [WEB, "web: python3 -u src/server.py & wait\n"],
    ids=["one command", "several"],
)
def test_sigterm_lets_the_answers_under_way_end(
    build_app: Any, start: Any, engine: Any, procfile: str, options: tuple[str, ...]
) -> None:
    container = start(build_app(procfile), *options)
    await_line(engine, container, "serving")
    [network] = inspect(engine, container)["NetworkSettings"]["Networks"].values()
    address = network["IPAddress"]
    answers: list[int] = []

    def ask() -> None:
        connection = http.client.HTTPConnection(address, 8080, timeout=60)
        connection.request("GET", "/slow")
        answers.append(connection.getresponse().status)

    asking = threading.Thread(target=ask)
    asking.start()
    deadline = time.monotonic() + 60
    while engine.run("exec", container, "sh", "-c", "ls /tmp") != "began":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    engine.run("stop", "--time", "60", container)
    asking.join()

    assert answers == [200]
    assert "answered /slow" in engine.run("logs", container)
    assert inspect(engine, container)["State"]["ExitCode"] == (0 if procfile == WEB else 143)


@pytest.mark.parametrize(
    ("procfile", "code", "said"),
    [
        ("web: exit 7\n", 7, "web: exit 7"),
        ("release: exit 5\n" + WEB, 5, "release ended with exit code 5; web is not started."),
        ("release: echo migrated\nweb: exit 3\n", 3, "migrated"),
    ],
)
def test_the_exit_code_is_that_of_what_ran(
    build_app: Any, start: Any, engine: Any, procfile: str, code: int, said: str
) -> None:
    container = start(build_app(procfile))

    assert ended(engine, container) == code
    logs = engine.run("logs", container)
    # What the container says on standard error, `docker logs` says there.
    assert said in logs + engine.errors("logs", container)


def test_the_secret_becomes_env_file_and_environment(build_app: Any, start: Any, engine: Any) -> None:
    """Readable by the app alone, and the variable itself goes away."""
    value = 'it\'s "$5" # no comment\nZoë 🚀 ${HOME}\\'
    container = start(build_app(WEB), "-e", f"SINK_SECRET_CORE={json.dumps({'GREETING': value})}")
    await_line(engine, container, "serving")

    assert engine.run("exec", container, "stat", "-c", "%a %U", "/app/.env") == "400 app"
    environment = engine.run("exec", container, "cat", "/proc/1/environ").split("\0")
    assert f"GREETING={value}" in environment
    assert not [line for line in environment if line.startswith("SINK_SECRET_CORE=")]


def test_a_secret_that_is_none_is_refused(build_app: Any, start: Any, engine: Any) -> None:
    container = start(build_app(WEB), "-e", "SINK_SECRET_CORE=[1]")

    assert ended(engine, container) == 2


def test_a_read_only_root_leaves_tmp(build_app: Any, start: Any, engine: Any) -> None:
    """An empty volume has the owner that the image's VOLUME gives it; the app starts without its .env."""
    container = start(
        build_app(WEB), "--read-only", "--mount", "type=volume,dst=/tmp", "-e", 'SINK_SECRET_CORE={"A": "b"}'
    )
    await_line(engine, container, "serving")

    engine.run("exec", container, "touch", "/tmp/mine")  # noqa: S108 - in a container
    engine.run("exec", container, "touch", "/app/mine", code=1)
    assert "the settings are in the environment" in engine.errors("logs", container)


def test_a_source_that_does_not_compile_fails_the_build(runtime: str, engine: Any, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text("def broken(:\n")
    (tmp_path / "requirements.lock").write_text("# nothing\n")
    (tmp_path / "Procfile").write_text(WEB)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)

    options = ("--network", "host", "-t", "the-sink-test-broken", "--build-arg", f"FROM={runtime}")
    said = engine.errors("build", *options, str(tmp_path), code=1)

    assert "app-init: src/app.py line 1 does not compile: SyntaxError: " in said


SLOW = slow_migration("CASE WHEN nextval('tries') = 1 THEN 600 ELSE 0 END")
"""Takes very long the first time; the count of tries is what no rollback takes back."""


@pytest.fixture
def service(runtime: str, engine: Any, tmp_path: Path) -> Iterator[str]:
    """The image of a generated service whose second migration is slow."""
    platform, app = tmp_path / "platform", tmp_path / "hello-sink"
    platform.mkdir()
    copy_template(platform)
    git(platform, "init", "--quiet")
    git(platform, "add", "--all")
    git(platform, "commit", "--quiet", "--message", "The platform")
    answers = ("--data", "app_name=hello-sink", "--data", "database=postgres")
    copier = [sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", "--vcs-ref", "HEAD", *answers]
    subprocess.run([*copier, str(platform), str(app)], check=True)
    (app / "app/migrations/versions/0002_slow.py").write_text(SLOW)
    name = f"the-sink-test-service-{os.getpid()}"
    options = ("--quiet", "--network", "host", "-f", str(app / "aws/Dockerfile"), "-t", name)
    engine.run("build", *options, "--build-arg", f"FROM={runtime}", str(app))
    yield name
    engine.run("image", "rm", "--force", name)


def test_a_task_killed_in_a_migration_leaves_it_to_the_next_which_serves_on_a_read_only_root(
    service: str, start: Any, engine: Any, tmp_path: Path, free_port: Any
) -> None:
    """The database finds out by itself and takes the half back; two processes serve until SIGTERM."""
    database = postgres.start(tmp_path / "postgres", throw_away=True)
    try:
        port = free_port()
        found = {**database.variables, "HOST": "127.0.0.1", "PORT": str(port), "TASK_CPU": "2048"}
        variables = [word for name, value in found.items() for word in ("-e", f"{name}={value}")]
        names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password"}
        names["PGDATABASE"] = "dbname"
        parts: Any = {names[name]: value for name, value in database.variables.items() if name in names}
        with psycopg.connect(autocommit=True, **parts) as sql:
            sql.execute("CREATE SEQUENCE tries")
            killed = start(service, *variables, on="host")
            sleeping = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            await_true(lambda: bool(sql.execute(sleeping).fetchall()))
            engine.run("kill", killed)
            assert ended(engine, killed) == 137

            read_only = ("--init", "--read-only", "--mount", "type=volume,dst=/tmp")
            container = start(service, *read_only, *variables, on="host")
            await_true(lambda: probe(engine, container) == 0)

            assert sql.execute("TABLE alembic_version").fetchall() == [("0002",)]
            assert sql.execute("TABLE half_made").fetchall() == []
            assert sql.execute(sleeping).fetchall() == []
        commands = engine.run("exec", container, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        assert commands.count("multiprocessing.spawn") == 2
        engine.run("stop", "--time", "60", container)
        assert ended(engine, container) == 0
    finally:
        database.stop()


def probe(engine: Any, container: str) -> int:
    """The exit code of the image's health check."""
    command = [engine.found.command, "exec", container, "container-init", "health"]
    env = {**os.environ, "DOCKER_HOST": engine.found.host}
    return subprocess.run(command, env=env, check=False, capture_output=True).returncode


def await_true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
