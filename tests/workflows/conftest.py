"""Every workflow there is, the platform's own and those of a service as it is generated, and what runs them.

Scripts are run by bash as a runner would, on real files and a real git. Only ``gh`` is played: a script that
writes down what it was asked, and answers as it was told to.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]

GH = """#!/bin/sh
echo "$@" >> "$GH_LOG"
if [ "$1 $2" = "pr list" ] && [ -n "$GH_OPEN" ]; then echo "$GH_OPEN"; fi
if [ "$1 $2" = "pr create" ]; then while [ "$1" != --body-file ]; do shift; done; cat "$2" >> "$GH_LOG"; fi
"""

Render = Callable[..., Path]


@dataclass(frozen=True)
class Step:
    """One step, and the job that has it (a composite action has none)."""

    job: dict[str, Any]
    step: dict[str, Any]


@dataclass(frozen=True)
class Workflow:
    """A workflow or a composite action, read."""

    path: Path
    content: dict[str, Any]

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        return self.content.get("jobs") or {}

    @property
    def triggers(self) -> dict[str, Any]:
        # YAML 1.1 reads the key "on" as true.
        return self.content[True]  # type: ignore[index]

    @property
    def steps(self) -> list[Step]:
        of_jobs = [Step(job, step) for job in self.jobs.values() for step in job.get("steps", ())]
        return of_jobs + [Step({}, step) for step in self.content.get("runs", {}).get("steps", ())]

    @property
    def scripts(self) -> Iterator[str]:
        return (each.step["run"] for each in self.steps if "run" in each.step)


def read(folder: Path) -> list[Workflow]:
    """Return the workflows and actions below a repository's ``.github``."""
    paths = sorted(
        each for kind in ("workflows", "actions") for each in folder.glob(f".github/{kind}/**/*.yml")
    )
    return [Workflow(path, yaml.safe_load(path.read_text())) for path in paths]


@pytest.fixture(scope="session")
def render(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Generate a service from the template as it stands in this checkout."""
    source = tmp_path_factory.mktemp("platform")
    shutil.copy(CHECKOUT / "copier.yml", source)
    shutil.copytree(CHECKOUT / "template", source / "template", ignore=shutil.ignore_patterns("__pycache__"))

    def run(**answers: Any) -> Path:
        folder = tmp_path_factory.mktemp("service") / "hello-sink"
        copier.run_copy(
            str(source),
            folder,
            data={"app_name": "hello-sink", "platform_repository": str(source), **answers},
            defaults=True,
            quiet=True,
        )
        return folder

    return run


@pytest.fixture(scope="session")
def service(render: Render) -> Path:
    """A service with every default; read only."""
    return render()


@pytest.fixture(params=["platform", "service"])
def repository(request: pytest.FixtureRequest, service: Path) -> Path:
    """The platform's repository, and a service's."""
    return CHECKOUT if request.param == "platform" else service


def script(folder: Path, workflow: str, name: str) -> str:
    """The script of one step, by its name or its id."""
    steps = next(each for each in read(folder) if each.path.stem == workflow).steps
    return next(
        str(each.step["run"]) for each in steps if name in (each.step.get("name"), each.step.get("id"))
    )


@dataclass
class Runner:
    """A folder as a runner has it, and what its steps leave behind."""

    folder: Path
    temp: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, text: str, **variables: str) -> subprocess.CompletedProcess[str]:
        env = {
            **os.environ,
            **self.variables,
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_OUTPUT": str(self.temp / "output"),
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
            "GH_LOG": str(self.temp / "gh"),
            "GIT_CONFIG_GLOBAL": str(self.temp / "gitconfig"),
            "PATH": f"{self.temp / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            **variables,
        }
        # Steps of a workflow that name no shell: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
        return subprocess.run(
            ["bash", "-e", "-c", text],
            cwd=self.folder,
            env=env,
            check=False,
            capture_output=True,
            text=True,
        )

    def play_invoke(self, text: str) -> None:
        """Put a program in the place of the service's own invoke."""
        invoke = self.folder / ".venv" / "bin" / "invoke"
        invoke.write_text(text)
        invoke.chmod(0o755)

    def left(self, name: str) -> str:
        path = self.temp / name
        return path.read_text() if path.exists() else ""

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Tests", "-c", "user.email=tests@example.com"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()


@pytest.fixture
def runner(tmp_path: Path, service: Path) -> Runner:
    """A clone of the service, with its repository as origin and a played gh."""
    origin, clone, temp = tmp_path / "origin.git", tmp_path / "hello-sink", tmp_path / "temp"
    (temp / "bin").mkdir(parents=True)
    gh = temp / "bin" / "gh"
    gh.write_text(GH)
    gh.chmod(0o755)
    shutil.copytree(service, clone)
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").symlink_to(sys.executable)
    runner = Runner(clone, temp)
    runner.git("init", "--quiet", "--bare", str(origin))
    runner.git("init", "--quiet", "--initial-branch", "main")
    runner.git("remote", "add", "origin", str(origin))
    runner.git("add", "--all")
    runner.git("commit", "--quiet", "--message", "Start")
    runner.git("push", "--quiet", "origin", "main")
    return runner
