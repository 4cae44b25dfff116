"""Which repository's workflows may deploy is asked once, and the answer is written into sink.toml."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest

from the_sink.config import load_app
from the_sink.errors import ConfigError
from the_sink.tasks.bootstrapping import name_repository


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def on_github(app: Path) -> Path:
    """An app with the deploying workflow, whose origin is on GitHub."""
    workflow = app / ".github" / "workflows" / "deploy.yml"
    workflow.parent.mkdir(parents=True)
    workflow.touch()
    subprocess.run(["git", "init", "--quiet"], cwd=app, check=True)
    subprocess.run(["git", "remote", "add", "origin", "git@github.com:acme/my-app.git"], cwd=app, check=True)
    return app


@pytest.mark.parametrize(
    ("answers", "subject"),
    [
        ("y\n12 34\n", "acme@12/my-app@34"),
        ("yes\n\n", "acme/my-app"),
        ("n\n", ""),
        ("", ""),
    ],
)
def test_a_person_names_it(
    answers: str, subject: str, on_github: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answers))

    named = name_repository(load_app(on_github))

    assert named.github.subject == subject
    assert load_app(on_github).github == named.github
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    if subject:  # and is not asked again
        assert name_repository(named) == named


def test_a_wrong_answer_leaves_the_file_as_it_was(on_github: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (on_github / "sink.toml").read_text()
    monkeypatch.setattr("sys.stdin", Terminal("y\ntwelve 34\n"))

    with pytest.raises(ConfigError) as caught:
        name_repository(load_app(on_github))

    told = "sink.toml: github.owner_id is 'twelve'; expected: a number of GitHub's."
    assert caught.value.message.startswith(told)
    assert (on_github / "sink.toml").read_text() == before


def test_where_nobody_can_be_asked_it_is_said(
    on_github: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())

    assert name_repository(load_app(on_github)).github.repository == ""
    assert capsys.readouterr().err == (
        "Warning: sink.toml has no table [github]: no workflow of acme/my-app may deploy "
        "(docs/how-to/deploy-from-github.md).\n"
    )


def test_an_app_that_is_elsewhere_is_not_asked(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    settings = load_app(app)

    assert name_repository(settings) == settings
