"""The generated buildspec: the four commands of a build, and how the first one comes by the program."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sink_sandbox.services.codebuild.buildspec import parse_buildspec
from the_sink.config.build_steps import STEPS, find_steps
from the_sink.local.sink_build import pack_sink_build
from the_sink.resources import resource_path

FILE = Path(__file__).resolve().parents[2] / "template/aws/buildspec.yaml"
TEXT = FILE.read_text()
SPEC = parse_buildspec(TEXT)
FETCH, *_ = SPEC.phases[0].commands


def run(tmp_path: Path, script: str, shell: str = "sh", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run commands with an ``aws`` that copies from a folder, called as a bucket is."""
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "aws").write_text(
        '#!/bin/sh\nfor from in "$@"; do case $from in s3://*) break ;; esac; done\n'
        f'for to; do :; done\nexec cp "{tmp_path}/${{from#s3://}}" "$to"\n'
    )
    (tools / "aws").chmod(0o755)
    environ = {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "APP_ENV": "stage",
        "AWS_REGION": "eu-west-1",
        "TMPDIR": str(tmp_path),
        **variables,
    }
    return subprocess.run(
        [shell, "-c", script], cwd=tmp_path, env=environ, check=False, capture_output=True, text=True
    )


def test_it_shows_the_four_steps_and_is_short() -> None:
    assert len(TEXT.splitlines()) <= 35
    assert [
        command for phase in SPEC.phases for command in phase.commands if command.startswith("sink-build ")
    ] == [f"sink-build {step}" for step in STEPS]


def test_a_failed_build_pushes_nothing_and_leaves_no_settings() -> None:
    build = next(phase for phase in SPEC.phases if phase.name == "build")

    assert build.on_failure == "ABORT"
    assert build.finally_commands == ('rm -f "$SINK_BUILD_FOLDER/.env"',)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_program_is_there_for_every_later_command(tmp_path: Path, shell: str) -> None:
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket/key.pyz").write_bytes(pack_sink_build(resource_path("stacks/python/build"), "1.2.3"))

    done = run(
        tmp_path,
        f'{FETCH}\nsink-build login\nls "$SINK_BUILD_FOLDER"',
        shell,
        PLATFORM_BUCKET="bucket",
        SINK_BUILD_KEY="key.pyz",
    )

    assert done.stdout.split("\n")[:2] == ["sink-build 1.2.3", "sink-build"]
    assert done.stderr.startswith("sink-build login: The pipeline does not set ")


def test_a_pipeline_that_was_not_bootstrapped_anew_is_one_sentence(tmp_path: Path) -> None:
    done = run(tmp_path, FETCH)

    assert done.returncode == 1
    assert done.stderr == (
        "sink-build login: The pipeline does not say where the program is. In the app's repository: "
        "invoke bootstrap --env stage; then deploy again.\n"
    )


def test_a_program_that_is_not_there_ends_the_build(tmp_path: Path) -> None:
    done = run(tmp_path, FETCH, PLATFORM_BUCKET="bucket", SINK_BUILD_KEY="key.pyz")

    assert done.returncode != 0
    assert "bucket/key.pyz" in done.stderr


def test_steps_in_comments_and_other_programs_are_none() -> None:
    commands = [
        "# sink-build login",
        "./sink-build login",
        "echo a-sink-build push",
        "true\nsink-build image",
    ]

    assert find_steps({"build": {"commands": commands}}) == ("image",)
