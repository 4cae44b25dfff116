"""The commands before the first AWS call, run by a shell in a release's folder."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def release(app: Path, tmp_path: Path) -> Path:
    (tmp_path / "aws").mkdir()
    for file in (app / "aws").glob("*.json"):
        (tmp_path / "aws" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "release.json").write_text(json.dumps({"commit": "c0ffee", "template_version": "1.2.3"}))
    return tmp_path


def run(commands: list[str], release: Path, env: str) -> dict[str, str]:
    first_call = next(index for index, command in enumerate(commands) if command.startswith("aws "))
    script = "\n".join(["set -e", *commands[:first_call], 'echo "$COMMIT $TEMPLATE_VERSION $RUNTIME"'])
    variables = {"AWS_ACCOUNT_ID": "123456789012", "AWS_REGION": "eu-west-1", "APP_ENV": env}
    variables |= {
        "PLATFORM_ECR_REPOSITORY": "runtime",
        "RUNTIME_VERSION": "3.11",
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        ["sh", "-c", script], cwd=release, env=variables, check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(zip(("commit", "template", "runtime"), done.stdout.split(), strict=True))


def test_the_configuration_of_the_environment_names_the_runtime(commands: list[str], release: Path) -> None:
    """A change of RuntimeVersion takes effect in the build that carries it."""
    file = release / "aws/cfn-template-configuration-uat.json"
    file.write_text(file.read_text().replace('"3.13"', '"3.10"'))

    assert run(commands, release, "stage")["runtime"] == "3.13"
    assert run(commands, release, "uat") == {
        "commit": "c0ffee",
        "template": "1.2.3",
        "runtime": "3.10",
    }


def test_a_configuration_without_a_runtime_leaves_it_to_the_pipeline(
    commands: list[str], release: Path
) -> None:
    file = release / "aws/cfn-template-configuration-stage.json"
    file.write_text('{"Parameters": {}}')

    assert run(commands, release, "stage")["runtime"] == "3.11"
