"""serve and test of an app with a database: one that is kept, one that is thrown away, none left running."""

from __future__ import annotations

import http.client
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sink_host import postgres, postgres_programs

from .conftest import Invoke

INVOKE = str(Path(sys.executable).parent / "invoke")

TEMPLATE = """
Parameters:
  PlatformName: {Type: String}
  AppName: {Type: String}
  AppEnv: {Type: String}
  RuntimeVersion: {Type: String}
  RDSInstanceClass: {Type: String, Default: db.t4g.micro}
Resources:
  StackPython:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: !Sub "https://b.s3.amazonaws.com/stacks/python/cfn-template-v1-${AppEnv}.yml"
      Parameters:
        PlatformName: !Ref PlatformName
        AppName: !Ref AppName
        AppEnv: !Ref AppEnv
        SecretsDelivery: task
        RDSInstanceClass: !Ref RDSInstanceClass
"""

PARAMETERS = {"PlatformName": "the-sink", "AppName": "my-app", "AppEnv": "stage", "RuntimeVersion": "3.13"}

# psql stands for the app's driver: nothing has to be installed into the app's environment.
SERVE = """
import http.server, os, subprocess, sys

def ask(statement):
    command = [os.environ["PSQL"], "-XAtqc", statement]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/stop":
            breakpoint()
        body = ask("INSERT INTO visits DEFAULT VALUES; SELECT count(*) FROM visits").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

if __name__ == "__main__":
    if sys.argv[1:] == ["migrate"]:
        ask("CREATE TABLE IF NOT EXISTS visits (at timestamptz DEFAULT now())")
    else:
        http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""

TESTS = """
import json, os, sys

sys.path.insert(0, os.path.dirname(os.path.dirname(__file__)))
from serve import ask

def test_an_empty_database_is_there():
    assert ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == "0"
    ask("CREATE TABLE visits ()")
    with open(os.environ["REPORT"], "w") as report:
        json.dump({name: os.environ[name] for name in ("PGHOST", "PGPORT")}, report)
    assert os.environ["PGPASSWORD"] == os.environ["DATABASE_PASSWORD"]

def test_it_fails():
    assert False

def test_it_waits():
    import time
    with open(os.environ["REPORT"], "w") as report:
        json.dump({name: os.environ[name] for name in ("PGHOST", "PGPORT")}, report)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def with_database(tmp_path_factory: pytest.TempPathFactory, make_app: Any) -> Path:
    """An app whose environment is made already, with a database in stage."""
    root: Path = make_app(tmp_path_factory.mktemp("with-database") / "my-app")
    (root / "aws" / "cfn-template.yml").write_text(TEMPLATE)
    configuration = {"Parameters": PARAMETERS, "Tags": {}}
    (root / "aws" / "cfn-template-configuration-stage.json").write_text(json.dumps(configuration))
    settings = root / "sink.toml"
    text = settings.read_text().replace("[platform]", 'secrets_delivery = "task"\n[platform]')
    settings.write_text(f'{text}permissions_boundary = "none"\n')
    files = {
        "pyproject.toml": '[project]\nname = "my-app"\nversion = "0"\nrequires-python = ">=3.10"\n'
        '[dependency-groups]\ndev = ["pytest"]\n',
        "serve.py": SERVE,
        "tests/test_app.py": TESTS,
        "Procfile": "release: python serve.py migrate\nweb: python serve.py\n",
    }
    for name, text in files.items():
        (root / "app" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "app" / name).write_text(text)
    (root / "app" / "src").mkdir()
    subprocess.run([INVOKE, "lock"], cwd=root, check=True, capture_output=True)
    subprocess.run([INVOKE, "lint", "--fix"], cwd=root, check=False, capture_output=True)  # makes app/.venv
    assert (root / "app" / ".venv" / "bin" / "pytest").exists()
    return root


@pytest.fixture
def variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the app's code is told besides, and where it reports; temporary files are this test's own."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setenv("PSQL", str(postgres_programs.program("psql")))
    monkeypatch.setenv("REPORT", str(tmp_path / "report"))
    return tmp_path


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def eventually(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)
    return found


def test_each_test_run_has_an_empty_database_that_is_gone_afterwards(
    with_database: Path, variables: Path, invoke: Invoke
) -> None:
    for _ in range(2):
        ran = invoke("test", "--", "-q", "-k", "empty or nothing", cwd=with_database)

        assert ran.code == 0, ran.out + ran.err
        assert "1 passed" in ran.out
        reported = json.loads((variables / "report").read_text())
        assert reported["PGHOST"] == "127.0.0.1"
        assert not answers(int(reported["PGPORT"]))
        assert not list((variables / "temporary").glob("the-sink-test-*"))


def test_failing_tests_leave_no_database_either(with_database: Path, variables: Path, invoke: Invoke) -> None:
    ran = invoke("test", "--", "-q", "-k", "fails", cwd=with_database)

    assert ran.code == 1
    assert not list((variables / "temporary").glob("the-sink-test-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_test_run_that_is_ended_leaves_no_database(
    with_database: Path, variables: Path, number: int
) -> None:
    process = subprocess.Popen(
        [INVOKE, "test", "--", "-q", "-k", "waits"],
        cwd=with_database,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    report = variables / "report"
    eventually(lambda: report.exists() and report.read_text(), "the test")
    port = int(json.loads(report.read_text())["PGPORT"])
    assert answers(port)

    os.killpg(process.pid, number)

    process.wait(timeout=60)
    eventually(lambda: not answers(port), "the end of the database")
    eventually(lambda: not list((variables / "temporary").glob("the-sink-test-*")), "the end of its folder")


def test_a_database_of_ones_own_is_left_to_the_person(
    with_database: Path, variables: Path, invoke: Invoke
) -> None:
    own = postgres.start(variables / "own", throw_away=True)
    try:
        ran = invoke(
            "test", "--", "-q", "-k", "empty", cwd=with_database, **own.variables,
            DATABASE_PASSWORD=own.password,
        )  # fmt: skip
        assert ran.code == 0, ran.out + ran.err
        assert json.loads((variables / "report").read_text())["PGPORT"] == str(own.port)
    finally:
        own.stop()


class Served:
    """``invoke serve`` in a terminal of its own."""

    def __init__(self, root: Path, *arguments: str) -> None:
        self.said = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(root)
            os.execv(INVOKE, [INVOKE, "serve", *arguments])  # noqa: S606

    def wait_for(self, words: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while words.encode() not in self.said:
            assert time.monotonic() < deadline, self.said.decode()
            if select.select([self.terminal], [], [], 0.1)[0]:
                try:
                    self.said += os.read(self.terminal, 4096)
                except OSError:  # the other end has gone
                    raise AssertionError(self.said.decode()) from None

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def end(self) -> None:
        """Ctrl-C, until it has ended."""
        deadline = time.monotonic() + 60
        self.type("\x03")
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            assert time.monotonic() < deadline, self.said.decode()
            time.sleep(0.05)
        os.close(self.terminal)


@pytest.fixture
def serve(with_database: Path, variables: Path) -> Iterator[Callable[..., Served]]:
    """A function that serves the app in a terminal."""
    started: list[Served] = []

    def run(*arguments: str) -> Served:
        started.append(Served(with_database, *arguments))
        return started[-1]

    yield run
    for served in started:
        try:
            os.kill(served.pid, signal.SIGKILL)
            os.waitpid(served.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
    postgres.stop(with_database / ".sink" / "postgres")


def get(port: int, path: str = "/") -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    except OSError:
        return ""
    finally:
        connection.close()


def test_the_served_apps_database_is_kept_and_ends_with_the_server(
    with_database: Path, serve: Callable[..., Served], free_port: Any
) -> None:
    port, database_port = free_port(), free_port()
    folder = with_database / ".sink" / "postgres"
    first = serve("--port", str(port), "--db-port", str(database_port))
    first.wait_for(f"Its database is on 127.0.0.1:{database_port}, kept in .sink/postgres.")
    before = int(eventually(lambda: get(port), "the app"))

    first.end()
    eventually(lambda: not postgres.is_running(folder) and not answers(database_port), "the end")

    second = serve("--port", str(port))
    second.wait_for(f"127.0.0.1:{database_port}, kept")
    assert int(eventually(lambda: get(port), "the app")) == before + 1
    second.end()
    eventually(lambda: not answers(database_port), "the end")
    assert (with_database / ".sink" / ".gitignore").read_text().endswith("*\n")


def test_a_breakpoint_has_the_terminal(
    with_database: Path, serve: Callable[..., Served], free_port: Any
) -> None:
    port = free_port()
    served = serve("--port", str(port), "--no-reload")
    served.wait_for(f"One process, {served.pid}: breakpoint() stops here")
    eventually(lambda: get(port), "the app")
    asked = subprocess.Popen(
        [sys.executable, "-c", f"import urllib.request as u; u.urlopen('http://127.0.0.1:{port}/stop')"]
    )

    served.wait_for("(Pdb)")
    served.type("p 6 * 7\n")
    served.wait_for("42\r\n")
    served.type("c\n")

    assert asked.wait(timeout=60) == 0
    os.kill(served.pid, signal.SIGTERM)  # Ctrl-C would lead back into the debugger
    folder = with_database / ".sink" / "postgres"
    eventually(lambda: not postgres.is_running(folder), "the end of the database")


def test_a_taken_database_port_is_named_before_anything_serves(
    with_database: Path, variables: Path, invoke: Invoke, free_port: Any
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]

        ran = invoke("serve", "--port", str(free_port()), "--db-port", str(taken), cwd=with_database)

    assert ran.code == 2
    assert ran.err.endswith(
        f"The database's port {taken} is taken by another program.\nChoose another: --db-port {taken + 1}.\n"
    )


def test_without_a_database_there_is_no_port_to_choose(app: Path, invoke: Invoke) -> None:
    ran = invoke("serve", "--db-port", "5432", cwd=app)

    assert ran.code == 2
    assert ran.err == "--db-port: my-app has no database in stage.\nLeave it away.\n"


def test_pghost_in_the_env_file_names_another(
    with_database: Path, serve: Callable[..., Served], free_port: Any
) -> None:
    (with_database / "app" / ".env").write_text("PGHOST=127.0.0.1\nPGPORT=1\n")
    try:
        served = serve("--port", str(free_port()))
        served.wait_for("The database is the one that PGHOST names in app/.env.")
        served.wait_for("release ended with exit code 1; web is not started.")
        assert not postgres.is_running(with_database / ".sink" / "postgres")
    finally:
        (with_database / "app" / ".env").unlink()
