"""The generated buildspec: what a shell, CodeBuild and a reader of its log must be able to rely on.

That it builds, pushes and names an image is tested by playing whole pipelines; here is what no green
pipeline shows.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from the_sink.sandbox.buildspec import Buildspec, parse_buildspec

BY_THE_PIPELINE = {
    *("AWS_REGION", "AWS_ACCOUNT_ID", "APP_NAME", "APP_ENV", "PLATFORM_ECR_REPOSITORY", "RUNTIME_VERSION"),
    *("ECR_REPOSITORY", "ECR_TAG", "SECRETS_DELIVERY"),
}
NOT_EVERYWHERE = ["jq", "yq", "curl", "wget", "sha256sum", "realpath", "sudo", "pip", "bash"]
"""What CodeBuild's images have and one laptop or another has not."""


@pytest.fixture(scope="module")
def buildspec(app: Path) -> Buildspec:
    return parse_buildspec((app / "aws/buildspec.yaml").read_text())


@pytest.fixture(scope="module")
def commands(buildspec: Buildspec) -> list[str]:
    return [command for phase in buildspec.phases for command in (*phase.commands, *phase.finally_commands)]


def test_every_command_is_posix_shell(commands: list[str]) -> None:
    for command in commands:
        done = subprocess.run(["sh", "-n", "-c", command], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_no_failure_is_swallowed(commands: list[str]) -> None:
    """`export NAME=$(...)` succeeds whatever the command does, and some shells split what it printed."""
    assert not [command for command in commands if re.search(r"\bexport\s+\w+=", command)]


def test_no_program_is_used_that_a_laptop_may_lack(commands: list[str]) -> None:
    words = set(re.findall(r"[\w-]+", "\n".join(commands)))

    assert {"aws", "docker", "python3"} <= words
    assert words.isdisjoint(NOT_EVERYWHERE)


def test_every_variable_comes_from_the_pipeline_or_an_earlier_command(commands: list[str]) -> None:
    known = set(BY_THE_PIPELINE)
    for command in commands:
        known |= set(re.findall(r"(?:^|;\s*|then )\s*([A-Z_]+)=", command, re.MULTILINE))
        known |= set(re.findall(r"&& ([A-Z_]+)=", command))
        used = set(re.findall(r"\$\{?([A-Z_]+)", re.sub(r"printf '[^']*'", "", command)))
        assert used <= known, command


def test_the_secret_never_stands_in_a_command(commands: list[str]) -> None:
    """It is caught in a variable that is handed on by name; an argument could be read by every process."""
    touching = [command for command in commands if "SINK_SECRET_CORE" in command]

    assert len(touching) == 4
    assert touching[0].startswith("SINK_SECRET_CORE=$(aws secretsmanager get-secret-value ")
    assert touching[1] == "export SINK_SECRET_CORE"
    assert "-e SINK_SECRET_CORE " in touching[2]
    assert touching[3] == "unset SINK_SECRET_CORE"
    assert not re.search(r"\$\{?SINK_SECRET_CORE", "\n".join(commands))


def test_a_failed_build_pushes_nothing_and_leaves_no_settings(buildspec: Buildspec) -> None:
    build = next(phase for phase in buildspec.phases if phase.name == "build")

    assert build.on_failure == "ABORT"
    assert build.finally_commands == ('rm -rf "$ENV_FOLDER"',)
    assert not [command for command in build.commands if "docker push" in command]


class TestInputs:
    """The commands before the first AWS call, run by a shell in a release's folder."""

    @pytest.fixture
    def release(self, app: Path, tmp_path: Path) -> Path:
        (tmp_path / "aws").mkdir()
        for file in (app / "aws").glob("*.json"):
            (tmp_path / "aws" / file.name).write_bytes(file.read_bytes())
        (tmp_path / "release.json").write_text(json.dumps({"commit": "c0ffee", "template_version": "1.2.3"}))
        return tmp_path

    def run(self, commands: list[str], release: Path, env: str) -> dict[str, str]:
        first_call = next(index for index, command in enumerate(commands) if command.startswith("aws "))
        script = "\n".join(
            ["set -e", *commands[:first_call], 'echo "$COMMIT $TEMPLATE_VERSION $RUNTIME $FROM"']
        )
        variables = {"AWS_ACCOUNT_ID": "123456789012", "AWS_REGION": "eu-west-1", "APP_ENV": env}
        variables |= {
            "PLATFORM_ECR_REPOSITORY": "runtime",
            "RUNTIME_VERSION": "3.11",
            "PATH": "/usr/bin:/bin",
        }
        done = subprocess.run(
            ["sh", "-c", script], cwd=release, env=variables, check=True, stdout=subprocess.PIPE, text=True
        )
        return dict(zip(("commit", "template", "runtime", "from"), done.stdout.split(), strict=True))

    def test_the_configuration_of_the_environment_names_the_runtime(
        self, commands: list[str], release: Path
    ) -> None:
        """A change of RuntimeVersion takes effect in the build that carries it."""
        file = release / "aws/cfn-template-configuration-uat.json"
        file.write_text(file.read_text().replace('"3.13"', '"3.10"'))

        assert self.run(commands, release, "stage")["runtime"] == "3.13"
        assert self.run(commands, release, "uat") == {
            "commit": "c0ffee",
            "template": "1.2.3",
            "runtime": "3.10",
            "from": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/runtime:3.10",
        }

    def test_a_configuration_without_a_runtime_leaves_it_to_the_pipeline(
        self, commands: list[str], release: Path
    ) -> None:
        file = release / "aws/cfn-template-configuration-stage.json"
        file.write_text('{"Parameters": {}}')

        assert self.run(commands, release, "stage")["runtime"] == "3.11"
