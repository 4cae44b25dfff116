"""The reference pages say what is there, and `invoke docs` says when they do not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from the_sink.config.settings_reference import describe_settings
from the_sink.report.reference import render_parameters, render_questions
from the_sink.tasks import app_namespace
from the_sink.tasks.menu import find_mistake, load_menu, read_menu
from the_sink.tasks.reference import render_pages

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with all that `invoke docs` reads."""
    for name in ("copier.yml", "sink.toml", "tasks.py", "pyproject.toml"):
        shutil.copy(CHECKOUT / name, tmp_path)
    for folder in ("demo", "stacks"):
        shutil.copytree(CHECKOUT / folder, tmp_path / folder)
    return tmp_path


def invoke(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "invoke", *words], cwd=folder, check=False, capture_output=True, text=True
    )


def test_every_page_is_up_to_date() -> None:
    """If this fails: `invoke docs`."""
    for name, page in render_pages(CHECKOUT).items():
        assert (CHECKOUT / "docs" / "reference" / name).read_text() == page, name


def test_no_page_is_left_over() -> None:
    folder = CHECKOUT / "docs" / "reference"

    assert {path.name for path in folder.iterdir()} == render_pages(CHECKOUT).keys()


def test_docs_writes_what_is_behind_and_check_only_says_so(checkout: Path) -> None:
    behind = invoke(checkout, "docs", "--check")
    assert behind.returncode == 1
    assert behind.stderr.startswith("Behind what they describe: docs/reference/questions.md, ")
    assert behind.stderr.endswith("Write them: invoke docs.\n")
    assert not (checkout / "docs").exists()

    assert invoke(checkout, "docs").returncode == 0
    done = invoke(checkout, "docs", "--check")
    assert (done.returncode, done.stdout) == (0, "Every reference page says what is there.\n")

    template = checkout / "stacks" / "python" / "cfn-template.yml"
    template.write_text(template.read_text().replace("CPU units of a task;", "Units of a task;"))
    again = invoke(checkout, "docs", "--check")
    assert again.stderr.splitlines()[0] == "Behind what they describe: docs/reference/parameters.md."


def test_a_question_that_is_computed_is_none() -> None:
    page = render_questions(
        "# --- App ---\nshown:\n  help: What <it> is | does\n  default: '{{ other }}'\n  choices: [a, b]\n"
        "hidden:\n  help: x\n  when: false\n  default: y\n"
    )

    assert page.splitlines() == [
        "## App",
        "",
        "| question | default | answers | |",
        "|---|---|---|---|",
        "| `shown` | that of `other` | `a`, `b` | What &lt;it> is \\| does |",
    ]


def test_a_parameter_shows_what_it_may_be() -> None:
    page = render_parameters(
        "X",
        "Parameters:\n  A: {Type: Number, MinValue: 0, Description: How many}\n"
        "  B: {Type: String, Default: '', AllowedPattern: x, ConstraintDescription: an x}\n",
    )

    assert page.splitlines()[4:] == ["| `A` |  | at least 0 | How many |", "| `B` | empty | an x |  |"]


def test_every_setting_has_a_meaning_and_each_environment_its_default() -> None:
    found = {(each.table, each.key): each for each in describe_settings()}

    assert [key for key, each in found.items() if not each.meaning] == []
    assert found["environments.<env>", "region"].is_required
    assert found["environments.<env>", "tag"].default == 'stage: "latest", uat: "uat", prod: "prod"'
    assert found["environments.<env>", "tag"].expected.startswith("stage: latest; uat: latest, uat or prod;")
    assert found["app", "secrets_delivery"].default == '"task"'


@pytest.mark.parametrize(
    ("command", "mistake"),
    [
        ("invoke deploy --env stage -s --dry-run", ""),
        ('invoke deploy --env "$ENVIRONMENT" --commit=HEAD', ""),
        ("invoke bootstrap --env stage deploy --env stage", ""),
        ("invoke test -- -k 'one or two'", ""),
        ("invoke deploy --help", ""),
        ("invoke deplyo", "there is no task 'deplyo'"),
        ("invoke deploy --environment stage", "deploy has no --environment"),
        ("invoke deploy --env", "a value is missing at its end"),
    ],
)
def test_a_command_is_held_against_the_menu(command: str, mistake: str) -> None:
    found = find_mistake(command, read_menu(app_namespace()))

    assert found == (f"{command}: {mistake}" if mistake else "")


def test_each_task_of_both_menus_has_its_help() -> None:
    for menu in (read_menu(app_namespace()), load_menu(CHECKOUT)):
        assert menu
        assert [each.name for each in menu.values() if not each.help.endswith(".")] == []
