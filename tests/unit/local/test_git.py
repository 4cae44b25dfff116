"""git is asked, not assumed: real repositories, and each way in which there is no answer."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest

from the_sink.archive import Entry
from the_sink.errors import InputError, SinkError
from the_sink.local.git import changed_files, find_repository, read_tree, require_clean, resolve_commit


def refused(function, *arguments) -> InputError:
    with pytest.raises(InputError) as caught:
        function(*arguments)
    return caught.value


def test_a_commit_is_found_by_every_name_it_has(repository, git, commit):
    sha = commit({"a": "1"}, "Say hello")
    git("tag", "v1")
    git("tag", "--annotate", "v2", "--message", "Two")

    found = resolve_commit(repository)

    assert (found.sha, found.subject, found.short) == (sha, "Say hello", sha[:8])
    assert found.committed_at == datetime.fromisoformat("2026-03-04T05:06:07+02:00")
    for name in ("HEAD", sha, sha[:7], "main", "v1", "v2", "v2^0"):
        assert resolve_commit(repository, name) == found


def test_a_subject_may_be_empty_or_hold_anything(repository, commit):
    commit({"a": "1"}, "")
    assert resolve_commit(repository).subject == ""
    commit({"a": "2"}, 'Quote " and %s and ünïcode\n\nBody')
    assert resolve_commit(repository).subject == 'Quote " and %s and ünïcode'


@pytest.mark.parametrize(
    "name", ["nope", "deadbeef", "0" * 40, "--help", "-n1", "HEAD~5", "HEAD:a", "a b", "@{99}"]
)
def test_a_commit_that_does_not_exist_is_refused(repository, commit, name):
    commit({"a": "1"})

    error = refused(resolve_commit, repository, name)

    assert error.message == f"There is no commit {name!r} in this repository."
    assert error.exit_code == 2


def test_a_beginning_that_several_commits_share_is_refused_with_its_candidates(repository, git, commit):
    commit({"a": "1"})
    tree = git("write-tree")
    # Commits that differ in nothing but their message, until two begin alike; the same ones every time.
    seen: dict[str, str] = {}
    for number in range(400):
        sha = git("commit-tree", tree, "-m", str(number))
        if sha[:4] in seen:
            break
        seen[sha[:4]] = sha

    error = refused(resolve_commit, repository, sha[:4])

    assert error.message.startswith(f"{sha[:4]!r} is the beginning of 2 commits: ")
    assert sha[:8] in error.message
    assert seen[sha[:4]][:8] in error.message
    assert error.hint == "Give more digits."


def test_a_name_that_is_a_branch_and_a_tag_is_refused(repository, git, commit):
    commit({"a": "1"})
    git("tag", "release")
    commit({"a": "2"})
    git("branch", "release")

    error = refused(resolve_commit, repository, "release")

    assert error.message == "'release' names more than one thing in this repository."


def test_a_repository_without_commits_is_refused(repository):
    error = refused(resolve_commit, repository)

    assert error.message == f"The repository of {repository} has no commits."


def test_a_folder_that_is_no_repository_is_refused(tmp_path):
    error = refused(resolve_commit, tmp_path)

    assert error.message == f"{tmp_path} is not a git repository."
    assert error.hint.startswith("Make it one: git init")


def test_a_folder_that_only_lies_in_a_repository_is_refused(repository, commit):
    commit({".gitignore": "app\n"})
    inner = repository / "app"
    inner.mkdir()

    error = refused(resolve_commit, inner)

    assert error.message == (
        f"{inner} is not a git repository: {repository}, which it lies in, holds none of its files."
    )


def test_an_app_in_a_folder_of_a_repository_is_that_folder(repository, commit):
    sha = commit({"services/app/a": "1", "other": "2"})
    app = repository / "services" / "app"
    (repository / "other").write_text("changed")

    assert find_repository(app) == repository
    assert list(read_tree(app, sha)) == [Entry("a", b"1")]
    assert changed_files(app) == ()


def test_what_git_exported_to_a_hook_leads_nowhere_else(repository, commit, monkeypatch, tmp_path):
    sha = commit({"a": "1"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))

    assert resolve_commit(repository).sha == sha


def fake_git(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\necho '{text}'\n")
    (folder / "git").chmod(0o755)


@pytest.mark.parametrize(
    ("said", "version"),
    [("git version 2.37.9", "2.37"), ("git version 1.8.3.1", "1.8"), ("git version 2.9.5", "2.9")],
)
def test_an_old_git_is_refused(repository, tmp_path, monkeypatch, said, version):
    fake_git(tmp_path / "bin", said)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    error = refused(resolve_commit, repository)

    assert error.message == f"git {version} is too old, 2.38 or later is needed."


def test_a_missing_git_is_refused(repository, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    error = refused(find_repository, repository)

    assert error.message == "git is not installed, or not on the PATH."
    assert error.hint == "Install git 2.38 or later: https://git-scm.com."


@pytest.mark.parametrize(
    "said", ["git version 2.38.0", "git version 2.50.1 (Apple Git-155)", "git version 3.0.0"]
)
def test_a_recent_git_will_do(tmp_path, monkeypatch, said):
    from the_sink.local.git import check_git

    fake_git(tmp_path / "bin", said)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    check_git(tmp_path)


def test_everything_uncommitted_is_listed(repository, git, commit):
    commit({"kept": "1", "changed": "1", "removed": "1", "staged": "1", ".gitignore": "ignored\n"})
    (repository / "changed").write_text("2")
    (repository / "removed").unlink()
    (repository / "staged").write_text("2")
    git("add", "staged")
    (repository / "ignored").write_text("1")
    (repository / "new folder").mkdir()
    (repository / "new folder" / "é").write_text("1")

    assert changed_files(repository) == ("changed", "new folder/é", "removed", "staged")
    error = refused(require_clean, repository)
    assert error.message == "4 files are not committed: changed, new folder/é, removed, staged."
    assert error.exit_code == 2


def test_a_long_list_is_cut_and_one_file_is_singular(repository, commit):
    commit({"a": "1"})
    require_clean(repository)
    for number in range(8):
        (repository / f"f{number}").write_text("1")

    assert refused(require_clean, repository).message == (
        "8 files are not committed: f0, f1, f2, f3, f4 and 3 more."
    )
    for number in range(1, 8):
        (repository / f"f{number}").unlink()
    assert refused(require_clean, repository).message == "1 file is not committed: f0."


def test_the_tree_is_what_git_archive_says(repository, git, commit):
    (repository / "tool").write_text("#!/bin/sh\n")
    (repository / "tool").chmod(0o755)
    (repository / "link").symlink_to("tool")
    sha = commit(
        {
            "a": "1",
            "secret.txt": "x",
            "docs/page": "y",
            ".gitattributes": "*.txt export-ignore\ndocs export-ignore\n",
        }
    )
    (repository / "a").write_text("not committed")

    found = {entry.path: entry for entry in read_tree(repository, sha)}

    assert set(found) == {".gitattributes", "a", "link", "tool"}
    assert found["a"] == Entry("a", b"1")
    assert found["tool"] == Entry("tool", b"#!/bin/sh\n", is_executable=True)
    assert found["link"] == Entry("link", b"tool", is_link=True)


def test_the_tree_does_not_depend_on_this_machines_configuration(repository, git, commit):
    sha = commit({"a": "one\ntwo\n", "b.bin": "x"})
    before = list(read_tree(repository, sha))
    attributes = repository.parent / "attributes"
    attributes.write_text("b.bin export-ignore\n")
    configuration = {"core.autocrlf": "true", "core.eol": "crlf", "tar.umask": "0077"}
    for name, value in {**configuration, "core.attributesFile": str(attributes)}.items():
        git("config", name, value)

    assert list(read_tree(repository, sha)) == before


def test_an_old_commit_keeps_the_attributes_it_had(repository, commit):
    old = commit({"a": "1", "b": "2"})
    new = commit({".gitattributes": "b export-ignore\n"})

    assert [entry.path for entry in read_tree(repository, old)] == ["a", "b"]
    assert [entry.path for entry in read_tree(repository, new)] == [".gitattributes", "a"]


def test_a_name_that_is_not_utf8_is_refused(repository, git, commit):
    commit({"a": "1"})
    Path(os.fsdecode(os.fsencode(repository) + b"/\xff")).write_text("1")
    sha = commit({})

    error = refused(lambda: list(read_tree(repository, sha)))

    assert error.message == r"The name of \udcff is not UTF-8."


def test_a_commit_that_is_gone_is_a_sentence(repository, commit):
    commit({"a": "1"})

    with pytest.raises(SinkError) as caught:
        list(read_tree(repository, "1" * 40))

    assert caught.value.message.startswith(f"git archive failed in {repository}: ")


only_as_root = pytest.mark.skipif(os.getuid() != 0, reason="giving a folder away takes root")


@only_as_root
def test_a_repository_of_another_owner_is_named_as_that(repository, commit, tmp_path, monkeypatch):
    """The app's own, and the template's that it follows."""
    from the_sink.local.template_source import open_source

    commit({"a": "1"})
    # As git looks at it from an account that is not root's: root trusts what sudo's caller owns.
    monkeypatch.delenv("SUDO_UID", raising=False)
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 54321, 54321)
    hint = f"If you trust it: git config --global --add safe.directory {repository}."

    for error in (
        refused(find_repository, repository),
        refused(open_source, str(repository), tmp_path / "clone"),
    ):
        assert error.message == f"git does not trust {repository}: it belongs to another user."
        assert error.hint == hint
