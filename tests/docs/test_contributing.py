"""CONTRIBUTING.md, followed to the letter: files are made in a copy of the checkout, commands run there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .test_docs import CHECKOUT

PAGE = (CHECKOUT / "CONTRIBUTING.md").read_text()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout, without a commit, that has this run's environment."""
    target = tmp_path_factory.mktemp("contributing") / "checkout"
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.split("\0"):
        if name and (CHECKOUT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, target / name)
    (target / ".venv").symlink_to(sys.prefix)
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)
    subprocess.run(["git", "add", "--all"], cwd=target, check=True)
    return target


def steps(heading: str) -> list[str]:
    """Return the numbered steps below a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.split(r"^\d+\. ", section, flags=re.MULTILINE)[1:]


def block(step: str, language: str) -> str:
    """Return the one block of a step in a language, without its indent."""
    [found] = re.findall(rf"^ *```{language}\n(.*?)^ *```", step, re.MULTILINE | re.DOTALL)
    return re.sub(r"^ {3}", "", found, flags=re.MULTILINE)


def run_commands(checkout: Path, step: str) -> None:
    """Run the commands of a step; the copy's own code comes first on Python's path."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (checkout / "src", checkout)))}
    for line in block(step, "sh").splitlines():
        done = subprocess.run(
            ["bash", "-c", line], cwd=checkout, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


@pytest.mark.long
def test_a_task_is_added_as_the_page_says(checkout: Path) -> None:
    create, append, test, commands = steps("Add a task")
    for step in (create, test):
        [path] = re.findall(r"`([\w/]+\.py)`", step.partition("```")[0])
        assert not (checkout / path).exists()
        (checkout / path).write_text(block(step, "python"))
    [path] = re.findall(r"`([\w/]+\.py)`", append.partition("```")[0])
    with (checkout / path).open("a") as module:
        module.write("\n\n" + block(append, "python"))

    run_commands(checkout, commands)

    page = (checkout / "docs/reference/app-tasks.md").read_text()
    assert re.search(r"^#+ .*\bwhere\b", page, re.MULTILINE)


@pytest.mark.long
def test_a_file_of_the_template_is_added_as_the_page_says(checkout: Path) -> None:
    create, golden, commands, _ = steps("Change what the template generates")
    [path] = re.findall(r"`(template/[^`]+)`", create)
    (checkout / path).write_text(block(create, "sql"))
    [line] = re.findall(r"line `([^`]+)`", golden)
    lists = re.findall(r"`(tests/[^`]+)`", golden)
    assert len(lists) == 2
    for name in lists:
        with (checkout / name).open("a") as names:
            names.write(f"{line}\n")

    run_commands(checkout, commands)
