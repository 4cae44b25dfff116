"""Workflows, the platform's and a service's: zizmor finds nothing, and would.

``zizmor.yml`` says what it is told to pass over, and why; no line of a workflow is hidden from it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.workflows.conftest import CHECKOUT, read

from .conftest import HERE, Scanners


def scan(scanners: Scanners, folder: Path) -> subprocess.CompletedProcess[str]:
    strictly = ["--offline", "--no-progress", "--strict-collection", "--persona", "pedantic"]
    return scanners.run("zizmor", *strictly, "--config", str(HERE / "zizmor.yml"), ".github", cwd=folder)


@pytest.mark.parametrize("whose", ["platform", "service"])
def test_nothing_is_found(scanners: Scanners, service: Path, whose: str) -> None:
    folder = CHECKOUT if whose == "platform" else service

    done = scan(scanners, folder)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "No findings to report" in done.stdout
    assert done.stderr.count("completed") == len(read(folder))


def test_what_is_wrong_is_found(scanners: Scanners, tmp_path: Path) -> None:
    workflow = tmp_path / ".github" / "workflows" / "ci.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(
        "on: issues\njobs:\n  x:\n    runs-on: ubuntu-24.04\n    steps:\n"
        "      - run: echo ${{ github.event.issue.title }}\n"
    )

    done = scan(scanners, tmp_path)

    assert done.returncode != 0
    assert "template-injection" in done.stdout


def test_no_line_is_hidden(service: Path) -> None:
    workflows = [*read(CHECKOUT), *read(service)]

    assert [each.path.name for each in workflows if "zizmor:" in each.text] == []
