"""Every command that a document tells people to type is there, with its options."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from the_sink.tasks import app_namespace
from the_sink.tasks.menu import find_mistake, load_menu, read_menu

from .test_docs import CHECKOUT, PAGES


def commands(text: str) -> list[str]:
    """Return the ``invoke …`` commands of the blocks and code marks of a page."""
    blocks = re.findall(r"^ *```(?:sh|text)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    typed = [
        line.strip().removeprefix("$ ")
        for block in blocks
        # A line that ends in a backslash goes on.
        for line in block.replace("\\\n", " ").splitlines()
    ]
    inline = re.findall(r"`((?:\.venv/bin/)?invoke [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [
        found
        for line in (re.sub(r"<[\w -]+>", "X", re.sub(r"[][]", "", line)) for line in [*typed, *inline])
        for found in re.findall(r"(?:^|[\s(/])(invoke (?:[^&|;()>\"'…]|\"[^\"]*\")*)", line)
        # `invoke <task>` and `invoke --list` name none, and `platform.*` names many.
        if re.match(r"invoke [a-z]", found) and ".*" not in found
    ]


def mistake_in(command: str) -> str:
    """Say what is wrong with a command: nothing, if an app or the platform has it as it stands."""
    mistakes = [find_mistake(command, menu) for menu in (read_menu(app_namespace()), load_menu(CHECKOUT))]
    # Of the two sentences, the one that gets as far as an option says more.
    return "" if "" in mistakes else min(mistakes, key=lambda mistake: "there is no task" in mistake)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_command_is_there_with_its_options(page: Path) -> None:
    found = commands(page.read_text())

    assert [mistake for command in found if (mistake := mistake_in(command))] == []


def test_the_tutorial_and_each_how_to_have_commands() -> None:
    pages = [CHECKOUT / "docs" / "tutorial.md", *(CHECKOUT / "docs" / "how-to").glob("*.md")]

    assert [page.name for page in pages if not commands(page.read_text())] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_block_of_commands_is_one_that_bash_reads(page: Path) -> None:
    blocks = re.findall(r"^( *)```sh\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)

    for indent, block in blocks:
        script = re.sub(rf"^{indent}", "", block, flags=re.MULTILINE)
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{script}\n{done.stderr}"


def test_each_how_to_is_in_the_index() -> None:
    index = (CHECKOUT / "docs" / "README.md").read_text()
    pages = [*(CHECKOUT / "docs").glob("how-to/*.md"), *(CHECKOUT / "docs").glob("reference/*.md")]

    assert [page.name for page in pages if f"({page.parent.name}/{page.name})" not in index] == []


def test_commands_are_found_wherever_they_are_typed() -> None:
    page = (
        "Run `invoke status --json` or `invoke <task>`.\n"
        "```sh\ncd x && .venv/bin/invoke deploy --env stage \\\n  --yes\n"
        'URL="$(.venv/bin/invoke outputs --env stage | cut -c1)"\n```\n'
    )

    assert [command.split() for command in commands(page)] == [
        ["invoke", "deploy", "--env", "stage", "--yes"],
        ["invoke", "outputs", "--env", "stage"],
        ["invoke", "status", "--json"],
    ]
