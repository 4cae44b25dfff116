"""The documentation says what is there: links lead somewhere, lines run, every dependency has its reason."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [
    CHECKOUT / name
    for name in subprocess.run(
        ["git", "ls-files", "*.md"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.split()
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("task", ["demo", "test"])
def test_the_readme_has_the_one_line_that_ci_and_the_bench_take_from_it(task: str) -> None:
    lines = re.findall(
        rf"^python3 -m venv .*invoke {task}$", (CHECKOUT / "README.md").read_text(), re.MULTILINE
    )

    assert len(lines) == 1


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {Requirement(line).name for group in groups for line in group}
    table = (CHECKOUT / "docs" / "architecture.md").read_text().partition("## Dependencies")[2]

    assert {name for name in names if name.removesuffix("-lite") not in table} == set()


def test_the_changelog_knows_this_version() -> None:
    version = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]

    assert f"## {version}" in (CHECKOUT / "CHANGELOG.md").read_text()
