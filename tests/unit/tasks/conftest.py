"""Runs the real invoke as a person would: a process in a folder, its output and exit code looked at."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Ran:
    """What one command line did."""

    code: int
    out: str
    err: str


Invoke = Callable[..., Ran]


@pytest.fixture
def invoke(tmp_path: Path) -> Invoke:
    """Return a function that runs invoke with arguments, in the test's folder unless told otherwise."""

    def run(*arguments: str, cwd: Path = tmp_path, stdin: str = "", **variables: str) -> Ran:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("THE_SINK_", "AWS_"))
        }
        done = subprocess.run(
            [str(Path(sys.executable).parent / "invoke"), *arguments],
            cwd=cwd,
            env={**environment, "XDG_STATE_HOME": str(tmp_path / "state"), **variables},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run
