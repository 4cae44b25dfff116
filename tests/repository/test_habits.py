"""What everybody who changes this repository gets with it: hooks, owners, package metadata, updates."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from the_sink.tasks.checkout import LINT

CHECKOUT = Path(__file__).resolve().parents[2]


def tracked() -> list[str]:
    """Return the files of this checkout that git tracks or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (CHECKOUT / name).exists()]


def hooks() -> list[dict[str, Any]]:
    [repository] = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    return list(repository["hooks"])


def test_a_commit_is_held_to_what_lint_checks() -> None:
    assert [hook["entry"].split() for hook in hooks()] == [
        [f".venv/bin/{program}", *arguments] for program, *arguments in LINT
    ]
    # Programs of .venv, with nothing to download.
    assert {hook["language"] for hook in hooks()} == {"system"}


@pytest.mark.parametrize(("text", "code"), [("import os\n", 1), ("ANSWER = 42\n", 0)])
def test_the_hooks_judge_a_commit_without_a_network(tmp_path: Path, text: str, code: int) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / ".pre-commit-config.yaml").write_text((CHECKOUT / ".pre-commit-config.yaml").read_text())
    (tmp_path / "module.py").write_text(text)
    for command in (["init", "--quiet"], ["add", "module.py", ".pre-commit-config.yaml"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    # A proxy that is not there: whatever wants to download something fails.
    nowhere = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    env = {**os.environ, **nowhere, "PRE_COMMIT_HOME": str(tmp_path / "cache")}

    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files", "ruff-check"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code, done.stdout + done.stderr
    assert ("F401" in done.stdout) is bool(code)


def test_every_path_with_an_owner_exists() -> None:
    lines = (CHECKOUT / ".github/CODEOWNERS").read_text().splitlines()
    patterns = [line.split()[0] for line in lines if line and not line.startswith("#")]

    assert patterns[0] == "*"
    files = tracked()
    for pattern in patterns[1:]:
        assert any(f"/{name}".startswith(pattern) for name in files), pattern


def test_issue_forms_are_what_github_reads() -> None:
    """https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-issue-forms"""
    forms = [path for path in (CHECKOUT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config"]

    assert forms
    for path in forms:
        form = yaml.safe_load(path.read_text())
        assert form.keys() >= {"name", "description", "body"}, path.name
        asked = [field for field in form["body"] if field["type"] != "markdown"]
        assert all(field["attributes"]["label"] and field["id"] for field in asked), path.name


@pytest.mark.parametrize("package", ["the_sink", "sink_sandbox", "sink_host"])
def test_every_package_says_that_it_has_types(package: str) -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert f"src/{package}" in packages
    assert len(packages) == 3
    assert (CHECKOUT / f"src/{package}/py.typed").is_file()


def test_the_metadata_says_on_which_pythons_it_runs() -> None:
    found = importlib.metadata.metadata("the-sink")
    classifiers = found.get_all("Classifier") or []
    minors = [int(match[1]) for each in classifiers if (match := re.search(r":: 3\.(\d+)$", each))]

    assert found["License-Expression"] == "MIT"
    assert found["Requires-Python"] == f">=3.{min(minors)}"
    assert minors == list(range(min(minors), max(minors) + 1))
    assert "Typing :: Typed" in classifiers
    # Beside a License-Expression no license classifier may stand:
    # https://packaging.python.org/en/latest/specifications/core-metadata/#license-expression
    assert not [each for each in classifiers if each.startswith("License ::")]


def test_renovate_resolves_every_lock_that_names_its_command() -> None:
    """A lock whose head says `uv pip compile` is one that Renovate can write again, and knows.

    https://docs.renovatebot.com/modules/manager/pip-compile/
    """
    config = json.loads((CHECKOUT / "renovate.json").read_text())
    patterns = [text.strip("/") for text in config["pip-compile"]["managerFilePatterns"]]
    locks = [name for name in tracked() if name.endswith(".lock")]
    by_command = {name for name in locks if "\n#    uv pip compile " in (CHECKOUT / name).read_text()[:400]}

    assert by_command == {name for name in locks if any(re.search(each, name) for each in patterns)}
    assert "requirements.lock" in by_command


def test_renovate_reads_every_workflow_and_runtime() -> None:
    config = json.loads((CHECKOUT / "renovate.json").read_text())
    [pattern] = config["github-actions"]["managerFilePatterns"]
    files = tracked()

    # The others have names that Renovate knows: https://docs.renovatebot.com/modules/manager/github-actions/
    assert {name for name in files if re.search(pattern.strip("/"), name)} == {
        name for name in files if "/workflows/" in name and name.endswith(".jinja")
    }
    bases = [rule for rule in config["packageRules"] if rule.get("matchManagers") == ["dockerfile"]]
    assert [rule.get("enabled", True) for rule in bases] == [True, False]
    for rule in bases:
        assert list(CHECKOUT.glob(rule["matchFileNames"][0]))
