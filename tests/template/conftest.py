"""Rendering: a git repository of the template as it stands, and one way to render it that hides nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_copie.plugin import Copie

from sink_host import postgres, uv
from sink_host.pythons import find_python
from the_sink.local.template_locks import list_variants
from the_sink.naming import PYTHON_RUNTIMES

CHECKOUT = Path(__file__).resolve().parents[2]
VERSION = "v1.2.3"
APP = "hello-sink"
VARIANTS = [f"{framework}-{database}" for framework, database in list_variants(CHECKOUT)]
"""Each framework with each database, as the locks of the template are named."""

Render = Callable[..., Path]


@dataclass(frozen=True)
class Template:
    """The template in a repository of its own, tagged."""

    path: Path
    version: str
    commit: str


def git(folder: Path, *arguments: str) -> str:
    """Run git with an identity of the tests' own and return what it says."""
    identity = ["-c", "user.name=Tests", "-c", "user.email=tests@example.com"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip()


def questions() -> dict[str, Any]:
    """Return the questions of copier.yml."""
    config = yaml.safe_load((CHECKOUT / "copier.yml").read_text())
    return {name: details for name, details in config.items() if not name.startswith("_")}


def copy_template(folder: Path) -> None:
    """Copy what copier reads of this checkout, uncommitted changes included."""
    shutil.copy(CHECKOUT / "copier.yml", folder)
    shutil.copytree(CHECKOUT / "template", folder / "template", ignore=shutil.ignore_patterns("__pycache__"))


def slow_migration(seconds: str) -> str:
    """Return a second migration, which makes half of what it should and then sleeps: ``seconds`` is SQL."""
    return f'''"""What takes long."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make half of it, then sleep."""
    op.execute("CREATE TABLE half_made (id int)")
    op.execute("SELECT pg_sleep({seconds})")
'''


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A repository that holds the template as it stands in this checkout."""
    path = tmp_path_factory.mktemp("platform")
    copy_template(path)
    git(path, "init", "--quiet", "--initial-branch", "main")
    git(path, "add", "--all")
    git(path, "commit", "--quiet", "--message", "The platform")
    git(path, "tag", VERSION)
    return Template(path, VERSION, git(path, "rev-parse", "HEAD"))


@pytest.fixture(scope="session")
def render_anew(template: Template, copie_session: Copie) -> Render:
    """Render the template's tag with some answers; the others are defaults.

    pytest-copie returns failures and takes misspelt answers; here both raise.
    """

    def run(**answers: Any) -> Path:
        if unknown := answers.keys() - questions().keys():
            raise KeyError(f"copier.yml asks no such questions: {sorted(unknown)}")
        result = copie_session.copy({"app_name": APP, **answers}, template_dir=template.path, vcs_ref=VERSION)
        if result.exception is not None:
            raise result.exception
        assert result.exit_code == 0
        assert result.project_dir is not None
        return result.project_dir

    return run


@pytest.fixture(scope="session")
def render(render_anew: Render) -> Render:
    """Render the template's tag with some answers, or return what was rendered with them; read only."""
    known: dict[str, Path] = {}

    def run(**answers: Any) -> Path:
        key = json.dumps(answers, sort_keys=True)
        if key not in known:
            known[key] = render_anew(**answers)
        return known[key]

    return run


@pytest.fixture(scope="session")
def app(render: Render) -> Path:
    """A service with every default; read only."""
    return render()


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def answers_of(variant: str) -> dict[str, str]:
    """Return the answers that make a variant."""
    framework, _, database = variant.partition("-")
    return {"framework": framework, "database": database}


@cache
def find_pythons() -> dict[str, Path]:
    """Return the interpreters of this machine that a service may run on, by version, oldest first."""
    found = map(find_python, PYTHON_RUNTIMES)
    return {python.version: python.path for python in found if not python.notice}


@dataclass(frozen=True)
class Service:
    """The folder app/ of a generated service, with its development lock installed in an environment."""

    folder: Path
    environment: Path
    variables: Mapping[str, str]

    def run(self, *command: str, without: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program of the service's environment, with nothing of this one's."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PG"))}
        env.pop("VIRTUAL_ENV", None)
        env |= {name: value for name, value in self.variables.items() if name != without}
        program = str(self.environment / "bin" / command[0])
        return subprocess.run(
            [program, *command[1:]], cwd=self.folder, env=env, check=False, capture_output=True, text=True
        )


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], dict[str, str]]]:
    """A function that starts a PostgreSQL for this run when it is first called, and says how to reach it."""
    started: list[postgres.Database] = []

    def start() -> dict[str, str]:
        if not started:
            started.append(postgres.start(tmp_path_factory.mktemp("postgres"), throw_away=True))
        return started[0].variables

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def make_service(
    render: Render,
    tmp_path_factory: pytest.TempPathFactory,
    database_server: Callable[[], dict[str, str]],
) -> Callable[..., Service]:
    """A function that gives a variant of the service, ready to run on one interpreter."""

    @cache
    def folder_of(variant: str) -> Path:
        # A copy: what runs in it leaves bytecode behind.
        service = tmp_path_factory.mktemp("service") / APP
        shutil.copytree(render(**answers_of(variant)), service)
        return service / "app"

    @cache
    def environment_of(lock: str, python: Path) -> Path:
        # By the lock's text: what two variants install alike is installed once.
        folder = tmp_path_factory.mktemp("environment")
        (folder / "requirements-dev.lock").write_text(lock)
        uv.make_environment(folder / "venv", python)
        uv.install_locked(folder / "venv", folder / "requirements-dev.lock")
        return folder / "venv"

    def make(variant: str, python: Path) -> Service:
        folder = folder_of(variant)
        environment = environment_of((folder / "requirements-dev.lock").read_text(), python)
        variables = database_server() if answers_of(variant)["database"] == "postgres" else {}
        return Service(folder, environment, variables)

    return make
