"""The tasks of an app that need no AWS, run as a person runs them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from sink_host import uv
from sink_sandbox.client.process import wait_until
from the_sink.tasks.app_local import lock, validate

PYPROJECT = """
[project]
name = "my-app"
version = "0"
requires-python = ">=3.10"
dependencies = ["iniconfig>=2"]
[dependency-groups]
dev = ["pytest>=9,<10", "ruff>=0.14,<1"]
"""

SERVER = """
import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["GREETING"].encode())

    def log_message(self, *arguments):
        pass


HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_the_menu_has_every_task(app, invoke):
    listed = {line.split()[0] for line in invoke("--list", cwd=app).out.splitlines() if line.startswith("  ")}

    wanted = {"bootstrap", "deploy", "status", "outputs", "validate", "serve", "test", "lint", "lock"}
    assert wanted | {f"sandbox.{name}" for name in ("start", "status", "stop", "reset")} <= listed


def test_listing_imports_nothing_heavy(app):
    """invoke --list of an app may cost a third more than that of one trivial task, some 40 ms in all."""
    script = "import sys; from the_sink.tasks import app_namespace; app_namespace(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    ours = {name for name in done.stdout.split() if name.startswith("the_sink.")}

    heavy = {"boto3", "botocore", "copier", "rich", "cfnlint", "ministack", "docker", "uv", "tomllib"}
    assert loaded.isdisjoint(heavy)
    assert {name for name in ours if not name.startswith("the_sink.tasks")} == {
        "the_sink.errors",
        "the_sink.naming",
    }


@pytest.mark.parametrize("task", ["validate", "serve", "test", "lint", "lock"])
def test_outside_an_app_every_task_says_so(tmp_path, invoke, task):
    (tmp_path / "tasks.py").write_text("from the_sink.tasks import app_namespace\n\nns = app_namespace()\n")

    ran = invoke(task)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"There is no sink.toml in {tmp_path} or a folder above it")


@pytest.mark.parametrize("task", ["serve", "test", "lint", "lock"])
def test_with_malformed_settings_no_task_does_anything(app, invoke, task):
    (app / "sink.toml").write_text("[app")

    ran = invoke(task, cwd=app)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("sink.toml: it is not TOML: ")


def test_an_app_in_order_is_valid_from_any_folder_of_it(app, invoke):
    (app / "app" / "src").mkdir(parents=True, exist_ok=True)

    ran = invoke("validate", cwd=app / "app" / "src")

    assert (ran.code, ran.out, ran.err) == (0, "The app's files are in order.\n", "")


def test_the_platforms_own_repository_is_no_app_with_many_faults(tmp_path, invoke):
    """Its template/ has an app's tasks.py, so an app's tasks can be called there."""
    (tmp_path / "sink.toml").write_text('[platform]\nname = "the-sink"\nregion = "eu-west-1"\n')
    (tmp_path / "template").mkdir()
    tasks = "from the_sink.tasks import app_namespace\n\nns = app_namespace()\n"
    (tmp_path / "template" / "tasks.py").write_text(tasks)

    for task in ("validate", "update", "lock"):
        ran = invoke(task, cwd=tmp_path / "template")

        assert (ran.code, ran.out) == (2, "")
        assert ran.err == (
            "sink.toml: it is the platform's own, not an app's: the table [app] is missing.\n"
            "Run platform.* and runtimes.* tasks here; an app's tasks belong in an app's folder.\n"
        )


@pytest.fixture
def inside(app, monkeypatch) -> Path:
    """The app, seen from a folder inside it."""
    monkeypatch.chdir(app / "app")
    return app


def test_every_problem_is_one_line_and_the_exit_code_is_2(inside, capsys):
    (inside / "app" / "Procfile").unlink()
    configuration = inside / "aws" / "cfn-template-configuration-stage.json"
    configuration.write_text(configuration.read_text().replace('"256"', "256").replace("3.13", "3.10"))

    with pytest.raises(Exit) as caught:
        validate(Context())

    said = capsys.readouterr()
    assert (caught.value.code, caught.value.message) == (2, "2 problems; nothing was changed.")
    assert said.out.splitlines() == [
        "aws/cfn-template-configuration-stage.json: "
        'TaskCpu is the number 256; CloudFormation takes strings only: write "256".',
        "warning: aws/cfn-template-configuration-stage.json: "
        "RuntimeVersion 3.10 is past its end of life (October 2026). "
        "Choose a later one: invoke runtimes.list.",
        "app/Procfile: it is missing. Restore it: git checkout HEAD -- app/Procfile.",
    ]
    assert said.err == ""


def test_warnings_alone_are_no_failure_and_json_is_for_scripts(inside, capsys):
    configuration = inside / "aws" / "cfn-template-configuration-stage.json"
    configuration.write_text(configuration.read_text().replace("3.13", "3.10"))

    validate(Context(), json=True)

    said = capsys.readouterr()
    assert said.err == ""
    assert json.loads(said.out) == {
        "valid": True,
        "judged_by": "cloudformation-validate",
        "problems": [
            {
                "file": "aws/cfn-template-configuration-stage.json",
                "message": "RuntimeVersion 3.10 is past its end of life (October 2026).",
                "hint": "Choose a later one: invoke runtimes.list.",
                "severity": "warning",
            }
        ],
    }


@pytest.fixture(scope="module")
def developed(tmp_path_factory, make_app) -> Path:
    """An app with code, tests and dependencies that are not locked yet."""
    root = make_app(tmp_path_factory.mktemp("developed") / "my-app")
    files = {
        "pyproject.toml": PYPROJECT,
        "src/my_app/__init__.py": '"""The app."""\n\nANSWER = 42\n',
        "tests/test_app.py": "from my_app import ANSWER\n\n\ndef test_answer():\n    assert ANSWER == 42\n",
        "serve.py": SERVER,
        ".env.example": "GREETING=hello\n",
    }
    for name, text in files.items():
        (root / "app" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "app" / name).write_text(text)
    return root


def test_dependencies_are_locked_then_tests_and_lint_run_from_the_lock(developed, invoke):
    project = developed / "app"

    dry = invoke("lock", "--dry-run", cwd=developed)
    assert dry.code == 0, dry.err
    assert "app/requirements.lock: 1 changed\n  + iniconfig " in dry.out
    assert not (project / "requirements.lock").exists()

    locked = invoke("lock", cwd=developed)
    assert locked.code == 0, locked.err
    production, development = (
        (project / name).read_text() for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert "invoke lock" in production
    assert "--hash=sha256:" in production
    assert "pytest==" not in production
    assert "pytest==" in development
    assert "iniconfig==" in development
    assert "http" not in production, "a lock names no registry"

    assert invoke("lock", cwd=developed).out == (
        "app/requirements.lock: nothing changes\napp/requirements-dev.lock: nothing changes\n"
    )

    tested = invoke("test", "--", "-q", "-k", "answer or nothing", cwd=developed)
    assert tested.code == 0, tested.err
    assert "1 passed" in tested.out
    assert "Installing app/requirements-dev.lock" in tested.err

    (project / "tests" / "test_app.py").write_text("import os\n\ndef test_answer():\n    assert False\n")
    failed = invoke("test", cwd=developed)
    assert failed.code == 1
    assert failed.err == "The app's tests failed (pytest ended with exit code 1).\n"

    # Ctrl-C in a terminal reaches both, and pytest has an exit code of its own for it.
    (project / "tests" / "test_app.py").write_text(
        "import os, signal\n\ndef test_answer():\n    os.kill(os.getppid(), signal.SIGINT)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
    )
    interrupted = invoke("test", cwd=developed)
    assert (interrupted.code, interrupted.err) == (130, "Interrupted.\n")

    (project / "tests" / "test_app.py").write_text("import os\n\ndef test_answer():\n    assert False\n")

    dirty = invoke("lint", cwd=developed)
    assert dirty.code == 1
    assert "`os` imported but unused" in dirty.out
    assert "would be reformatted" in dirty.out
    assert dirty.err.endswith("The app's code is not clean.\nRepair what can be: invoke lint --fix.\n")

    assert invoke("lint", "--fix", cwd=developed).code == 0
    assert invoke("lint", cwd=developed).code == 0


def test_dependencies_that_cannot_be_resolved_change_nothing(app, invoke):
    (app / "app" / "pyproject.toml").write_text(
        PYPROJECT.replace('"iniconfig>=2"', '"iniconfig>=2", "iniconfig<1"')
    )

    ran = invoke("lock", cwd=app)

    assert ran.code == 1
    assert ran.err.endswith(
        "app/requirements.lock could not be resolved: uv ended with exit code 1.\nIts reason is above.\n"
    )
    assert not (app / "app" / "requirements.lock").exists()


def test_ctrl_c_leaves_no_half_of_a_lock(app, monkeypatch, capsys):
    write = Path.write_text

    def interrupted(path: Path, *arguments, **options) -> None:
        write(path, *arguments, **options)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.chdir(app)
    monkeypatch.setattr(uv, "resolve_lock", lambda _project, name, **_: (f"# {name}\n", []))
    monkeypatch.setattr(Path, "write_text", interrupted)
    lock(Context())

    for name in ("requirements.lock", "requirements-dev.lock"):
        assert (app / "app" / name).read_text() == f"# {name}\n"
    assert capsys.readouterr().out.count("nothing changes") == 2


def test_the_app_is_served_as_its_container_would_start_it(developed, free_port):
    (developed / "app" / "requirements-dev.lock").touch()
    (developed / "app" / ".env").unlink(missing_ok=True)
    port = free_port()
    log = developed / "serve.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "invoke"), "serve", "--port", str(port)],
            cwd=developed,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        assert answer(port, process) == "hello", log.read_text()
    finally:
        # What Ctrl-C in a terminal does: every process of the foreground group hears of it.
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)

    words = log.read_text()
    assert "Made app/.env from app/.env.example" in words
    assert f"Serving my-app on http://127.0.0.1:{port} (Ctrl-C stops it)" in words
    assert "Its web command is neither uvicorn nor gunicorn: start it again after a change." in words
    assert wait_until(lambda: not is_group(process.pid), 60)


def is_group(leader: int) -> bool:
    """Whether anything of a process group is left."""
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


def answer(port: int, process: subprocess.Popen[bytes], timeout_s: float = 60) -> str:
    """Ask until there is an answer, the server has ended, or the time is up."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read().decode()
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    return ""


@pytest.mark.parametrize("port", ["0", "http"])
def test_a_port_that_is_none_is_refused(app, invoke, port):
    ran = invoke("serve", "--port", port, cwd=app)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"--port {port}: a port is a number from 1 to 65535.\nFor example: --port 8080.\n"


def test_an_app_without_a_lock_is_told_how_to_make_one(app, invoke):
    ran = invoke("test", cwd=app)

    assert (ran.code, ran.err) == (2, "There is no app/requirements-dev.lock.\nMake it: invoke lock.\n")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Tests", "-c", "user.email=tests@example.com"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_a_deploy_of_a_named_commit_checks_that_commit_before_anything_else(app, invoke):
    """No sandbox runs, so whoever is told of the file was told before AWS was asked."""
    configuration = app / "aws" / "cfn-template-configuration-stage.json"
    good = configuration.read_text()
    git(app, "init", "--quiet")
    configuration.write_text(good.replace('"256"', '"255"'))
    git(app, "add", "--all")
    git(app, "commit", "--quiet", "--message", "Broken")
    broken = git(app, "rev-parse", "HEAD")
    configuration.write_text(good)

    ran = invoke("deploy", "--env", "stage", "--commit", "HEAD", "--sandbox", cwd=app)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(
        f"In commit {broken[:8]}: aws/cfn-template-configuration-stage.json: "
        'TaskCpu is "255"; Fargate takes 256,'
    )

    git(app, "commit", "--quiet", "--all", "--message", "Repaired")
    (app / "new").touch()
    ran = invoke("deploy", "--env", "stage", "--commit", "HEAD", "--sandbox", cwd=app)
    assert ran.err.startswith("The sandbox 'default' is not running"), (
        "a dirty tree matters to no named commit"
    )


def test_a_bootstrap_checks_what_both_stacks_must_share(app, invoke):
    template = app / "aws" / "cfn-template.yml"
    template.write_text(
        template.read_text().replace(
            "Parameters:\n", "Parameters:\n  SecretsDelivery: {Type: String, Default: image}\n", 1
        )
    )

    ran = invoke("bootstrap", "--env", "stage", "--sandbox", cwd=app)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(
        'aws/cfn-template.yml: SecretsDelivery is "image" by its default, and app.secrets_delivery of '
        'sink.toml is "task": both stacks need the same.\n'
    )
