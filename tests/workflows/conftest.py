"""Every workflow there is: the platform's own, and those of a service as it is generated."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]

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
    paths = sorted(folder.glob(".github/**/*.yml"))
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
