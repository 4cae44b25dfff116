"""Every variant of a service is green as it is generated: its own lint, tests and locks, its tasks file."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from the_sink.config import procfile

from .conftest import CHECKOUT, VARIANTS, Render, Service, answers_of, find_pythons

Make = Callable[..., Service]

# The oldest and the newest of 3.10 to 3.14 that this machine has; a test's name says which.
OLDEST, *_, NEWEST = [*find_pythons().items()] * 2
# Both ends of each question are met; what is left is the same again in other combinations.
FIRST = {("fastapi-none", OLDEST[0]), ("flask-postgres", NEWEST[0])}
WAYS = [
    pytest.param(
        variant,
        path,
        id=f"{variant}-{version}",
        marks=() if (variant, version) in FIRST else pytest.mark.long,
    )
    for variant in VARIANTS
    for version, path in dict([OLDEST, NEWEST]).items()
]


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(("variant", "python"), WAYS)
def test_its_tests_pass_and_nothing_warns(make_service: Make, variant: str, python: Path) -> None:
    done = make_service(variant, python).run("pytest", "-q", "-W", "error", "-p", "no:cacheprovider")

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b\d\d passed in", done.stdout)
    assert "skipped" not in done.stdout


def test_the_same_tests_hold_whatever_the_framework(render: Render) -> None:
    """A file of tests is the same text, but for what the framework is called."""
    for database in ("none", "postgres"):
        folders = [render(framework=name, database=database) / "app/tests" for name in ("fastapi", "flask")]
        names = [sorted(path.name for path in folder.glob("test_*.py")) for folder in folders]
        assert names[0] == names[1]
        for name in names[0]:
            texts = [(folder / name).read_text() for folder in folders]
            plain = [
                re.sub("fastapi|flask", "framework", re.sub("uvicorn|gunicorn", "server", text), flags=re.I)
                for text in texts
            ]
            assert plain[0] == plain[1], name


def test_with_a_database_the_tests_say_in_one_sentence_what_they_need(make_service: Make) -> None:
    service = make_service("fastapi-postgres", NEWEST[1])

    done = service.run("pytest", "-q", "-p", "no:cacheprovider", without="PGHOST")

    assert done.returncode == 2
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert len(said) == 1
    assert "(PGHOST)" in said[0]
    assert ".venv/bin/invoke test" in said[0]


def test_the_build_checks_a_service_without_its_database(make_service: Make, variant: str) -> None:
    """`check:` of the Procfile runs where there is none, with no variable that leads to one."""
    service = make_service(variant, NEWEST[1])
    check = procfile.parse_procfile((service.folder / "Procfile").read_text())[0]["check"]

    command = shlex.split(check)
    assert command[0] == "python"
    code = f"import sys; sys.path.insert(0, 'src'); {command[2]}"
    assert replace(service, variables={}).run("python", "-c", code).returncode == 0


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_its_lint_is_clean(make_service: Make, variant: str, command: list[str]) -> None:
    done = make_service(variant, NEWEST[1]).run("ruff", *command, "--no-cache", ".")

    assert done.returncode == 0, done.stdout


@pytest.mark.long
def test_a_new_migration_is_written_and_clean(make_service: Make, tmp_path: Path) -> None:
    """What `invoke db.migration` leaves passes the service's lint and tests, and can be done and undone."""
    service = make_service("flask-postgres", NEWEST[1])
    shutil.copytree(service.folder.parent, tmp_path / "service")
    service = replace(service, folder=tmp_path / "service/app")
    versions = service.folder / "migrations/versions"
    command = [sys.executable, "-m", "invoke", "db.migration", "--message", "Notes have a colour"]
    unchanged = subprocess.run(
        command, cwd=service.folder.parent, check=False, capture_output=True, text=True
    )
    by_hand = "revision --rev-id 0002 --message 'Notes have a colour'"

    assert (unchanged.returncode, unchanged.stdout) == (0, "")
    assert unchanged.stderr.splitlines()[-2:] == [
        "The code describes the database as the migrations leave it: nothing was written.",
        f"To write one by hand, for data: cd app && .venv/bin/alembic {by_hand}",
    ]
    assert [path.name for path in versions.glob("*.py")] == ["0001_notes.py"]
    assert service.run("alembic", *shlex.split(by_hand), without="PGHOST").returncode == 0
    (versions / "0002_notes_have_a_colour.py").unlink()

    store = service.folder / "src/hello_sink/store.py"
    column = "    text: Mapped[str] = mapped_column(Text)\n"
    assert column in store.read_text()
    store.write_text(store.read_text().replace(column, column + "    colour: Mapped[str | None]\n"))

    done = subprocess.run(command, cwd=service.folder.parent, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "alembic" not in done.stderr
    path = service.folder / "migrations/versions/0002_notes_have_a_colour.py"
    assert done.stdout.splitlines()[-1] == str(path.relative_to(service.folder.parent))
    assert "op.add_column" in path.read_text()
    for command in (["check"], ["format", "--check"]):
        checked = service.run("ruff", *command, "--no-cache", str(path))
        assert checked.returncode == 0, checked.stdout + path.read_text()
    for words in (["upgrade", "head"], ["check"], ["downgrade", "base"]):
        migrated = service.run("alembic", *words)
        assert migrated.returncode == 0, migrated.stderr
    tested = service.run("pytest", "-q", "-p", "no:cacheprovider", "tests/test_migrations.py")
    assert tested.returncode == 0, tested.stdout


@pytest.mark.parametrize(
    ("variant", "arguments", "sentence"),
    [
        ("flask-postgres", [], "What changes is missing."),
        ("flask-none", ["--message", "x"], "hello-sink has no app/migrations/versions."),
    ],
)
def test_a_migration_that_cannot_be_written_is_refused(
    render: Render, variant: str, arguments: list[str], sentence: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "db.migration", *arguments],
        cwd=render(**answers_of(variant)),
        check=False,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr


def test_its_tasks_file_is_clean_too(make_service: Make) -> None:
    """tasks.py lies outside app/, so the service's own lint does not see it."""
    service = make_service("fastapi-none", NEWEST[1])
    config = str(service.folder / "pyproject.toml")
    tasks = str(service.folder.parent / "tasks.py")
    ignore = ["--extend-ignore", "T201"]  # its one print is the sentence below

    checked = service.run("ruff", "check", "--no-cache", *ignore, "--config", config, tasks)
    formatted = service.run("ruff", "format", "--check", "--no-cache", "--config", config, tasks)
    assert (checked.returncode, formatted.returncode) == (0, 0), checked.stdout + formatted.stdout


def test_no_app_name_disturbs_the_lint(render: Render, make_service: Make, variant: str) -> None:
    """Names at both ends of the length and of the alphabet: nothing is too long, no import out of order."""
    service = make_service(variant, NEWEST[1])
    for name in ("aaaaa", "z" * 24):
        named = replace(service, folder=render(app_name=name, **answers_of(variant)) / "app")
        for command in (["check"], ["format", "--check"]):
            done = named.run("ruff", *command, "--no-cache", ".")
            assert done.returncode == 0, name + done.stdout


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_pins_everything_by_hash_and_names_no_registry(
    render: Render, variant: str, name: str
) -> None:
    text = (render(**answers_of(variant)) / "app" / name).read_text()

    assert not re.search(r"[a-z+]+://|--(extra-)?index-url|--find-links|localhost", text)
    pins = re.split(r"\n(?=[a-z0-9])", text)[1:]
    assert len(pins) > 10
    for pin in pins:
        assert re.match(r"[a-z0-9._-]+==\S+", pin)
        assert "--hash=sha256:" in pin, pin


def test_the_locks_fit_what_is_declared(render: Render, variant: str) -> None:
    """Every dependency is pinned inside its range on the oldest and the newest Python; dev adds to it."""
    app = render(**answers_of(variant))
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
