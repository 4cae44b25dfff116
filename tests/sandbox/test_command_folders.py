"""What builds find first on their PATH can be run from the moment that it is there, or there anew."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sink_sandbox.containers.process import install_docker_command
from sink_sandbox.services.codebuild.aws_command import AwsCommand
from sink_sandbox.services.codebuild.jq_command import install_jq_command


def install_aws(state: Path) -> None:
    command = AwsCommand(state)
    command.folder()
    command.stop()


@pytest.mark.parametrize(
    ("name", "install"),
    [
        pytest.param(
            "aws",
            install_aws,
            marks=pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only there it is ours"),
        ),
        ("jq", install_jq_command),
        ("docker", lambda state: install_docker_command(state, "http://127.0.0.1:1")),
    ],
)
def test_a_command_can_be_run_as_soon_as_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, install: Callable[[Path], object]
) -> None:
    modes: list[int] = []
    replace = Path.replace

    def replaced(self: Path, target: Path) -> Path:
        modes.append(self.stat().st_mode & 0o777)
        return replace(self, target)

    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(Path, "replace", replaced)
    install(tmp_path)

    assert modes == [0o755]
    assert (tmp_path / name / "bin" / name).exists()
