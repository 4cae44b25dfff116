"""What workflows install is locked: the tools and the build backend by hash, the platform by its commit."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import CHECKOUT, Workflow, read

HASHED = "--require-hashes --requirement "
UNRESOLVED = "--no-deps --no-build-isolation "


def installs(workflow: Workflow) -> list[str]:
    """Every command of a workflow that installs packages, or builds one."""
    return [
        line.strip()
        for script in workflow.scripts
        for line in script.splitlines()
        if re.search(r"\bpip install\b|\buv build\b", line)
    ]


def test_no_workflow_installs_what_is_not_locked(repository: Path) -> None:
    commands = [command for workflow in read(repository) for command in installs(workflow)]

    assert commands
    for command in commands:
        is_build = "uv build" in command and "--no-build-isolation" in command
        assert HASHED in command or UNRESOLVED in command or is_build, command


def script_of_tools(service: Path) -> str:
    (workflow,) = [each for each in read(service) if each.path.parent.name == "tools"]
    (script,) = [script for script in workflow.scripts if "pip install" in script]
    return script


def test_the_tools_come_first_and_the_platform_after_them(service: Path) -> None:
    tools, platform = re.findall(r"pip install (.*)", script_of_tools(service))

    assert tools.endswith(f"{HASHED}requirements-platform.lock")
    assert platform.endswith(f"{UNRESOLVED}--requirement requirements-platform.txt")
    assert (service / "requirements-platform.lock").read_text() == (
        CHECKOUT / "template" / "requirements-platform.lock"
    ).read_text()


@pytest.fixture
def checked_out(service: Path, tmp_path: Path) -> Path:
    """A service as a runner has it, which pins a commit of the platform as this checkout stands."""
    platform, folder = tmp_path / "platform", tmp_path / "service"
    shutil.copytree(service, folder)
    names = ("src", "stacks", "runtimes", "pyproject.toml", "README.md")
    platform.mkdir()
    for name in names:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, platform / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, platform)
    identity = ["-c", "user.name=Tests", "-c", "user.email=tests@example.com"]
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "Platform"]):
        subprocess.run(["git", *identity, *arguments], cwd=platform, check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=platform, check=True, capture_output=True, text=True
    )
    (folder / "requirements-platform.txt").write_text(
        f"the-sink[sandbox] @ git+file://localhost{platform}@{head.stdout.strip()}\n"
    )
    return folder


@pytest.mark.long
def test_the_tools_are_installed_and_the_platform_is_built_without_an_index(checked_out: Path) -> None:
    """The last command finds everything that it needs where the one before it has put it."""
    script = script_of_tools(checked_out).replace("python -m venv", f"{sys.executable} -m venv")
    head, last = script.rstrip().rsplit("\n", 1)
    offline = last.replace("pip install ", "pip install --no-index ")
    assert offline != last

    done = subprocess.run(
        ["bash", "-e", "-c", f"{head}\n{offline}\n.venv/bin/invoke --list"],
        cwd=checked_out,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert "deploy" in done.stdout
    assert not list((checked_out / ".venv").glob("lib/python*/site-packages/ministack"))


@pytest.mark.long
def test_a_tool_with_another_hash_is_refused(checked_out: Path) -> None:
    lock = checked_out / "requirements-platform.lock"
    text = re.sub(
        r"^(invoke==[^\n]*\n)(?: +--hash=[^\n]*\n)+",
        rf"\1    --hash=sha256:{'0' * 64}\n",
        lock.read_text(),
        flags=re.MULTILINE,
    )
    lock.write_text(text)
    script = script_of_tools(checked_out).replace("python -m venv", f"{sys.executable} -m venv")

    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=checked_out, check=False, capture_output=True, text=True
    )

    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not (checked_out / ".venv" / "bin" / "invoke").exists()
