"""Updating: a clone of this repository as the template, apps made from it, and a team's edits in them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from invoke.program import Program

from the_sink.resources import platform_version
from the_sink.tasks import app_namespace

CHECKOUT = Path(__file__).resolve().parents[2]
CURRENT = platform_version(CHECKOUT)
NEXT = "1.99.0"
APP = "hello-sink"
READ_BY_UPDATES = ("template", "stacks", "copier.yml", "pyproject.toml", "releases.toml")
"""What an update reads of the platform's repository."""

Change = Callable[[Path], None]


def git(folder: Path, *arguments: str) -> str:
    """Run git with an identity of the tests' own and return what it says."""
    identity = ["-c", "user.name=Tests", "-c", "user.email=tests@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.rstrip("\n")


def commit(folder: Path, message: str) -> str:
    """Commit everything, if there is anything, and return HEAD."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def replace(path: Path, old: str, new: str) -> None:
    """Replace the one place where ``old`` stands."""
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} is in {path.name} {text.count(old)} times"
    path.write_text(text.replace(old, new))


def insert_after(path: Path, pattern: str, new: str) -> None:
    """Insert text after the first place that a pattern finds."""
    text, count = re.subn(
        pattern, lambda match: match[0] + new, path.read_text(), count=1, flags=re.MULTILINE
    )
    assert count == 1, f"{pattern!r} is not in {path.name}"
    path.write_text(text)


def clone_of(platform: Path, folder: Path) -> Path:
    """Clone a platform's repository to change it."""
    git(platform, "clone", "--quiet", str(platform), str(folder))
    return folder


def copy_template(platform: Path, version: str, folder: Path) -> None:
    """Make the tests' app as ``copier copy`` does."""
    given = ["--data", f"app_name={APP}", "--data", f"platform_repository={platform}"]
    command = [sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", "--vcs-ref", version]
    subprocess.run([*command, *given, str(platform), str(folder)], check=True, capture_output=True)


def add_build_command(platform: Path) -> None:
    """Change the platform's template in one line that every app gets."""
    buildspec = platform / "template/aws/buildspec.yaml"
    insert_after(buildspec, r"^  post_build:\n    commands:\n", '      - echo "new here"\n')


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file that git has below a folder, by its path, as it is on the disk."""
    names = git(folder, "ls-files", "-z").split("\0")[:-1]
    return {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}


@dataclass(frozen=True)
class Ended:
    """How a task ended."""

    code: int
    out: str
    err: str

    def kinds(self) -> dict[str, str]:
        """Return what became of each file, by its path."""
        found = re.findall(r"^  (added|changed|merged|removed|kept|conflict) +(\S+)", self.out, re.MULTILINE)
        return {path: kind for kind, path in found}


@dataclass(frozen=True)
class App:
    """A generated app, committed."""

    folder: Path
    invoke: Callable[..., Ended]

    def update(self, *arguments: str) -> Ended:
        return self.invoke(self.folder, "update", *arguments)

    def status(self) -> list[str]:
        return git(self.folder, "status", "--porcelain").splitlines()

    def read(self, path: str) -> str:
        return (self.folder / path).read_text()

    def files(self) -> dict[str, bytes]:
        return files_of(self.folder)


@pytest.fixture
def invoke(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """A function that runs a task of an app as a person would, in this process."""

    def run(folder: Path, *arguments: str) -> Ended:
        monkeypatch.chdir(folder)
        capsys.readouterr()
        code = 0
        try:
            Program(namespace=app_namespace()).run(["invoke", *arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def _platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this repository with its working state as a commit, tagged with its version.

    The commit holds what an update reads and no more: each test and each of copier's steps checks it out.
    """
    path = tmp_path_factory.mktemp("platform") / "the-sink"
    git(CHECKOUT, "clone", "--quiet", "--no-tags", str(CHECKOUT), str(path))
    git(path, "rm", "-r", "--quiet", "--", ".")
    for name in READ_BY_UPDATES:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, path)
    commit(path, "As it stands")
    git(path, "tag", f"v{CURRENT}")
    # One file instead of many: each test and each of copier's steps clones it again.
    git(path, "repack", "-a", "-d", "--quiet")
    return path


@pytest.fixture(scope="session")
def _copied(_platform: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that makes an app of the platform's repository at a version, once; read only."""

    @cache
    def run(version: str) -> Path:
        folder = tmp_path_factory.mktemp("app") / APP
        copy_template(_platform, version, folder)
        return folder

    return run


@pytest.fixture
def platform(_platform: Path, tmp_path: Path) -> Path:
    """The platform's repository, this test's own."""
    return clone_of(_platform, tmp_path / "the-sink")


@pytest.fixture
def release(platform: Path) -> Callable[..., str]:
    """A function that changes the platform and releases the result."""

    def run(change: Change, version: str = NEXT) -> str:
        change(platform)
        made = commit(platform, f"Version {version}")
        git(platform, "tag", f"v{version}")
        return made

    return run


@pytest.fixture
def generate(
    _platform: Path, _copied: Callable[[str], Path], platform: Path, tmp_path: Path, invoke: Any
) -> Callable[..., App]:
    """A function that makes an app as ``copier copy`` does, and commits it."""

    def run(version: str = f"v{CURRENT}", *changes: Change) -> App:
        folder = tmp_path / APP
        shutil.copytree(_copied(version), folder)
        # It was made from the repository that this test's own is a clone of.
        for path in [path for path in folder.rglob("*") if path.is_file()]:
            path.write_bytes(path.read_bytes().replace(str(_platform).encode(), str(platform).encode()))
        git(folder, "init", "--quiet", "--initial-branch", "main")
        commit(folder, "Start")
        if changes:
            for change in changes:
                change(folder)
            commit(folder, "The team's own")
        return App(folder, invoke)

    return run


OWN = {
    "tasks.py": "def greet(c):",
    "aws/cfn-template.yml": "  OwnLog:",
    "aws/buildspec.yaml": '      - echo "the team\'s own command"',
    "aws/cfn-template-configuration-stage.json": '"TaskCpu": "512"',
    "app/pyproject.toml": '"tomli>=2"',
    "app/src/hello_sink/main.py": '"/greeting"',
    "app/src/hello_sink/greetings.py": "GREETING",
}
"""What a team adds, by file: a line of each that must be there after every update."""


def edit_as_a_team(folder: Path) -> None:
    """Make the edits that teams make, in files that the template changes too."""
    with (folder / "tasks.py").open("a") as tasks:
        tasks.write(
            "\n\nfrom invoke import task  # noqa: E402\n\n\n@task\ndef greet(c):\n"
            '    """Say hello."""\n    c.run("echo hello")\n\n\nns.add_task(greet)\n'
        )
    insert_after(
        folder / "aws/cfn-template.yml",
        r"^Resources:\n",
        "  OwnLog:\n    Type: AWS::Logs::LogGroup\n    Properties:\n      RetentionInDays: 30\n\n",
    )
    insert_after(
        folder / "aws/buildspec.yaml", r"^  pre_build:\n    commands:\n", f"{OWN['aws/buildspec.yaml']}\n"
    )
    configuration = folder / "aws/cfn-template-configuration-stage.json"
    configuration.write_text(re.sub(r'"TaskCpu": "\d+"', '"TaskCpu": "512"', configuration.read_text()))
    configuration.write_text(
        re.sub(r'"TaskMemory": "\d+"', '"TaskMemory": "1024"', configuration.read_text())
    )
    insert_after(folder / "app/pyproject.toml", r"^dependencies = \[\n", '  "tomli>=2",\n')
    with (folder / "app/src/hello_sink/main.py").open("a") as main:
        main.write(
            '\n\n@app.get("/greeting")\ndef greeting() -> str:\n    """Say hello."""\n    return "hello"\n'
        )
    (folder / "app/src/hello_sink/greetings.py").write_text(
        '"""The team\'s own module."""\n\nGREETING = "hello"\n'
    )


def assert_own_edits(app: App) -> None:
    """See that each of the team's edits is there, once."""
    for path, line in OWN.items():
        assert app.read(path).count(line) == 1, (
            f"{path}: {line!r} is there {app.read(path).count(line)} times"
        )


def assert_no_markers(app: App) -> None:
    """See that no file has a conflict marker, and none was rejected."""
    for path, content in app.files().items():
        assert not re.search(rb"^(<{7}|>{7}) ", content, re.MULTILINE), path
        assert not path.endswith(".rej"), path
