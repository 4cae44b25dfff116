"""``secrets.list``, ``set``, ``unset`` and ``diff`` on the sandbox: one key at a time, and no value told."""

from __future__ import annotations

import io
import json
import os
import pty
import sys
from pathlib import Path
from typing import Any

import pytest

from the_sink.aws.session import Aws
from the_sink.errors import SinkError
from the_sink.models import SecretValue

from .conftest import Outcome

NAME = "my-app-stage-secret-core"
HELD = {"API_KEY": "k3y-of-before", "TEXT": "one\ntwo\n", "ODD": 3}


class Secret:
    """The environment's secret, and tasks that are given standard input."""

    def __init__(self, client: Any, invoke: Any, app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._client = client
        self._invoke = invoke
        self._app = app
        self._monkeypatch = monkeypatch

    def create(self, values: Any, name: str = NAME) -> None:
        text = values if isinstance(values, str) else json.dumps(values)
        self._client.create_secret(Name=name, SecretString=text)

    def values(self, name: str = NAME) -> Any:
        return json.loads(self._client.get_secret_value(SecretId=name)["SecretString"])

    def versions(self) -> list[list[str]]:
        """The labels of each version that has some; AWS deletes the others."""
        found = self._client.list_secret_version_ids(SecretId=NAME)
        return sorted(each["VersionStages"] for each in found["Versions"] if each["VersionStages"])

    def run(self, task: str, *more: str, stdin: bytes = b"", env: str = "stage") -> Outcome:
        self._monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        ended: Outcome = self._invoke(self._app, f"secrets.{task}", "--env", env, "--sandbox", *more)
        return ended


@pytest.fixture
def secret(aws: Any, invoke: Any, app: Path, monkeypatch: pytest.MonkeyPatch) -> Secret:
    return Secret(aws("secretsmanager"), invoke, app, monkeypatch)


def test_names_are_shown_and_values_only_when_asked(secret: Secret) -> None:
    secret.create({"API_KEY": "k3y", "TEXT": "one\ntwo\x1b[2J"})

    names, values = secret.run("list"), secret.run("list", "--values")

    assert (names.code, names.out, names.err) == (0, "API_KEY\nTEXT\n", "")
    assert (values.code, values.out) == (0, 'API_KEY="k3y"\nTEXT="one\\ntwo\\x1b[2J"\n')


def test_one_key_is_set_and_the_others_stay(secret: Secret, tmp_path: Path) -> None:
    secret.create(HELD)
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN-----\nabc\n")

    changed = secret.run("set", "--name", "API_KEY", stdin=b"n3w-\xc3\xbc\n")
    added = secret.run("set", "--name", "PEM", "--file", str(key))

    assert (changed.code, added.code) == (0, 0), changed.err + added.err
    assert secret.values() == {**HELD, "API_KEY": "n3w-ü", "PEM": "-----BEGIN-----\nabc\n"}
    assert changed.out == f"Changed API_KEY in {NAME}; the other values stay as they were.\n"
    assert changed.err == (
        "Tasks that run keep what they had until they start again. "
        "Next: invoke deploy --env stage --again --sandbox\n"
    )
    assert added.out.startswith("Added PEM")
    assert "n3w" not in changed.out + changed.err
    assert secret.versions() == [["AWSCURRENT"], ["AWSPREVIOUS"]], "no label of ours is left"


def test_what_is_there_already_makes_no_version(secret: Secret) -> None:
    secret.create(HELD)

    ended = secret.run("set", "--name", "API_KEY", stdin=b"k3y-of-before")

    assert ended.out == f"API_KEY has that value in {NAME} already; nothing was changed.\n"
    assert (ended.code, ended.err, secret.versions()) == (0, "", [["AWSCURRENT"]])


def test_a_key_is_taken_out_also_one_that_no_task_would_take(secret: Secret) -> None:
    secret.create(HELD)

    ended = secret.run("unset", "--name", "ODD")
    missing = secret.run("unset", "--name", "API_KYE")

    assert ended.out == f"Took ODD out of {NAME}; the other values stay as they were.\n"
    assert secret.values() == {"API_KEY": HELD["API_KEY"], "TEXT": HELD["TEXT"]}
    assert missing.code == 2
    assert missing.err.splitlines()[0] == f"The secret {NAME} has no API_KYE. Did you mean 'API_KEY'?"


@pytest.mark.parametrize(
    ("arguments", "stdin", "sentence"),
    [
        ((), b"x", "--name is missing."),
        (
            ("--name", "API_KEY=v4lue"),
            b"x",
            "--name takes the name alone: a value in an argument ends up in the shell's history.",
        ),
        (
            ("--name", "LD_PRELOAD"),
            b"v4lue",
            "The secret sets LD_PRELOAD, which decides what code the task loads; settings may not. "
            "Set it in the Procfile's command or the task definition, which are reviewed.",
        ),
        (
            ("--name", "api-key"),
            b"v4lue",
            "The secret's key 'api-key' cannot name an environment variable: "
            "letters, digits and underscores are allowed, and no digit first.",
        ),
        (("--name", "A"), b"\n", "There is no value in standard input; nothing was changed."),
        (("--name", "A"), b"v4lue\xff", "The value in standard input is not UTF-8, so not text."),
        (
            ("--name", "A"),
            b"v4lue\0",
            "The secret's value of A has a NUL character, which no environment can hold.",
        ),
        (("--name", "A", "--file", "nowhere"), b"", "nowhere cannot be read: No such file or directory."),
        (
            ("--name", "A"),
            b"v4lue" * 14_000,
            f"With A the secret {NAME} would have 70069 bytes; 65536 are allowed.",
        ),
    ],
)
def test_what_cannot_be_set_is_one_sentence(
    arguments: tuple[str, ...], stdin: bytes, sentence: str, secret: Secret
) -> None:
    secret.create(HELD)

    ended = secret.run("set", *arguments, stdin=stdin)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[0] == sentence
    assert "v4lue" not in ended.err.replace("API_KEY=v4lue", "")
    assert secret.values() == HELD


@pytest.mark.parametrize("task", ["list", "set", "unset", "diff"])
def test_without_bootstrap_there_is_no_secret(task: str, secret: Secret, app: Path, sandbox: Any) -> None:
    (app / "app").mkdir(exist_ok=True)
    (app / "app" / ".env.example").write_text("A=1\n")

    ended = secret.run(task, *(("--name", "A") if task in {"set", "unset"} else ()), stdin=b"x")

    assert ended.code == 2
    assert ended.err == (
        f"The secret {NAME} does not exist.\nRun invoke bootstrap --env stage --sandbox first.\n"
    )


def test_a_secret_that_is_no_object_is_left_alone(secret: Secret) -> None:
    secret.create("s3cret")

    ended = secret.run("set", "--name", "A", stdin=b"x")

    assert ended.code == 2
    assert ended.err.splitlines()[0] == (
        f"{NAME}: The secret is not JSON at character 0; it must be an object such as {{}}."
    )


def test_prod_asks_before_anything_is_changed_or_shown(secret: Secret, app: Path) -> None:
    settings = app / "sink.toml"
    settings.write_text(settings.read_text() + '[environments.prod]\nregion = "eu-west-1"\n')
    name = "my-app-prod-secret-core"
    secret.create(HELD, name)

    refused = [
        secret.run("set", "--name", "API_KEY", stdin=b"x", env="prod"),
        secret.run("unset", "--name", "API_KEY", env="prod"),
        secret.run("list", "--values", env="prod"),
    ]

    assert [each.code for each in refused] == [2, 2, 2]
    assert [each.err.splitlines()[0] for each in refused] == [
        f"{question}? There is no terminal to ask at."
        for question in (
            "Set API_KEY in prod",
            "Take API_KEY away from prod",
            "Show the secret values of prod",
        )
    ]
    assert secret.values(name) == HELD
    assert secret.run("set", "--name", "API_KEY", "--yes", stdin=b"x", env="prod").code == 0
    assert secret.values(name)["API_KEY"] == "x"


def test_a_change_of_somebody_elses_is_not_overwritten(secret: Secret, connection: Aws, aws: Any) -> None:
    secret.create(HELD)
    before = connection.secrets.read(NAME)
    aws("secretsmanager").put_secret_value(SecretId=NAME, SecretString='{"THEIRS": "1"}')

    with pytest.raises(SinkError, match=f"Somebody else changed the secret {NAME} meanwhile"):
        connection.secrets.replace(NAME, before, '{"OURS": "s3cret"}')

    assert secret.values() == {"THEIRS": "1"}
    assert secret.versions() == [["AWSCURRENT"], ["AWSPREVIOUS"]]
    assert "k3y" not in repr(before)
    assert isinstance(before, SecretValue)


def test_the_names_of_the_example_are_compared(secret: Secret, app: Path) -> None:
    secret.create({"API_KEY": "k", "MORE": "m"})
    nothing = secret.run("diff")
    (app / "app").mkdir(exist_ok=True)
    example = app / "app" / ".env.example"
    example.write_text('# COMMENT=1\nexport API_KEY=x\nPEM="a\nINSIDE=1\n"\n\nLOG_LEVEL = INFO # y\n')

    differs = secret.run("diff")
    example.write_text("API_KEY=\nMORE=1\n")
    same = secret.run("diff")

    assert nothing.code == 2
    assert nothing.err.startswith("There is no app/.env.example, so nothing says what the environment")
    assert differs.out.splitlines() == [
        f"- PEM  (in app/.env.example, not in {NAME})",
        f"- LOG_LEVEL  (in app/.env.example, not in {NAME})",
        f"+ MORE  (in {NAME}, not in app/.env.example)",
    ]
    assert (same.out, same.err) == ("", f"app/.env.example and {NAME} have the same names.\n")


def test_where_images_hold_the_values_a_deploy_is_needed(secret: Secret, app: Path) -> None:
    settings = app / "sink.toml"
    settings.write_text(settings.read_text().replace("[app]\n", '[app]\nsecrets_delivery = "image"\n'))
    secret.create(HELD)

    ended = secret.run("set", "--name", "A", "--restart", stdin=b"x")

    assert ended.code == 0
    assert ended.err == (
        "The values are part of the image here, so a new one has to be built. "
        "Next: invoke deploy --env stage --again --sandbox\n"
    )


def test_nothing_is_restarted_where_nothing_runs(secret: Secret) -> None:
    secret.create(HELD)

    ended = secret.run("set", "--name", "A", "--restart", stdin=b"x")

    assert ended.code == 2
    assert ended.out.startswith("Added A in ")
    assert ended.err.splitlines()[0] == (
        "my-app has no service in stage yet; its first deploy takes the values along."
    )


def type_at_a_terminal(folder: Path, answers: list[tuple[bytes, bytes]], *arguments: str) -> tuple[int, str]:
    """Run a task at a terminal of its own, answer each prompt, and return its exit code and the screen."""
    (folder / "tasks.py").write_text("from the_sink.tasks import app_namespace\n\nns = app_namespace()\n")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execv(str(Path(sys.executable).parent / "invoke"), ["invoke", *arguments])  # noqa: S606 (a list, no shell)
    screen, waiting = b"", list(answers)
    while True:
        try:
            said = os.read(terminal, 4096)
        except OSError:  # Linux's way to say that the other end is closed
            said = b""
        if not said:
            break
        screen += said
        if waiting and waiting[0][0] in screen:
            os.write(terminal, waiting.pop(0)[1])
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), screen.decode()


def test_at_a_terminal_the_value_is_asked_for_and_not_shown(secret: Secret, app: Path) -> None:
    secret.create(HELD)

    code, screen = type_at_a_terminal(
        app,
        [(b"Value of API_KEY in stage (not shown):", b"typ3d-s3cret\n"), (b"[y/N]", b"n\n")],
        *("secrets.set", "--name", "API_KEY", "--env", "stage", "--sandbox"),
    )

    assert code == 0, screen
    assert secret.values()["API_KEY"] == "typ3d-s3cret"
    assert "typ3d" not in screen
    assert "Restart the tasks of stage now, so that they get it? [y/N]" in screen
    assert "Next: invoke deploy --env stage --again --sandbox" in screen
