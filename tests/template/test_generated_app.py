"""A service is green as it is generated: its own lint, its own tests, its locks, its tasks file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from the_sink.local import uv

from .conftest import CHECKOUT, Render


@pytest.fixture(scope="session")
def service(render: Render) -> Path:
    """The folder app/ of a generated service, with its development lock installed in app/.venv."""
    folder = render() / "app"
    uv.make_environment(folder / ".venv", Path(sys.executable))
    uv.install_locked(folder / ".venv", folder / "requirements-dev.lock")
    return folder


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the service's environment, with nothing of this one's."""
    env = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    program = str(folder / ".venv" / "bin" / command[0])
    return subprocess.run(
        [program, *command[1:]], cwd=folder, env=env, check=False, capture_output=True, text=True
    )


def test_its_tests_pass_and_nothing_warns(service: Path) -> None:
    done = run(["pytest", "-q", "-W", "error", "-p", "no:cacheprovider"], service)

    assert done.returncode == 0, done.stdout
    assert re.search(r"\b\d\d passed in", done.stdout)
    assert "skipped" not in done.stdout


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_its_lint_is_clean(service: Path, command: list[str]) -> None:
    done = run(["ruff", *command, "--no-cache", "."], service)

    assert done.returncode == 0, done.stdout


def test_its_tasks_file_is_clean_too(service: Path) -> None:
    """tasks.py lies outside app/, so the service's own lint does not see it."""
    config = str(service / "pyproject.toml")
    tasks = str(service.parent / "tasks.py")
    ignore = ["--extend-ignore", "T201"]  # its one print is the sentence below

    assert run(["ruff", "check", "--no-cache", *ignore, "--config", config, tasks], service).returncode == 0
    assert (
        run(["ruff", "format", "--check", "--no-cache", "--config", config, tasks], service).returncode == 0
    )


def test_no_app_name_disturbs_the_lint(render: Render, service: Path) -> None:
    """Names at both ends of the length and of the alphabet: nothing is too long, no import out of order."""
    for name in ("aaaaa", "z" * 24):
        folder = render(app_name=name) / "app"
        ruff = str(service / ".venv/bin/ruff")
        for command in (["check"], ["format", "--check"]):
            done = subprocess.run([ruff, *command, "--no-cache", "."], cwd=folder, check=False)
            assert done.returncode == 0, name


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_pins_everything_by_hash_and_names_no_registry(app: Path, name: str) -> None:
    text = (app / "app" / name).read_text()

    assert not re.search(r"[a-z+]+://|--(extra-)?index-url|--find-links|localhost", text)
    pins = re.split(r"\n(?=[a-z0-9])", text)[1:]
    assert len(pins) > 10
    for pin in pins:
        assert re.match(r"[a-z0-9._-]+==\S+", pin)
        assert "--hash=sha256:" in pin, pin


def test_the_locks_fit_what_is_declared(app: Path) -> None:
    """Every dependency is pinned inside its range on the oldest and the newest Python; dev adds to it."""
    declared = tomllib.loads((app / "app/pyproject.toml").read_text())
    assert declared["project"]["requires-python"] == ">=3.10"
    runtime = pins_of(app / "app/requirements.lock")
    development = pins_of(app / "app/requirements-dev.lock")

    assert runtime <= development
    for wanted, pins in (
        (declared["project"]["dependencies"], runtime),
        (declared["dependency-groups"]["dev"], development),
    ):
        for requirement in map(Requirement, wanted):
            for python in ("3.10", "3.14"):
                environment = {"python_full_version": f"{python}.0", "python_version": python}
                versions = [
                    str(pin.specifier).removeprefix("==")
                    for pin in pins
                    if pin.name == requirement.name and (not pin.marker or pin.marker.evaluate(environment))
                ]
                assert len(versions) == 1, (requirement.name, python)
                assert requirement.specifier.contains(versions[0])


def pins_of(lock: Path) -> set[Requirement]:
    lines = re.findall(r"^[a-z0-9][^\\\n#]*", lock.read_text(), re.MULTILINE)
    return {Requirement(line.strip()) for line in lines}


class TestTasks:
    def test_without_the_package_there_is_one_sentence(self, app: Path, tmp_path: Path) -> None:
        """An invoke that was installed for all of the machine does not know the platform's package."""
        shutil.copy(app / "tasks.py", tmp_path)
        hidden = tmp_path / "hidden"
        hidden.mkdir()
        # What a machine without the package would say, said by the first finder that is asked.
        (hidden / "sitecustomize.py").write_text(
            "import sys\n"
            "class Nowhere:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            "        if name.partition('.')[0] == 'the_sink':\n"
            "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
            "sys.meta_path.insert(0, Nowhere())\n"
        )
        done = subprocess.run(
            [sys.executable, "-m", "invoke", "--list"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(hidden)},
            check=False,
            capture_output=True,
            text=True,
        )

        assert done.returncode == 2
        assert done.stdout == ""
        [sentence] = done.stderr.splitlines()
        assert ".venv/bin/pip install -r requirements-platform.txt" in sentence

    def test_a_module_that_the_package_lacks_keeps_its_traceback(self, app: Path, tmp_path: Path) -> None:
        """A broken installation is not a missing one."""
        shutil.copy(app / "tasks.py", tmp_path)
        package = tmp_path / "broken" / "the_sink" / "tasks"
        package.mkdir(parents=True)
        (package.parent / "__init__.py").touch()
        (package / "__init__.py").write_text("import a_module_that_is_not_there\n")
        done = subprocess.run(
            [sys.executable, "-c", "import tasks"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path / "broken")},
            check=False,
            capture_output=True,
            text=True,
        )

        assert done.returncode == 1
        assert "No module named 'a_module_that_is_not_there'" in done.stderr

    def test_the_teams_own_tasks_stand_beside_the_platforms(self, app: Path, tmp_path: Path) -> None:
        """What the comment in tasks.py shows works when the comment signs are removed."""
        text = (app / "tasks.py").read_text()
        head, _, example = text.partition("For example:\n#\n")
        (tmp_path / "tasks.py").write_text(head + "\n" + re.sub(r"^# {0,5}", "", example, flags=re.MULTILINE))
        done = subprocess.run(
            [sys.executable, "-m", "invoke", "--list"],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )

        assert done.returncode == 0, done.stderr
        assert re.search(r"^  seed +Fill the local service with examples\.$", done.stdout, re.MULTILINE)
        assert re.search(r"^  deploy ", done.stdout, re.MULTILINE)


def test_the_readme_names_tasks_that_exist(app: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "--list"], cwd=app, check=True, capture_output=True, text=True
    )
    known = set(re.findall(r"^  ([a-z][\w.-]*)", done.stdout, re.MULTILINE))
    named = set(re.findall(r"invoke ([a-z][\w.-]*)", (app / "README.md").read_text()))

    # That one is run in the platform's repository.
    assert named - known == {"platform.bootstrap"}
    assert CHECKOUT not in app.parents
