"""Each question refuses each kind of wrong answer with a sentence of its own, and derives what it can."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from copier import run_copy

from the_sink.errors import InputError
from the_sink.naming import PYTHON_RUNTIMES, check_app_name, check_platform_name

from .conftest import APP, CHECKOUT, VARIANTS, copy_template, questions

Refuse = Callable[..., str]

STAGE_IS_MISSING = "'stage' is missing: every service has it, and the others are promoted from it."
TAGS = ["cost_center_id", "primary_owner", "secondary_owner", "project_group", "project_code"]
NAMES_THAT_NO_APP_HAS = [
    "",
    "abcd",
    "a" * 25,
    "Hello-Sink",
    "hello_sink",
    "hello sink",
    "héllo-sink",
    "hello-sink\n",
    "1hello",
    "-hello",
    "hello-",
    "internal-hello",
    "stacks",
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template in a folder that git knows nothing of: nothing has to be cloned to ask questions."""
    folder = tmp_path_factory.mktemp("template-without-git")
    copy_template(folder)
    return folder


@pytest.fixture(scope="module")
def refuse(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Refuse:
    """Give an answer that must be refused, and return copier's sentence; nothing may be left behind."""

    def run(**answers: Any) -> str:
        folder = tmp_path_factory.mktemp("refused") / "service"
        with pytest.raises(ValueError) as refused:
            run_copy(str(source), folder, data={"app_name": APP, **answers}, defaults=True, quiet=True)
        assert not folder.exists()
        return str(refused.value).partition(": ")[2]

    return run


@pytest.mark.parametrize("name", NAMES_THAT_NO_APP_HAS)
def test_an_app_name_is_refused_in_the_words_of_naming(refuse: Refuse, name: str) -> None:
    with pytest.raises(InputError) as expected:
        check_app_name(name)
    reason = expected.value.message.partition(" cannot name an app")[2]

    assert refuse(app_name=name) == f"'{name}' cannot name an app{reason}"


def test_a_new_app_has_a_name_that_its_database_may_have_too(refuse: Refuse) -> None:
    """Apps of the legacy platform may be called so."""
    assert check_app_name("hello--sink") == "hello--sink"

    sentence = "'hello--sink' cannot name an app: it may not contain two hyphens in a row."
    assert refuse(app_name="hello--sink") == sentence


@pytest.mark.parametrize("name", ["hello", "a1234", "x" * 24, "my-2nd-service", "runtimes"])
def test_an_app_name_that_naming_allows_is_allowed(source: Path, name: str, tmp_path: Path) -> None:
    assert check_app_name(name) == name
    run_copy(str(source), tmp_path / "service", data={"app_name": name}, defaults=True, quiet=True)

    assert f"app_name: {name}\n" in (tmp_path / "service/.copier-answers.yml").read_text()


@pytest.mark.parametrize(
    "name", ["email", "platform", "fastapi", "lambda", "pydantic-core", "sqlalchemy", "gunicorn", "the-sink"]
)
def test_an_app_cannot_hide_a_python_module(refuse: Refuse, name: str) -> None:
    sentence = f"'{name}' cannot name an app: its package would hide the Python module of that name."

    assert refuse(app_name=name) == sentence


def test_every_module_that_an_app_could_hide_is_known() -> None:
    """The interpreter at hand and the locks have no module that app_name would let through."""
    locks = [path.read_text() for path in (CHECKOUT / "template/app").glob("*requirements-dev.lock*")]
    assert len(locks) == len(VARIANTS)
    locked = re.findall(r"^([a-z0-9-]+)==", "\n".join(locks), re.MULTILINE)
    # Distributions whose module has another name, or none that can be imported.
    modules = {"python-dotenv": "dotenv", "httpx2-jsfetch": "httpx2", "opentelemetry-api": "opentelemetry"}
    names = {*sys.stdlib_module_names, *keyword.kwlist, *(modules.get(name, name) for name in locked)}
    as_apps = {name.replace("_", "-") for name in names}
    possible = {name for name in as_apps if re.fullmatch(r"[a-z][a-z0-9-]{4,23}", name)}
    known = set((CHECKOUT / "template/includes/module-names.txt").read_text().split())

    # Command-line tools only: nothing of the service imports them.
    assert possible - known - {"colorama"} == set()


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"app_description": " "}, "The description is empty: say in one sentence what the service is for."),
        ({"app_description": "x" * 201}, "The description has 201 characters, 200 are allowed."),
        (
            {"app_description": "two\nlines"},
            "The description has a line break or a control character: write it on one line.",
        ),
        (
            {"app_repository": "github.com/me/hello"},
            "'github.com/me/hello' is no repository URL: begin with https:// or ssh://, or leave it empty.",
        ),
        (
            {"app_repository": "https://me:token@example.com/hello"},
            "The repository URL holds a user name or a password, and it would be committed: leave that out.",
        ),
        ({"environments": ["uat", "prod"]}, STAGE_IS_MISSING),
        ({"environments": []}, STAGE_IS_MISSING),
        ({"environments": ["stage", "qa"]}, "'qa' is not in ['stage', 'uat', 'prod']"),
        ({"runtime_version": "3.9"}, "'3.9' is not in ['3.10', '3.11', '3.12', '3.13', '3.14']"),
        ({"runtime_version": 3.1}, "'3.1' is not in ['3.10', '3.11', '3.12', '3.13', '3.14']"),
        ({"secrets_delivery": "file"}, "'file' is not in ['task', 'image']"),
        ({"framework": "django"}, "'django' is not in ['fastapi', 'flask']"),
        ({"database": "mysql"}, "'mysql' is not in ['postgres', 'none']"),
        (
            {"platform_repository": "../platform"},
            "'../platform' cannot be found from the service later: "
            "give a URL (https://, ssh://, file://, git@…) or an absolute path.",
        ),
        (
            {"platform_repository": "https://me@example.com/platform"},
            "The platform's URL holds a user name or a password, and it would be committed: leave that out.",
        ),
        ({"region": "Ireland"}, "'Ireland' is no AWS region: write one such as eu-west-1."),
        ({"account_stage": "1234"}, "'1234' is no AWS account number: it has 12 digits."),
        ({"account_uat": "12345678901x"}, "'12345678901x' is no AWS account number: it has 12 digits."),
        ({"account_prod": "1234567890123"}, "'1234567890123' is no AWS account number: it has 12 digits."),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_refused_in_one_sentence(
    refuse: Refuse, answers: dict[str, Any], sentence: str
) -> None:
    assert refuse(**answers) == sentence


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("value", ["", "a;b", "x" * 257, "two\nlines"])
def test_a_tag_is_refused_that_aws_would_refuse(refuse: Refuse, tag: str, value: str) -> None:
    allowed = "1 to 256 letters, digits, spaces and _ . : / = + @ - are allowed."

    assert refuse(**{tag: value}) == f"'{value}' cannot be a tag's value: {allowed}"


@pytest.mark.parametrize("name", ["", "The-Sink", "1sink", "sink-", "the--sink", "x" * 31])
def test_a_platform_name_is_refused_that_naming_refuses(refuse: Refuse, name: str) -> None:
    with pytest.raises(InputError):
        check_platform_name(name)

    assert refuse(platform_name=name).startswith(f"'{name}' cannot name a platform: use 1 to 30 ")


def test_a_source_that_means_nothing_later_has_no_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`copier copy ../platform` has to be told where the platform is."""
    copy_template(tmp_path)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ValueError, match='Question "platform_repository" is required'):
        run_copy(".", tmp_path / "service", data={"app_name": APP}, defaults=True, quiet=True)


@pytest.mark.parametrize(
    ("folder", "expected"), [("my-service", "my-service"), ("email", None), ("my", None)]
)
def test_the_folder_names_the_app_where_it_can(
    source: Path, tmp_path: Path, folder: str, expected: str | None
) -> None:
    target = tmp_path / folder

    if expected is None:
        with pytest.raises(ValueError, match='Question "app_name" is required'):
            run_copy(str(source), target, defaults=True, quiet=True)
    else:
        run_copy(str(source), target, defaults=True, quiet=True)
        assert f"app_name: {expected}\n" in (target / ".copier-answers.yml").read_text()


def test_the_first_thing_in_the_file_is_the_first_question() -> None:
    assert next(iter(questions())) == "app_name"


def test_questions_say_type_help_default_validator_in_that_order() -> None:
    order = ["type", "help", "choices", "multiselect", "default", "validator", "when"]
    for name, details in questions().items():
        assert list(details) == [key for key in order if key in details], name
        assert {"type", "help", "default"} <= details.keys(), name


def test_the_runtimes_to_choose_from_are_those_that_the_platform_builds() -> None:
    assert questions()["runtime_version"]["choices"] == list(PYTHON_RUNTIMES)
    assert [f"{version}.Dockerfile" for version in PYTHON_RUNTIMES] == sorted(
        path.name for path in (CHECKOUT / "runtimes/python").glob("*.Dockerfile")
    )


TEXTS = [
    name
    for name, details in questions().items()
    if details["type"] == "str" and "choices" not in details and details.get("when") is not False
]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("control", ["\r", "\n", "\x1b", "\x7f"])
def test_no_answer_holds_a_control_character(refuse: Refuse, name: str, control: str) -> None:
    """A carriage return ends a line in YAML, TOML and a shell's file, and hides what stands before it."""
    rightly = {
        "app_name": "hello-sink",
        "app_repository": "https://git.example/a",
        "platform_repository": "https://git.example/platform",
        "region": "eu-west-1",
    }
    value = rightly.get(name, "123456789012" if name.startswith("account_") else "text")

    for wrong in (f"{value[:3]}{control}{value[3:]}", value + control):
        assert refuse(**{name: wrong})
