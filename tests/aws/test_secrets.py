"""secrets.pull: the values of an environment's secret in app/.env, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sink_sandbox.client.lifecycle import Sandbox

from .conftest import Outcome, commit

NAME = "my-app-stage-secret-core"
VALUES = {"API_KEY": 'it\'s "x" $HOME ${HOME} # \\', "TEXT": "one\ntwo\n", "EMPTY": ""}


@pytest.fixture
def ready(app: Path) -> Path:
    """The app with a git that ignores .env."""
    (app / ".gitignore").write_text(".env\n")
    (app / "app").mkdir()
    (app / "app" / "Procfile").write_text("web: python serve.py\n")
    commit(app, "Ignore .env")
    return app


def put(aws: Any, value: str, name: str = NAME) -> None:
    aws("secretsmanager").create_secret(Name=name, SecretString=value)


def pull(invoke: Any, app: Path, *more: str, env: str = "stage") -> Outcome:
    outcome: Outcome = invoke(app, "secrets.pull", "--env", env, "--sandbox", *more)
    return outcome


def test_values_arrive_as_a_task_reads_them_and_only_names_are_shown(
    invoke: Any, ready: Path, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(aws, json.dumps(VALUES))

    ended = pull(invoke, ready)

    file = ready / "app" / ".env"
    assert ended.code == 0, ended.err
    assert ended.out.splitlines() == list(VALUES)
    assert ended.err == f"Wrote app/.env: 3 values of {NAME}.\n"
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "runtimes" / "python"))
    from sink_runtime import env_file  # type: ignore[import-not-found]

    assert env_file.parse(file.read_text(), ".env", {"HOME": "wrong"}) == VALUES


def test_a_file_that_differs_is_not_overwritten_unasked(invoke: Any, ready: Path, aws: Any) -> None:
    put(aws, json.dumps({"A": "secret-a"}))
    file = ready / "app" / ".env"
    file.write_text("MINE=1\n")

    refused = pull(invoke, ready)

    assert refused.code == 2
    assert refused.err == (
        f"Overwrite app/.env, which differs from {NAME}? There is no terminal to ask at.\n"
        "If you mean it, add --yes.\n"
    )
    assert file.read_text() == "MINE=1\n"
    assert pull(invoke, ready, "--yes").code == 0
    assert file.read_text() == 'A="secret-a"\n'
    assert pull(invoke, ready).code == 0, "what is the same needs no question"


def test_an_empty_secret_empties_no_file(invoke: Any, ready: Path, aws: Any) -> None:
    """Not even with --yes: it is what bootstrap makes, before anybody has given it values."""
    put(aws, "{}")
    file = ready / "app" / ".env"
    file.write_text("MINE=1\n")

    refused = pull(invoke, ready, "--yes")

    assert refused.code == 2
    assert refused.err.splitlines()[0] == f"The secret {NAME} holds no values yet; app/.env stays as it is."
    assert file.read_text() == "MINE=1\n"


def test_what_git_would_take_up_is_refused(invoke: Any, ready: Path, aws: Any) -> None:
    put(aws, "{}")
    (ready / ".gitignore").write_text("")

    unignored = pull(invoke, ready)
    (ready / "app" / ".env").write_text("A=1\n")
    commit(ready, "Track it")
    (ready / ".gitignore").write_text(".env\n")
    tracked = pull(invoke, ready, "--yes")

    assert (unignored.code, tracked.code) == (2, 2)
    assert unignored.err.startswith("git does not ignore app/.env, and would take the secrets up.\n")
    assert tracked.err.startswith("app/.env is tracked by git, and secrets do not belong there.\n")
    assert (ready / "app" / ".env").read_text() == "A=1\n"


def test_without_bootstrap_there_is_no_secret(invoke: Any, ready: Path, sandbox: Sandbox) -> None:
    ended = pull(invoke, ready)

    assert ended.code == 2
    assert ended.err == (
        f"The secret {NAME} does not exist.\nRun invoke bootstrap --env stage --sandbox first.\n"
    )


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("not json: s3cret", "The secret is not JSON at character 0; it must be an object such as {}."),
        ('["s3cret"]', "The secret is a list; it must be a JSON object such as {}."),
        ('{"A": 3}', "The secret's value of A is a number; it must be a string."),
    ],
)
def test_a_value_that_fits_into_no_env_file_is_not_shown(
    invoke: Any, ready: Path, aws: Any, value: str, sentence: str
) -> None:
    put(aws, value)

    ended = pull(invoke, ready)

    assert ended.code == 2
    assert ended.err.startswith(f"{NAME}: {sentence}\n")
    assert "s3cret" not in ended.err + ended.out
    assert not (ready / "app" / ".env").exists()


def test_a_binary_secret_is_refused(invoke: Any, ready: Path, aws: Any) -> None:
    aws("secretsmanager").create_secret(Name=NAME, SecretBinary=b"x")

    ended = pull(invoke, ready)

    assert (ended.code, ended.err.splitlines()[0]) == (2, f"The secret {NAME} is binary, not text.")


def test_prod_needs_to_be_meant(invoke: Any, ready: Path, aws: Any) -> None:
    settings = ready / "sink.toml"
    settings.write_text(settings.read_text() + '[environments.prod]\nregion = "eu-west-1"\n')
    put(aws, '{"A": "1"}', "my-app-prod-secret-core")

    refused = pull(invoke, ready, env="prod")

    assert refused.code == 2
    assert refused.err.startswith("The values of prod do not belong on a laptop; nothing was read.\n")
    assert not (ready / "app" / ".env").exists()
    assert pull(invoke, ready, "--yes", env="prod").code == 0
