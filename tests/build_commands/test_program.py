"""The program as builds get it: one zip, the same bytes wherever it is packed, Python's own library alone."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sink_build.cli import COMMANDS
from the_sink.local.sink_build import pack_sink_build
from the_sink.resources import resource_path

SOURCES = resource_path("stacks/python/build")
OLDEST_PYTHON = (3, 9)
"""Of what CodeBuild's images have had as ``python3``."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "sink-build"
    path.write_bytes(pack_sink_build(SOURCES, "1.2.3"))
    path.chmod(0o755)
    return path


def run(*words: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(
        [str(word) for word in words], cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )


def test_the_same_sources_are_the_same_bytes_wherever_they_are_packed(tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(SOURCES, copy, copy_function=shutil.copy)
    for path in copy.rglob("*"):
        os.utime(path, (0, 0))
        path.chmod(0o700)
    (copy / "sink_build/__pycache__").mkdir(exist_ok=True)
    (copy / "sink_build/__pycache__/cli.cpython-39.pyc").write_bytes(b"compiled")

    assert pack_sink_build(copy, "1.2.3") == pack_sink_build(SOURCES, "1.2.3")
    assert pack_sink_build(SOURCES, "1.2.4") != pack_sink_build(SOURCES, "1.2.3")


def test_it_imports_nothing_of_the_folder_that_it_runs_in(program: Path, tmp_path: Path) -> None:
    """A ``json.py`` among an app's files would run with the rights of the pipeline."""
    for name in ("json", "subprocess", "sink_build"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('code of the app')\n")

    for words in ([program], [sys.executable, "-I", program]):
        done = run(*words, cwd=tmp_path)

        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("Usage: sink-build <command>\n")


def test_it_needs_no_package(program: Path, tmp_path: Path) -> None:
    done = run(sys.executable, "-I", "-S", program, "no-such-command", cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr.startswith("Usage: sink-build <command>\n")


def test_every_command_is_in_its_usage(program: Path, tmp_path: Path) -> None:
    said = run(sys.executable, program, cwd=tmp_path).stderr

    for name, command in COMMANDS.items():
        assert f"  {name}" in said
        assert command.summary in said


@pytest.mark.parametrize("path", sorted(SOURCES.rglob("*.py")), ids=lambda path: path.name)
def test_its_syntax_is_that_of_the_oldest_python_that_builds_have(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=OLDEST_PYTHON)
    newer = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    } & {"tomllib", "UTC", "StrEnum", "Self", "TypeAlias", "file_digest"}

    assert newer == set()
