"""Dockerfiles, the platform's and a service's: hadolint finds nothing, and would.

What it is told to pass over stands above the line, as ``# hadolint ignore=<rule>``, below a comment that says
why.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.workflows.conftest import CHECKOUT

from .conftest import Scanners, tell


def scan(scanners: Scanners, folder: Path, *files: str) -> list[tuple[str, str]]:
    """File and rule of everything that hadolint finds, down to mere style."""
    done = scanners.run("hadolint", "--format", "json", "--failure-threshold", "style", *files, cwd=folder)
    found = [(each["file"], each["code"]) for each in json.loads(done.stdout)]
    assert done.returncode == int(bool(found)), done.stderr
    return found


def dockerfiles(service: Path) -> list[Path]:
    """The platform's runtimes, and a service's own."""
    return [*sorted(CHECKOUT.glob("runtimes/python/*.Dockerfile")), service / "aws/Dockerfile"]


def test_nothing_is_found(scanners: Scanners, service: Path) -> None:
    files = dockerfiles(service)

    assert len(files) == 6
    found = scan(scanners, CHECKOUT, *map(str, files))
    assert not found, tell(f"{file}: {rule}" for file, rule in found)


def test_what_is_wrong_is_found(scanners: Scanners, tree: Path) -> None:
    found = scan(scanners, tree, "insecure/Dockerfile")

    assert {("insecure/Dockerfile", rule) for rule in ("DL3002", "DL3004", "DL3007")} <= set(found)


def test_every_exception_has_its_reason_above_it(service: Path) -> None:
    for path in dockerfiles(service):
        lines = path.read_text().splitlines()
        for above, line in zip(["", *lines], lines, strict=False):
            if "hadolint" in line:
                assert re.fullmatch(r"# hadolint ignore=DL\d+", line), path.name
                assert above.startswith("# "), path.name
