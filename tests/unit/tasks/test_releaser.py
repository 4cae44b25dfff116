"""Who releases, as they claim it: the workflow's actor, else git's identity."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from the_sink.tasks.releasing import describe_releaser
from the_sink.verbs.archives import encode_metadata

JOB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_ACTOR": "octocat",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/demo-app",
    "GITHUB_RUN_ID": "7",
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of a machine without an identity of its own."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


def configure(folder: Path, name: str, value: str) -> None:
    subprocess.run(["git", "config", name, value], cwd=folder, check=True)


def test_a_workflow_names_who_started_it_and_its_run(repository: Path) -> None:
    configure(repository, "user.name", "runner")

    assert describe_releaser(repository, JOB) == ("octocat (https://github.com/acme/demo-app/actions/runs/7)")


def test_a_person_is_who_commits_here(repository: Path) -> None:
    assert describe_releaser(repository, {}) == ""
    configure(repository, "user.email", "ada@example.com")
    assert describe_releaser(repository, {}) == "<ada@example.com>"
    configure(repository, "user.name", "Ada")
    assert describe_releaser(repository, {}) == "Ada <ada@example.com>"


def test_a_claim_is_text_that_metadata_takes_and_a_terminal_shows() -> None:
    assert encode_metadata("Zoë \x1b[31mred\x07\r\n\u202eevil") == "Zoe ?[31mred????evil"
    assert len(encode_metadata("x" * 3000)) == 250
