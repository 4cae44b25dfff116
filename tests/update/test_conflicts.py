"""Both sides changed the same thing: every conflict is named, git knows of it, and there is a way back.

One app has met every case at once; each test looks at one of them, or goes on from a copy of that app.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .conftest import (
    APP,
    CURRENT,
    NEXT,
    App,
    Ended,
    add_build_command,
    clone_of,
    commit,
    copy_template,
    files_of,
    git,
    replace,
)

BUILDSPEC = "aws/buildspec.yaml"
DOCKERFILE = "aws/Dockerfile"
LINE = "\nversion: 0.2\n"
OURS = "\nversion: 0.2 # the team's\n"
THEIRS = "\nversion: 0.2 # the platform's\n"
COMMIT = ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-qm", "Update"]


def ours(app: Path) -> None:
    """Edit the app where the template's next version changes it too."""
    replace(app / BUILDSPEC, LINE, OURS)
    (app / "BOTH.md").write_text("The team's\n")
    append(app / DOCKERFILE, "# the team's own\n")
    append(app / "EDITED.md", "The team's own\n")
    (app / "DELETED.md").unlink()
    (app / "app/requirements-dev.lock").unlink()


def before(platform: Path) -> None:
    """Give the template files for the cases that it has none for."""
    for name in ("EDITED", "DELETED", "MOVED", "GONE"):
        text = f"# {name}\n\nA file of the template's that is long enough to be known again elsewhere.\n"
        (platform / "template" / f"{name}.md").write_text(text)


def theirs(platform: Path) -> None:
    """Change the template."""
    template = platform / "template"
    replace(template / BUILDSPEC, LINE, THEIRS)
    (template / "BOTH.md").write_text("The platform's\n")
    (template / DOCKERFILE).rename(template / "aws/Containerfile")
    (template / "MOVED.md").rename(template / "THERE.md")
    (template / "EDITED.md").unlink()
    (template / "GONE.md").unlink()
    append(template / "DELETED.md", "Changed\n")
    for path in (template / "app").glob("*none*requirements*.lock*"):
        path.write_text(f"# resolved later\n{path.read_text()}")


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


@dataclass(frozen=True)
class Case:
    """An app before and after its update, and what the update said."""

    app: App
    ended: Ended
    files: dict[str, bytes]
    dry: Ended
    after_dry: list[str]

    def line(self, path: str) -> str:
        """Return the line about a file."""
        return next(line for line in self.ended.out.splitlines() if f" {path}" in line.partition("(")[0])


@pytest.fixture(scope="module")
def case(_platform: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """An app in which the team and the platform met in every way; read only."""
    folder = tmp_path_factory.mktemp("conflicts")
    platform = clone_of(_platform, folder / "the-sink")
    before(platform)
    commit(platform, "Before")
    git(platform, "tag", "v1.98.0")
    copy_template(platform, "v1.98.0", folder / APP)
    git(folder / APP, "init", "--quiet", "--initial-branch", "main")
    commit(folder / APP, "Start")
    ours(folder / APP)
    commit(folder / APP, "The team's own")
    theirs(platform)
    commit(platform, "After")
    git(platform, "tag", f"v{NEXT}")
    app = App(folder / APP, run_invoke)
    files = app.files()
    dry = app.update("--dry-run")
    return Case(app, files=files, dry=dry, after_dry=app.status(), ended=app.update())


def run_invoke(folder: Path, *arguments: str) -> Ended:
    """Run a task of an app as a program."""
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *arguments], cwd=folder, check=False, capture_output=True, text=True
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def copied(case: Case, tmp_path: Path) -> App:
    """A copy of the app to go on from."""
    shutil.copytree(case.app.folder, tmp_path / APP)
    return App(tmp_path / APP, case.app.invoke)


def test_every_conflict_is_named_and_the_way_on_and_back(case: Case) -> None:
    assert case.ended.code == 1
    conflicts = [path for path, kind in case.ended.kinds().items() if kind == "conflict"]
    assert conflicts == ["BOTH.md", "EDITED.md", DOCKERFILE, BUILDSPEC]
    assert case.ended.err.splitlines()[-2:] == [
        f"4 files are in conflict: BOTH.md, EDITED.md, {DOCKERFILE}, {BUILDSPEC}.",
        "Mend them (conflicts stand between <<<<<<< and >>>>>>>), then: git add --all && "
        ".venv/bin/invoke validate && git commit. Or go back to before the update, which loses nothing "
        "else: git reset --hard",
    ]


def test_a_dry_run_names_them_and_changes_nothing(case: Case) -> None:
    assert (case.dry.code, case.after_dry) == (1, [])
    assert case.dry.kinds() == case.ended.kinds()
    assert case.dry.err.splitlines()[-1] == "This is what the update would leave behind."


def test_the_same_line(case: Case) -> None:
    text = case.app.read(BUILDSPEC)

    assert f"<<<<<<< before updating{OURS}" in text
    assert f"{THEIRS}>>>>>>> after updating\n" in text
    assert f"UU {BUILDSPEC}" in case.app.status()


def test_a_file_that_both_added(case: Case) -> None:
    assert "The team's\n" in case.app.read("BOTH.md")
    assert "The platform's\n" in case.app.read("BOTH.md")


def test_a_file_that_was_renamed_and_edited(case: Case) -> None:
    """Copier's own update loses what the team wrote into it, without a word."""
    assert case.line(DOCKERFILE) == (
        f"  conflict  {DOCKERFILE} (the template renamed it to aws/Containerfile, without your changes: "
        f"bring them there (git show HEAD:{DOCKERFILE} shows them), then: git rm {DOCKERFILE})"
    )
    assert case.app.read(DOCKERFILE).encode() == case.files[DOCKERFILE]
    assert case.ended.kinds()["aws/Containerfile"] == "added"
    assert f"UD {DOCKERFILE}" in case.app.status()


def test_a_file_that_was_removed_and_edited(case: Case) -> None:
    assert case.line("EDITED.md") == (
        "  conflict  EDITED.md (the template removed it, and you had changed it: git add EDITED.md keeps it, "
        "git rm EDITED.md does not)"
    )
    assert case.app.read("EDITED.md").endswith("The team's own\n")


def test_a_file_that_was_renamed_and_not_edited(case: Case) -> None:
    assert (case.ended.kinds()["MOVED.md"], case.ended.kinds()["THERE.md"]) == ("removed", "added")
    assert not (case.app.folder / "MOVED.md").exists()
    assert case.app.read("THERE.md").encode() == case.files["MOVED.md"]


def test_a_file_that_was_removed_and_not_edited(case: Case) -> None:
    assert case.ended.kinds()["GONE.md"] == "removed"
    assert not (case.app.folder / "GONE.md").exists()


def test_a_file_that_the_team_deleted_stays_deleted(case: Case) -> None:
    assert case.line("DELETED.md") == "  kept      DELETED.md (you deleted it; it stays deleted)"
    assert not (case.app.folder / "DELETED.md").exists()


def test_a_lock_is_the_apps_own_and_one_that_was_deleted_comes_back(case: Case) -> None:
    lock = "app/requirements.lock"

    assert case.line(lock) == f"  kept      {lock} (yours; resolve it again: invoke lock)"
    assert case.app.read(lock).encode() == case.files[lock]
    assert case.line("app/requirements-dev.lock").endswith("(you had deleted it; it is back)")


def test_git_commits_only_what_was_mended(copied: App) -> None:
    refused = subprocess.run(COMMIT, cwd=copied.folder, check=False, capture_output=True, text=True)
    git(copied.folder, "rm", "--quiet", DOCKERFILE)
    (copied.folder / BUILDSPEC).write_text("mended\n")
    git(copied.folder, "add", "--all")
    done = subprocess.run(COMMIT, cwd=copied.folder, check=False, capture_output=True, text=True)

    assert refused.returncode != 0
    assert BUILDSPEC in refused.stdout + refused.stderr
    assert done.returncode == 0, done.stderr
    assert copied.status() == []


@pytest.mark.parametrize("command", [["update"], ["deploy", "--env", "stage"]])
def test_an_update_in_conflict_is_not_taken_for_edits(case: Case, command: list[str]) -> None:
    ended = case.app.invoke(case.app.folder, *command)

    count = len(git(case.app.folder, "status", "--porcelain", "--no-renames").splitlines())
    assert ended.code == 2
    assert ended.err.splitlines() == [
        f"The update to v{NEXT} is unfinished: {count} files are not committed, and in conflict: BOTH.md, "
        f"EDITED.md, {DOCKERFILE}, {BUILDSPEC}.",
        "Finish it: mend what is in conflict (between <<<<<<< and >>>>>>>), then git add --all && "
        ".venv/bin/invoke validate && git commit. Or drop it, with everything else that is not committed: "
        "git reset --hard",
    ]


def test_the_way_back_is_complete(case: Case, copied: App) -> None:
    git(copied.folder, "reset", "--hard")

    assert copied.status() == []
    assert files_of(copied.folder) == case.files
    assert not (copied.folder / "THERE.md").exists()


@pytest.mark.long
def test_an_update_that_breaks_the_app_says_how(generate: Any, release: Any) -> None:
    app = generate()
    release(lambda platform: replace(platform / "template" / BUILDSPEC, LINE, "\nversion: 0.1\n"))

    ended = app.update()

    assert ended.code == 1
    assert f"{BUILDSPEC}: version is 0.1; expected: 0.2." in ended.out
    assert ended.err.splitlines()[-2:] == [
        "The updated app has 1 problem.",
        "Mend them, or go back to before the update, which loses nothing else: git reset --hard",
    ]


class TestInterruption:
    def test_ctrl_c_leaves_the_app_as_it_was(self, generate: Any, release: Callable[..., str]) -> None:
        app = generate()
        release(add_build_command)
        files = app.files()

        process = subprocess.Popen(
            [sys.executable, "-m", "invoke", "update"],
            cwd=app.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        said = [process.stderr.readline(), process.stderr.readline()]
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)

        assert said[1] == f"Updating from v{CURRENT} to v{NEXT}\n"
        assert (process.returncode, rest) == (130, "Interrupted.\n")
        assert (app.files(), app.status()) == (files, [])

    @pytest.mark.long
    def test_what_copier_refuses_leaves_the_app_as_it_was(self, generate: Any, release: Any) -> None:
        app = generate()
        files = app.files()

        def ask(platform: Path) -> None:
            append(platform / "copier.yml", "\nfavourite_colour:\n  type: str\n  help: For banners\n")

        release(ask)
        ended = app.update()

        assert ended.code == 1
        assert ended.err.splitlines()[-1].startswith("copier ")
        assert "favourite_colour" in ended.err.splitlines()[-1]
        assert "Traceback" not in ended.err
        assert (app.files(), app.status()) == (files, [])

    @pytest.mark.long
    def test_a_file_that_git_ignores_is_not_written_over(self, generate: Any, release: Any) -> None:
        app = generate()
        (app.folder / ".git/info/exclude").write_text("NEW.md\n")
        (app.folder / "NEW.md").write_text("mine\n")
        release(lambda platform: (platform / "template/NEW.md").write_text("theirs\n"))

        ended = app.update()

        assert ended.code == 2
        assert "NEW.md: already exists in working directory." in ended.err
        assert ended.err.endswith("Nothing was changed. Move that file away, and run it again.\n")
        assert (app.read("NEW.md"), app.status()) == ("mine\n", [])
