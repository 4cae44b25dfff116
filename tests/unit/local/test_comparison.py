"""An archive that is promoted holds the files of its commit, as far as this clone can tell."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from the_sink.archive import Archive, Entry, pack, read_archive
from the_sink.config import load_app
from the_sink.errors import InputError
from the_sink.local import git
from the_sink.local.comparison import compare_with_commit
from the_sink.local.package import package_commit

NEXT = "Find out who put it there. A release never changes: commit anew, and deploy that to stage."


def run(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def committed(app: Path) -> Path:
    """An app with one commit, of which a file is executable and another a link."""
    (app / "run.sh").write_text("#!/bin/sh\n")
    (app / "run.sh").chmod(0o755)
    (app / "start").symlink_to("run.sh")
    run(app, "init", "--quiet", "--initial-branch", "main")
    run(app, "add", "--all")
    run(app, "commit", "--quiet", "--message", "Start")
    return app


@pytest.fixture
def archived(committed: Path, tmp_path: Path) -> Callable[..., Archive]:
    """A function that makes the archive of the commit, with the files that a test changes, adds or drops."""

    def make(**files: bytes | None) -> Archive:
        settings, commit = load_app(committed), git.resolve_commit(committed)
        own = package_commit(settings, commit, tmp_path)
        if not files:
            return own
        tree = {entry.path: entry for entry in git.read_tree(committed, commit.sha)}
        for path, content in files.items():
            tree.pop(path, None)
            if content is not None:
                tree[path] = Entry(path, content)
        return pack(tree.values(), own.manifest, tmp_path / "other.zip")

    return make


def compare(app: Path, archive: Archive) -> str:
    return compare_with_commit(load_app(app), archive, archive.manifest.commit)


def refusal(app: Path, archive: Archive) -> str:
    with pytest.raises(InputError) as caught:
        compare(app, archive)
    assert caught.value.hint == NEXT
    return caught.value.message


def test_what_was_made_from_the_commit_is_equal(committed: Path, archived: Callable[..., Archive]) -> None:
    assert compare(committed, archived()) == ""


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"app/Procfile": b"web: python evil.py\n"}, "changed: app/Procfile"),
        ({"app/Procfile": None}, "missing: app/Procfile"),
        ({"app/evil.py": b"x"}, "added: app/evil.py"),
        # No longer executable, and no link.
        ({"run.sh": b"#!/bin/sh\n", "start": b"run.sh"}, "changed: run.sh, start"),
        ({f"{n}.py": b"" for n in range(5)}, "added: 0.py, 1.py, 2.py and 2 more"),
    ],
)
def test_other_files_are_refused(
    files: dict[str, bytes | None], what: str, committed: Path, archived: Callable[..., Archive]
) -> None:
    archive = archived(**files)
    short = archive.manifest.commit[:8]

    assert refusal(committed, archive) == (
        f"The archive of {short} is not what this clone has as {short}: {what}."
    )


def test_a_file_that_is_there_twice_is_refused(committed: Path, archived: Callable[..., Archive]) -> None:
    """Python reads the last, and who unpacks it in AWS may take the first."""
    archive = archived()
    with zipfile.ZipFile(archive.path, "a") as packed, pytest.warns(UserWarning, match="Duplicate name"):
        packed.writestr("app/Procfile", "web: python serve.py\n")

    assert refusal(committed, archive).endswith(": app/Procfile is in it twice.")


def test_an_archive_of_another_release_is_refused(committed: Path, archived: Callable[..., Archive]) -> None:
    archive = archived()

    with pytest.raises(InputError) as caught:
        compare_with_commit(load_app(committed), archive, "b" * 40)

    assert caught.value.message == (
        "The archive of bbbbbbbb is not what this clone has as bbbbbbbb: "
        f"it says that it is {archive.manifest.commit[:8]} of my-app."
    )


def test_built_files_are_named_and_let_pass(committed: Path, archived: Callable[..., Archive]) -> None:
    """A clone cannot make them again from the commit; all others are compared as ever."""
    with (committed / "sink.toml").open("a") as settings:
        settings.write('[package]\ninclude = ["dist"]\n')
    (committed / "dist").mkdir()
    (committed / "dist" / "app.js").write_text("1")
    (committed / ".gitignore").write_text("/dist\n")
    run(committed, "add", "--all")
    run(committed, "commit", "--quiet", "--message", "Build")

    assert compare(committed, archived()) == (
        f"Not compared with this clone's commit {git.resolve_commit(committed).short}, because git does not "
        "hold it ([package] of sink.toml): dist/app.js."
    )
    changed = archived(**{"dist/app.js": b"1", "app/Procfile": b"web: python evil.py\n"})
    assert "changed: app/Procfile; added: dist/app.js." in refusal(committed, changed)


def test_a_commit_that_this_clone_has_not_is_believed(
    committed: Path, archived: Callable[..., Archive]
) -> None:
    archive = archived(**{"app/Procfile": b"web: python other.py\n"})
    run(committed, "commit", "--quiet", "--amend", "--message", "Another")
    run(committed, "reflog", "expire", "--expire=now", "--all")
    run(committed, "gc", "--quiet", "--prune=now")

    assert compare(committed, archive) == ""


def test_the_container_does_not_matter(committed: Path, archived: Callable[..., Archive]) -> None:
    """Another packer's zip of the same files, as of the legacy platform: compressed, without a name."""
    own = archived()
    other = own.path.with_name("deflated.zip")
    with zipfile.ZipFile(own.path) as source, zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as target:
        for info in reversed(source.infolist()):
            if info.filename != "release.json":
                copied = zipfile.ZipInfo(info.filename)
                copied.external_attr = info.external_attr
                target.writestr(copied, source.read(info), zipfile.ZIP_DEFLATED)

    assert compare(committed, read_archive(other, own.manifest)[0]) == ""
