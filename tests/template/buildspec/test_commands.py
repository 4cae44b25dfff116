"""What a shell, CodeBuild and a reader of its log must be able to rely on in the buildspec's commands."""

from __future__ import annotations

import re
import subprocess

from the_sink.sandbox.buildspec import Buildspec

from .conftest import BY_THE_PIPELINE

NOT_EVERYWHERE = ["jq", "yq", "curl", "wget", "sha256sum", "realpath", "sudo", "pip", "bash"]
"""What CodeBuild's images have and one laptop or another has not."""


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
        known |= set(
            re.findall(r"(?:^|;\s*|then |elif |for |\) )\s*([A-Z_]+)(?:=| in )", command, re.MULTILINE)
        )
        known |= set(re.findall(r"&& ([A-Z_]+)=", command))
        used = set(re.findall(r"\$\{?([A-Z_]+)", re.sub(r"printf '[^']*'", "", command)))
        assert used <= known, command


def test_the_secret_never_stands_in_a_command(commands: list[str]) -> None:
    """It is caught in a variable that is handed on by name; an argument could be read by every process."""
    touching = [command for command in commands if re.search(r"\bSECRET\b|SINK_SECRET_CORE", command)]

    assert touching[0].startswith("SECRET=$(aws secretsmanager get-secret-value ")
    assert touching[1:4] == [
        "SECRET_VERSION=${SECRET%%[[:space:]]*}",
        "SINK_SECRET_CORE=${SECRET#*[[:space:]]}",
        "unset SECRET",
    ]
    assert touching[4] == "export SINK_SECRET_CORE"
    assert "-e SINK_SECRET_CORE " in touching[5]
    assert touching[6:] == ["unset SINK_SECRET_CORE"]
    assert not re.search(r"\$\{?SINK_SECRET_CORE", "\n".join(commands))


def test_what_may_fail_by_the_apps_fault_is_a_command_of_its_own(commands: list[str]) -> None:
    """CodeBuild names the command that failed, whole: one that begins with `if` would say nothing."""
    builds = [command for command in commands if "docker build" in command]

    assert [command.split(" docker build")[0] for command in builds] == [
        'test "$IS_BUILT" = yes || test -n "$PROMOTED" ||',
        'test "$KEEPS_CACHE" = no ||',
        'test "$SECRETS_DELIVERY" != image || test "$IS_BUILT" = yes ||',
        'test "$LACKS_SETTINGS" = no ||',
    ]
    assert [command for command in commands if "container-init check" in command] == [
        'docker run --rm ${SETTINGS:+-v "$SETTINGS"} "$IMAGE" container-init check'
    ]


def test_a_failed_build_pushes_nothing_and_leaves_no_settings(buildspec: Buildspec) -> None:
    build = next(phase for phase in buildspec.phases if phase.name == "build")

    assert build.on_failure == "ABORT"
    assert build.finally_commands == ('rm -rf "$ENV_FOLDER"',)
    assert not [command for command in build.commands if "docker push" in command]
