"""Real git repositories in the test's folder, made without the developer's git configuration."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Git = Callable[..., str]


@pytest.fixture(autouse=True)
def no_git_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No identity, no defaults: git as it is on a machine where nobody set it up."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    # A repository above the test's folder must not be found.
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty repository."""
    folder = tmp_path / "app"
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], cwd=folder, check=True)
    return folder


@pytest.fixture
def git(repository: Path) -> Git:
    """A function that runs git in the repository, at a fixed time and with an identity of its own."""

    def run(*arguments: str, when: str = "2026-03-04T05:06:07+02:00", cwd: Path = repository) -> str:
        person = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (
            ("NAME", "A Person"), ("EMAIL", "person@example.com"), ("DATE", when)
        )}  # fmt: skip
        environment = {**os.environ, **person}
        done = subprocess.run(
            ["git", *arguments], cwd=cwd, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    return run


@pytest.fixture
def commit(repository: Path, git: Git) -> Callable[..., str]:
    """A function that writes files and commits everything: ``commit({"a": "1"}, "Subject")``."""

    def make(files: dict[str, str], subject: str = "Change") -> str:
        for name, text in files.items():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            (repository / name).write_text(text, encoding="utf-8")
        git("add", "--all")
        git("commit", "--quiet", "--allow-empty", "--allow-empty-message", "--message", subject)
        return git("rev-parse", "HEAD")

    return make
