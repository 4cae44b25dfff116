"""Every value of the secret reaches the app as it is; what cannot is refused, and no value is ever shown."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sink_host import uv
from the_sink.local.template_locks import lock_path

from .conftest import SCRIPTS, Image, refusal

sys.path.insert(0, str(SCRIPTS))
from sink_runtime import env_file
from sink_runtime.layout import Refusal

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
PIECES = [*"\\\"'$#{}:-= \n\r\t`!%&ab", "${HOME}", "${A:-b}", "\\n", "é", "🚀"]
TRICKY = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)

LINE = st.tuples(
    st.sampled_from(["A=", "A =", "B= ", "export A=", "A='", 'B= "', "# ", ""]),
    st.lists(st.sampled_from([*"\\\"'$#{}:- \t=", "${A}", "${A:-b}", "ab", "\\n", "\n"]), max_size=8).map(
        "".join
    ),
).map("".join)
"""What somebody may write by hand, well or badly."""

HOSTILE = {
    "QUOTES": "both \"kinds\" of 'quotes'",
    "DOLLAR": "$HOME ${HOME} $$ ${UNSET:-default} $(id) `id`",
    "HASH": "# no comment # at all",
    "LINES": "one\ntwo\r\nthree\rfour\n",
    "BACKSLASH": "C:\\new\\table\\",
    "TWO_BACKSLASHES": "\\\\",
    "SPACES": "  around  ",
    "EMPTY": "",
    "EQUALS": "a=b=c",
    "UNICODE": "Zoë 日本 🚀 \u2028 \x85",
    "CONTROL": "\a\b\f\v\t\x1b",
    "JSON": '{"a": ["b", "${c}"]}',
}

READER = """
import json, sys
from dotenv import dotenv_values

for line in sys.stdin:
    print(json.dumps(dict(dotenv_values(json.loads(line)))), flush=True)
"""


@pytest.fixture(scope="module")
def read_with_dotenv(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], dict[str, str]]]:
    """Have python-dotenv, at the version of the generated service's lock, read a .env."""
    folder = tmp_path_factory.mktemp("dotenv")
    lock = Path(SCRIPTS.parents[1], lock_path("fastapi", "none")).read_text()
    pin = next(block for block in lock.split("\n    # via") if "\npython-dotenv==" in block)
    (folder / "dotenv.lock").write_text(pin[pin.index("python-dotenv==") :] + "\n")
    uv.make_environment(folder / ".venv", Path(sys.executable))
    uv.install_locked(folder / ".venv", folder / "dotenv.lock")
    process = subprocess.Popen(
        [str(folder / ".venv/bin/python"), "-c", READER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def read(text: str) -> dict[str, str]:
        assert process.stdin is not None
        assert process.stdout is not None
        (folder / ".env").write_text(text, encoding="utf-8", newline="")
        process.stdin.write(json.dumps(str(folder / ".env")) + "\n")
        process.stdin.flush()
        return dict(json.loads(process.stdout.readline()))

    yield read
    process.stdin.close()
    process.wait(timeout=60)
    process.stdout.close()


@given(values=st.dictionaries(NAMES, VALUES | TRICKY, max_size=5))
@example(values=HOSTILE)
@example(values={"A": "ends in \\", "B": "it's", "C": 'a "quote"'})
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_what_both_readers_read(
    read_with_dotenv: Callable[[str], dict[str, str]], values: dict[str, str]
) -> None:
    text = env_file.render(values)

    assert env_file.parse(text, ".env", {"HOME": "/wrong"}) == values
    assert read_with_dotenv(text) == values


@pytest.mark.parametrize(
    "text",
    [
        "A=b\n",
        "A=b",
        "export A=b\n",
        "  A = b  \n",
        "A=b # comment\n",
        "A=b#c\n",
        "A=#b\n",
        "A= # comment\n",
        "A=  \nB=c\n",
        "A=\nB=\n",
        "# comment\n\nA=b\n",
        "A='b # c'\n",
        "A='b' # c\n",
        "A=\"b\\nc\\\\n\\\"d\\\"\"\n",
        "A='b\\nc\\'d'\n",
        "A='two\nlines'\nB=c\n",
        "A=b\nB=${A}c\n",
        "B=${A:-d}\n",
        "B=$A\n",
        "A=b\r\nB=c\r\n",
        "A=va\"lue\n",
        "A=b c\n",
    ],
)  # fmt: skip
def test_a_file_written_by_hand_means_what_python_dotenv_says(
    read_with_dotenv: Callable[[str], dict[str, str]], text: str
) -> None:
    # As a text file is read: every line end is a line feed.
    assert env_file.parse(text.replace("\r\n", "\n"), ".env", {}) == read_with_dotenv(text)


@given(lines=st.lists(LINE, max_size=4))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_not_refused_means_what_python_dotenv_says(
    read_with_dotenv: Callable[[str], dict[str, str]], lines: list[str]
) -> None:
    text = "\n".join(lines)
    try:
        values = env_file.parse(text, ".env", {})
    except Refusal:
        return
    assert values == read_with_dotenv(text)


def test_values_reach_the_app_and_its_env_file(image: Image) -> None:
    """As ECS delivers them: the whole secret in one variable, of which the app sees nothing."""
    done = image.run("container-init", variables={"SINK_SECRET_CORE": json.dumps(HOSTILE)})

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {name: found.get(name) for name in HOSTILE} == HOSTILE
    assert "SINK_SECRET_CORE" not in found
    file = image.app / ".env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o400
    assert env_file.parse(file.read_text(), ".env", {}) == HOSTILE
    # Once more, as after a restart in the same container.
    assert image.run("container-init", variables={"SINK_SECRET_CORE": "{}"}).returncode == 0
    assert file.read_text() == ""
    assert list(image.app.glob(".env*")) == [file]


def test_values_of_an_env_file_reach_the_app(image: Image) -> None:
    """As the delivery `image` and a laptop have them."""
    image.write(".env", env_file.render(HOSTILE))

    found = json.loads(image.run("container-init").stdout)

    assert {name: found.get(name) for name in HOSTILE} == HOSTILE


def test_the_containers_own_environment_wins(image: Image) -> None:
    """A task definition decides over the secret, and no secret replaces PATH."""
    secret = json.dumps({"PATH": "/evil", "PORT": "1", "LEVEL": "secret", "OTHER": "secret"})
    image.write(".env", "LEVEL=file\nFILE=file\n")

    done = image.run("container-init", variables={"SINK_SECRET_CORE": secret, "PORT": "9", "LEVEL": "task"})

    found = json.loads(done.stdout)
    assert (found["PORT"], found["LEVEL"], found["OTHER"]) == ("9", "task", "secret")
    assert "/evil" not in found["PATH"]
    assert "Not used of the settings, because the container has its own: LEVEL, PATH, PORT." in done.stderr
    # The secret replaces the file, it is not mixed with an older one.
    assert "FILE" not in found


def test_a_task_without_a_place_for_the_file_goes_on(image: Image) -> None:
    """As with a read-only root; a folder in the way fails for every user, root included."""
    (image.app / ".env").mkdir()

    done = image.run("container-init", variables={"SINK_SECRET_CORE": '{"TOKEN": "s3cret"}'})

    assert json.loads(done.stdout)["TOKEN"] == "s3cret"
    assert ".env is not written (" in done.stderr
    assert "s3cret" not in done.stderr
    assert sorted(path.name for path in image.app.iterdir()) == [".env", "Procfile", "src"]


def test_env_prints_the_file_for_the_build(image: Image) -> None:
    done = image.run("container-init", "env", variables={"SINK_SECRET_CORE": json.dumps(HOSTILE)})

    assert (done.returncode, done.stderr) == (0, "")
    assert env_file.parse(done.stdout, ".env", {}) == HOSTILE
    assert not (image.app / ".env").exists()


@pytest.mark.parametrize(
    ("secret", "sentence"),
    [
        ("", "The secret has no text; it must be a JSON object, {} at least."),
        (" \n", "The secret has no text; it must be a JSON object, {} at least."),
        ("hunter2", "The secret is not JSON at character 0; it must be an object such as {}."),
        ('{"A": "hunter2"', "The secret is not JSON at character 15; it must be an object such as {}."),
        ("[" * 100_000, "The secret is not JSON; it must be an object such as {}."),
        ('"hunter2"', "The secret is a string; it must be a JSON object such as {}."),
        ('["hunter2"]', "The secret is a list; it must be a JSON object such as {}."),
        ("null", "The secret is null; it must be a JSON object such as {}."),
        ("4711", "The secret is a number; it must be a JSON object such as {}."),
        ('{"A": 4711}', "The secret's value of A is a number; it must be a string."),
        ('{"A": true}', "The secret's value of A is true or false; it must be a string."),
        ('{"A": null}', "The secret's value of A is null; it must be a string."),
        ('{"A": {"B": "hunter2"}}', "The secret's value of A is an object; it must be a string."),
        (
            '{"my-key": "hunter2"}',
            "The secret's key 'my-key' cannot name an environment variable: "
            "letters, digits and underscores are allowed, and no digit first.",
        ),
        (
            '{"1A": "hunter2"}',
            "The secret's key '1A' cannot name an environment variable: "
            "letters, digits and underscores are allowed, and no digit first.",
        ),
        (
            '{"": "hunter2"}',
            "The secret's key '' cannot name an environment variable: "
            "letters, digits and underscores are allowed, and no digit first.",
        ),
        (
            '{"A": "hunter2\\u0000"}',
            "The secret's value of A has a NUL character, which no environment can hold.",
        ),
        (
            '{"A": "hunter2\\ud800"}',
            "The secret's value of A has half of a surrogate pair: it is no text.",
        ),
    ],
)
def test_a_secret_that_cannot_be_an_environment_is_refused(image: Image, secret: str, sentence: str) -> None:
    """In one sentence that names keys and kinds, and never a value; for the build as for a task."""
    for arguments in ([], ["check"], ["env"]):
        assert (
            refusal(image.run("container-init", *arguments, variables={"SINK_SECRET_CORE": secret}))
            == sentence
        )
    assert not (image.app / ".env").exists()


@pytest.mark.parametrize(
    "text",
    ["A=hunter2\nhunter2\n", 'A="hunter2\n', 'A= "hunter2\n', "A='hunter2' hunter2\n", "1=hunter2\n"],
)
def test_a_malformed_env_file_is_refused_without_its_content(image: Image, text: str) -> None:
    image.write(".env", text)
    line = 2 if text.startswith("A=h") else 1

    expected = f"{image.app}/.env line {line} is not NAME=value, or its quotes do not close."
    assert refusal(image.run("container-init")) == expected


LOADERS = [
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "DYLD_INSERT_LIBRARIES",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
]
PYTHONS = [
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONBREAKPOINT",
    "PYTHONWARNINGS",
    "PYTHONUSERBASE",
]
SHELLS = ["BASH_ENV", "ENV", "IFS"]


@pytest.mark.parametrize("name", [*LOADERS, *PYTHONS, *SHELLS])
def test_no_setting_chooses_the_code_that_a_task_loads(image: Image, name: str) -> None:
    """Neither from the secret, in a task and in the build that writes .env, nor from .env itself."""
    said = (
        f"sets {name}, which decides what code the task loads; settings may not. "
        "Set it in the Procfile's command or the task definition, which are reviewed."
    )
    secret = {"SINK_SECRET_CORE": json.dumps({"TOKEN": "s3cret", name: "/evil"})}
    for words in ((), ("env",), ("check",)):
        assert refusal(image.run("container-init", *words, variables=secret)) == f"The secret {said}"

    image.write(".env", f"{name}=/evil\n")
    assert refusal(image.run("container-init")) == f"{image.app}/.env {said}"


def test_settings_that_only_change_how_python_runs_are_free(image: Image) -> None:
    settings = {
        "PYTHONUNBUFFERED": "",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "LDAP_URL": "x",
        "ENVIRONMENT": "y",
    }

    found = json.loads(
        image.run("container-init", variables={"SINK_SECRET_CORE": json.dumps(settings)}).stdout
    )

    assert {name: found[name] for name in settings} == settings


def test_a_byte_order_mark_is_understood(image: Image) -> None:
    """As some editors write it; the first name and the first process would be others with it."""
    image.write(".env", "\ufeffTOKEN=first\n")
    procfile = image.app / "Procfile"
    image.write("Procfile", "\ufeff" + procfile.read_text())

    assert json.loads(image.run("container-init").stdout)["TOKEN"] == "first"
