"""Rendering: a git repository of the template as it stands, and one way to render it that hides nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_copie.plugin import Copie

CHECKOUT = Path(__file__).resolve().parents[2]
VERSION = "v1.2.3"
APP = "hello-sink"

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
def render(template: Template, copie_session: Copie) -> Render:
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
