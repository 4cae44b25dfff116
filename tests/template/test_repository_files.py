"""What a service's repository brings for those who change it: rules, hooks, updates, a dev container."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sink_sandbox.client import lifecycle
from sink_sandbox.client.choosing import VARIABLE
from the_sink.tasks import app_namespace
from the_sink.tasks.app_local import DEFAULT_PORT
from the_sink.tasks.menu import find_mistake, read_menu

from .conftest import VARIANTS, Render, answers_of, files_of

INSTALL = "python3 -m venv .venv && .venv/bin/pip install -r requirements-platform.txt"


def test_the_rules_are_short_and_their_commands_are_there(app: Path) -> None:
    text = (app / "AGENTS.md").read_text()
    menu = read_menu(app_namespace())

    assert len(text.splitlines()) <= 30
    commands = re.findall(r"`\.venv/bin/(invoke [^`]+)`", text)
    assert len(commands) >= 6
    assert [mistake for command in commands if (mistake := find_mistake(command, menu))] == []
    assert f"`{INSTALL}`" in text
    for path in re.findall(r"`((?:app|aws)/[\w./]+|sink\.toml)`", text):
        # app/.env is a file of the laptop.
        assert path == "app/.env" or (app / path).exists(), path


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.14"])
def test_the_container_to_work_in_runs_the_tools_without_docker(render: Render, version: str) -> None:
    folder = render(runtime_version=version)
    container = json.loads((folder / ".devcontainer/devcontainer.json").read_text())

    python = container["image"].rpartition(":")[2]
    # The tools need 3.11: an older service is developed with the default.
    assert python == ("3.13" if version == "3.10" else version)
    assert container["containerEnv"] == {VARIABLE: "processes"}
    assert container["postCreateCommand"] == INSTALL
    assert container["postCreateCommand"] in (folder / "README.md").read_text()
    assert container["forwardPorts"] == [DEFAULT_PORT, lifecycle.DEFAULT_PORT]
    assert set(container["portsAttributes"]) == {str(port) for port in container["forwardPorts"]}


@pytest.mark.parametrize("code", [0, 1])
def test_the_hook_runs_the_services_lint(app: Path, tmp_path: Path, code: int) -> None:
    """A commit that touches app/ is refused where `invoke lint` is; nothing is downloaded for the hook."""
    config = (app / ".pre-commit-config.yaml").read_text()
    (tmp_path / ".pre-commit-config.yaml").write_text(config)
    (tmp_path / "app").mkdir()
    (tmp_path / "app/module.py").touch()
    invoke = tmp_path / ".venv/bin/invoke"
    invoke.parent.mkdir(parents=True)
    invoke.write_text(f'#!/bin/sh\necho "asked for $*"\nexit {code}\n')
    invoke.chmod(0o755)
    for arguments in (["init", "--quiet"], ["add", "app", ".pre-commit-config.yaml"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    nowhere = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}

    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--verbose"],
        cwd=tmp_path,
        env={**os.environ, **nowhere, "PRE_COMMIT_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code, done.stdout + done.stderr
    assert "asked for lint\n" in done.stdout
    assert find_mistake("invoke lint", read_menu(app_namespace())) == ""
    [repository] = yaml.safe_load(config)["repos"]
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}


@pytest.fixture
def renovate(app: Path) -> dict[str, Any]:
    return dict(json.loads((app / "renovate.json").read_text()))


def rule_of(renovate: dict[str, Any], key: str, value: str) -> dict[str, Any]:
    [found] = [rule for rule in renovate["packageRules"] if value in rule.get(key, [])]
    return dict(found)


@pytest.mark.parametrize("variant", VARIANTS)
def test_renovate_moves_what_is_declared(render: Render, renovate: dict[str, Any], variant: str) -> None:
    """And nothing that only a resolution may move. Names beginning with "!" are exceptions of the rule."""
    project = (render(**answers_of(variant)) / "app/pyproject.toml").read_text()
    declared = set(re.findall(r'^  "([a-z0-9-]+)(?:\[\w+\])?[>=]', project, re.MULTILINE))
    [rule] = [rule for rule in renovate["packageRules"] if "matchPackageNames" in rule]

    assert rule["enabled"] is False
    assert declared
    assert declared <= {name.removeprefix("!") for name in rule["matchPackageNames"]}


def test_renovate_finds_the_locks_and_leaves_the_templates_files(app: Path, renovate: dict[str, Any]) -> None:
    [pattern] = renovate["pip_requirements"]["managerFilePatterns"]
    files = sorted(files_of(app))

    found = [name for name in files if re.search(pattern.strip("/"), name)]
    assert found == ["app/requirements-dev.lock", "app/requirements.lock"]
    left = rule_of(renovate, "matchFileNames", "requirements-platform.*")
    assert left["enabled"] is False
    globs = [
        re.sub(r"\{.*\}", name, glob)
        for glob in left["matchFileNames"]
        for name in ("ci", "deploy", "promote", "update")
    ]
    matched = {name for name in files if any(fnmatch.fnmatch(name, glob) for glob in globs)}
    workflows = {name for name in files if name.startswith(".github/")}
    assert matched == workflows | {"requirements-platform.lock", "requirements-platform.txt"}


def test_what_only_helps_to_change_it_is_not_released(app: Path) -> None:
    attributes = (app / ".gitattributes").read_text().splitlines()

    for name in (".devcontainer", ".pre-commit-config.yaml", "AGENTS.md", "renovate.json"):
        assert (app / name).exists()
        assert f"{name} export-ignore" in attributes
