"""Both sides changed the same thing: every conflict is named, git knows of it, and there is a way back."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from .conftest import CURRENT, NEXT, add_build_command, git, replace

BUILDSPEC = "aws/buildspec.yaml"
LINE = "version: 0.2\n"


def theirs(platform: Path) -> None:
    """Change a line of the template."""
    replace(platform / "template" / BUILDSPEC, f"\n{LINE}", f"\n{LINE.strip()} # the platform's\n")


def ours(app: Path) -> None:
    """Change the same line in the app."""
    replace(app / BUILDSPEC, f"\n{LINE}", f"\n{LINE.strip()} # the team's\n")


def template_file(platform: Path, name: str) -> Path:
    """Return a file of the template, whether it is rendered or copied."""
    return next((platform / "template").glob(f"{name}*"))


class TestTheSameLine:
    def test_it_is_named_marked_and_unmerged(self, generate: Any, release: Any) -> None:
        app = generate(f"v{CURRENT}", ours)
        release(theirs)

        ended = app.update()

        assert ended.code == 1
        assert ended.kinds()[BUILDSPEC] == "conflict"
        assert ended.err.splitlines()[-2:] == [
            f"1 file is in conflict: {BUILDSPEC}.",
            "Mend them (conflicts stand between <<<<<<< and >>>>>>>), then: git add --all && "
            ".venv/bin/invoke validate && git commit. Or go back to before the update, which loses nothing "
            "else: git reset --hard",
        ]
        text = app.read(BUILDSPEC)
        assert "<<<<<<< before updating\nversion: 0.2 # the team's\n" in text
        assert "version: 0.2 # the platform's\n>>>>>>> after updating\n" in text
        assert f"UU {BUILDSPEC}" in app.status()

    def test_git_commits_only_what_was_mended(self, generate: Any, release: Any) -> None:
        app = generate(f"v{CURRENT}", ours)
        release(theirs)
        app.update()
        commit = ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-qm", "Update"]

        refused = subprocess.run(commit, cwd=app.folder, check=False, capture_output=True, text=True)
        (app.folder / BUILDSPEC).write_text("mended\n")
        git(app.folder, "add", "--all")
        done = subprocess.run(commit, cwd=app.folder, check=False, capture_output=True, text=True)

        assert refused.returncode != 0
        assert BUILDSPEC in refused.stdout + refused.stderr
        assert done.returncode == 0, done.stderr
        assert app.status() == []

    def test_the_way_back_is_complete(self, generate: Any, release: Any) -> None:
        app = generate(f"v{CURRENT}", ours)
        before = app.files()

        def change(platform: Path) -> None:
            theirs(platform)
            (platform / "template" / "NEW.md").write_text("New\n")

        release(change)
        assert app.update().kinds()["NEW.md"] == "added"
        git(app.folder, "reset", "--hard")

        assert app.status() == []
        assert app.files() == before
        assert not (app.folder / "NEW.md").exists()

    def test_a_dry_run_names_it_and_changes_nothing(self, generate: Any, release: Any) -> None:
        app = generate(f"v{CURRENT}", ours)
        release(theirs)

        ended = app.update("--dry-run")

        assert ended.code == 1
        assert ended.kinds()[BUILDSPEC] == "conflict"
        assert app.status() == []


class TestAFileThatTheTemplateTakesAway:
    """Copier's own update loses what the team wrote into it, without a word."""

    PATH = "aws/Dockerfile"

    def test_renamed_and_edited(self, generate: Any, release: Any) -> None:
        app = generate(f"v{CURRENT}", self.edit)
        mine = app.read(self.PATH)
        release(self.rename)

        ended = app.update()

        assert ended.code == 1
        assert ended.kinds()[self.PATH] == "conflict"
        assert ended.kinds()["aws/Containerfile"] == "added"
        assert (
            f"the template renamed it to aws/Containerfile, without your changes: bring them there "
            f"(git show HEAD:{self.PATH} shows them), then: git rm {self.PATH}"
        ) in ended.out
        assert app.read(self.PATH) == mine
        assert f"UD {self.PATH}" in app.status()

    def test_renamed_and_not_edited(self, generate: Any, release: Any) -> None:
        app = generate()
        mine = app.read(self.PATH)
        release(self.rename)

        ended = app.update()

        assert (ended.kinds()[self.PATH], ended.kinds()["aws/Containerfile"]) == ("removed", "added")
        assert app.read("aws/Containerfile") == mine
        assert not (app.folder / self.PATH).exists()

    def test_removed_and_edited(self, generate: Any, release: Any) -> None:
        app = generate(f"v{CURRENT}", lambda folder: (folder / ".gitignore").open("a").write("/own\n"))
        release(lambda platform: template_file(platform, ".gitignore").unlink())

        ended = app.update()

        assert ended.code == 1
        assert (
            "the template removed it, and you had changed it: git add .gitignore keeps it, "
            "git rm .gitignore does not"
        ) in ended.out
        assert app.read(".gitignore").endswith("/own\n")

    def test_removed_and_not_edited(self, generate: Any, release: Any) -> None:
        app = generate()
        release(lambda platform: template_file(platform, ".gitignore").unlink())

        ended = app.update()

        assert ended.code == 0, ended.err
        assert ended.kinds()[".gitignore"] == "removed"
        assert not (app.folder / ".gitignore").exists()

    @staticmethod
    def rename(platform: Path) -> None:
        (platform / "template/aws/Dockerfile").rename(platform / "template/aws/Containerfile")

    @staticmethod
    def edit(folder: Path) -> None:
        path = folder / TestAFileThatTheTemplateTakesAway.PATH
        path.write_text(path.read_text() + "# the team's own\n")


class TestAFileThatTheTeamTookAway:
    def test_it_stays_away(self, generate: Any, release: Any) -> None:
        app = generate(f"v{CURRENT}", lambda folder: (folder / ".gitignore").unlink())

        def change(platform: Path) -> None:
            with template_file(platform, ".gitignore").open("a") as ignored:
                ignored.write("/new\n")

        release(change)
        ended = app.update()

        assert ended.code == 0, ended.err
        assert "kept     .gitignore (you deleted it; it stays deleted)" in ended.out
        assert not (app.folder / ".gitignore").exists()

    def test_a_lock_comes_back(self, generate: Any, release: Any) -> None:
        app = generate(f"v{CURRENT}", lambda folder: (folder / "app/requirements-dev.lock").unlink())
        release(add_build_command)

        ended = app.update()

        assert ended.code == 0, ended.err
        assert "app/requirements-dev.lock (you had deleted it; it is back)" in ended.out


def test_a_file_that_both_added(generate: Any, release: Any) -> None:
    app = generate(f"v{CURRENT}", lambda folder: (folder / "NEW.md").write_text("The team's\n"))
    release(lambda platform: (platform / "template/NEW.md").write_text("The platform's\n"))

    ended = app.update()

    assert (ended.code, ended.kinds()["NEW.md"]) == (1, "conflict")
    assert "The team's\n" in app.read("NEW.md")
    assert "The platform's\n" in app.read("NEW.md")


def test_an_update_that_breaks_the_app_says_how(generate: Any, release: Any) -> None:
    app = generate()
    release(lambda platform: replace(platform / "template" / BUILDSPEC, f"\n{LINE}", "\nversion: 0.1\n"))

    ended = app.update()

    assert ended.code == 1
    assert f"{BUILDSPEC}: version is 0.1; expected: 0.2." in ended.out
    assert ended.err.splitlines()[-2:] == [
        "The updated app has 1 problem.",
        "Mend them, or go back to before the update, which loses nothing else: git reset --hard",
    ]


def test_a_lock_is_the_apps_own(generate: Any, release: Any) -> None:
    app = generate()
    lock = app.read("app/requirements.lock")

    def change(platform: Path) -> None:
        for path in (platform / "template/app").glob("**/*requirements.lock*"):
            path.write_text(f"# resolved later\n{path.read_text()}")

    release(change)
    ended = app.update()

    assert ended.code == 0, ended.err
    assert "kept     app/requirements.lock (yours; resolve it again: invoke lock)" in ended.out
    assert app.read("app/requirements.lock") == lock


class TestInterruption:
    def test_ctrl_c_leaves_the_app_as_it_was(self, generate: Any, release: Any) -> None:
        app = generate()
        release(add_build_command)
        before = app.files()

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
        assert (app.files(), app.status()) == (before, [])

    def test_what_copier_refuses_leaves_the_app_as_it_was(self, generate: Any, release: Any) -> None:
        app = generate()
        before = app.files()

        def ask(platform: Path) -> None:
            with (platform / "copier.yml").open("a") as questions:
                questions.write("\nfavourite_colour:\n  type: str\n  help: For banners\n")

        release(ask)
        ended = app.update()

        assert ended.code == 1
        assert ended.err.splitlines()[-1].startswith("copier ")
        assert "favourite_colour" in ended.err.splitlines()[-1]
        assert "Traceback" not in ended.err
        assert (app.files(), app.status()) == (before, [])

    def test_a_file_that_git_ignores_is_not_written_over(self, generate: Any, release: Any) -> None:
        app = generate()
        (app.folder / ".idea").mkdir()
        (app.folder / ".git/info/exclude").write_text("NEW.md\n")
        (app.folder / "NEW.md").write_text("mine\n")
        release(lambda platform: (platform / "template/NEW.md").write_text("theirs\n"))

        ended = app.update()

        assert ended.code == 2
        assert "NEW.md: already exists in working directory." in ended.err
        assert ended.err.endswith("Nothing was changed. Move that file away, and run it again.\n")
        assert (app.read("NEW.md"), app.status()) == ("mine\n", [])
