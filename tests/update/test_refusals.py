"""What an update refuses: one sentence, the repair, exit code 2, and the app as it was."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from the_sink.local.template_source import check_folder

from .conftest import APP, CURRENT, NEXT, App, add_build_command, commit, git

ANSWERS = ".copier-answers.yml"


@pytest.fixture
def app(tmp_path: Path, platform: Path, invoke: Any) -> App:
    """As much of an app as an update looks at before it begins."""
    folder = tmp_path / APP
    folder.mkdir()
    (folder / "sink.toml").write_text(f'[app]\nname = "{APP}"\n')
    git(folder, "init", "--quiet", "--initial-branch", "main")
    write_answers(folder, f"_commit: v{CURRENT}\n_src_path: {platform}\n")
    return App(folder, invoke)


def write_answers(folder: Path, text: str) -> None:
    """Commit what the answers say."""
    (folder / ANSWERS).write_text(text)
    commit(folder, "Answers")


def refusal(app: App, *arguments: str) -> list[str]:
    """Return the refusal's lines, having seen that nothing was changed."""
    before, status = app.files(), app.status()
    ended = app.update(*arguments)
    assert (ended.code, ended.out) == (2, ""), ended.out + ended.err
    assert (app.files(), app.status()) == (before, status)
    return [line for line in ended.err.splitlines() if not line.startswith("Looking at ")]


def test_a_dirty_tree(app: App) -> None:
    (app.folder / "sink.toml").write_text("changed\n")
    (app.folder / "new.txt").write_text("new\n")

    assert refusal(app) == [
        "2 files are not committed: new.txt, sink.toml.",
        "An update is a change of its own: git add and git commit them first, or git stash "
        "--include-untracked.",
    ]


def test_an_unfinished_update(app: App) -> None:
    """Its files are not taken for somebody's edits, which one would just commit."""
    answers = app.folder / ANSWERS
    answers.write_text(answers.read_text().replace(f"v{CURRENT}", f"v{NEXT}"))
    (app.folder / "new.txt").write_text("the platform's\n")
    git(app.folder, "add", "--all")

    assert refusal(app) == [
        f"The update to v{NEXT} is unfinished: 2 files are not committed.",
        "Finish it: git add --all && .venv/bin/invoke validate && git commit. Or drop it, with everything "
        "else that is not committed: git reset --hard",
    ]

    git(app.folder, "reset", "--quiet", "--hard")
    assert app.status() == []


def test_no_repository(app: App) -> None:
    shutil.rmtree(app.folder / ".git")

    ended = app.update()

    assert ended.code == 2
    assert ended.err.splitlines()[0] == f"{app.folder} is not a git repository."


def test_outside_an_app(tmp_path: Path, invoke: Any) -> None:
    ended = invoke(tmp_path, "update")

    assert ended.code == 2
    assert "this is not an app of the platform" in ended.err


def test_no_answers(app: App) -> None:
    (app.folder / ANSWERS).unlink()
    commit(app.folder, "Remove")

    assert refusal(app) == [
        f"There is no {ANSWERS}: nobody knows what this app was made from.",
        f"Find the commit that removed it, git log -- {ANSWERS}, and bring it back from before: "
        f"git checkout <commit>~ -- {ANSWERS}.",
    ]


@pytest.mark.parametrize("text", ["- a\n- list\n", "_commit: [\n", ""])
def test_answers_that_cannot_be_read(app: App, text: str) -> None:
    write_answers(app.folder, text)

    assert refusal(app) == [
        f"{ANSWERS}: it cannot be read, it is not a YAML mapping.",
        f"Bring back how it was, git log -- {ANSWERS}: git checkout <commit> -- {ANSWERS}, and commit.",
    ]


def test_a_relative_source(app: App) -> None:
    write_answers(app.folder, f"_commit: v{CURRENT}\n_src_path: ../the-sink\n")

    assert refusal(app) == [
        f"{ANSWERS}: _src_path is '../the-sink', a relative path: the template cannot be found from here.",
        "Write the template's URL or absolute path as _src_path, and commit.",
    ]


def test_no_commit(app: App, platform: Path) -> None:
    write_answers(app.folder, f"_src_path: {platform}\n")

    assert refusal(app)[0] == f"{ANSWERS}: _commit is missing: nobody knows which version this is."


def test_a_source_that_is_gone(app: App, tmp_path: Path) -> None:
    write_answers(app.folder, f"_commit: v{CURRENT}\n_src_path: {tmp_path}/gone\n")

    assert refusal(app) == [
        f"{ANSWERS}: _src_path is {tmp_path}/gone, and there is no such folder on this machine.",
        "Write the template's URL or absolute path as _src_path, and commit.",
    ]


def test_a_source_that_is_no_repository(app: App, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    write_answers(app.folder, f"_commit: v{CURRENT}\n_src_path: {tmp_path}/plain\n")

    assert refusal(app) == [
        f"{ANSWERS}: _src_path is {tmp_path}/plain, which is not a git repository: it has no versions.",
        "Write the template's URL or absolute path as _src_path, and commit.",
    ]


def test_a_folder_inside_a_repository_is_not_a_source(app: App, platform: Path) -> None:
    inside = platform / "template"
    write_answers(app.folder, f"_commit: v{CURRENT}\n_src_path: {inside}\n")

    assert refusal(app)[0] == (
        f"{ANSWERS}: _src_path is {inside}, which is not a git repository: it has no versions."
    )


@pytest.mark.parametrize(
    "command", [("worktree", "add", "--quiet", "--detach"), ("clone", "--quiet", "--bare", ".")]
)
def test_worktrees_and_bare_clones_are_sources(
    platform: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    other = tmp_path / "other"
    git(platform, *command, str(other))

    assert check_folder(str(other)) == str(other)


def test_a_source_that_cannot_be_reached(app: App, free_port: Any) -> None:
    url = f"http://127.0.0.1:{free_port()}/the-sink.git"
    write_answers(app.folder, f"_commit: v{CURRENT}\n_src_path: {url}\n")

    first, second = refusal(app)

    assert first.startswith(f"The platform's template cannot be fetched from {url}: unable to access ")
    assert second == f"Try it by hand: git ls-remote {url}"


def test_a_dirty_source(app: App, platform: Path) -> None:
    add_build_command(platform)

    assert refusal(app) == [
        f"The platform's template in {platform} has changes that no version names: 1 file, "
        "template/aws/buildspec.yaml.",
        "Commit them there, or put them aside: git stash --include-untracked.",
    ]


def test_a_commit_that_never_was(app: App, platform: Path) -> None:
    """Copier names a commit of its own making when it renders uncommitted changes."""
    write_answers(app.folder, f"_commit: v{CURRENT}-1-g1234567\n_src_path: {platform}\n")

    first, second = refusal(app)

    assert first == (
        f"{ANSWERS}: _commit is 'v{CURRENT}-1-g1234567', which {platform} does not have: the app was made "
        "from changes that were never committed there, or were thrown away."
    )
    assert second.startswith("Write the newest released version that it was made from as _commit and commit.")
    assert CURRENT in second


def test_a_commit_that_a_shallow_source_lacks(app: App, platform: Path, tmp_path: Path) -> None:
    first_commit = git(platform, "rev-list", "--max-parents=0", "HEAD").splitlines()[-1]
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", platform.as_uri(), str(shallow))
    write_answers(app.folder, f"_commit: {first_commit}\n_src_path: {shallow}\n")

    assert refusal(app) == [
        f"{ANSWERS}: _commit is '{first_commit}', which {shallow} does not have: it is a shallow clone.",
        f"Complete it: git -C {shallow} fetch --unshallow --tags.",
    ]


def test_going_back(app: App) -> None:
    assert refusal(app, "--to", "1.0.0") == [
        f"--to 1.0.0: the app is at v{CURRENT}, which is newer; an update never goes back.",
        "To undo an update, revert its commit: git revert <commit>.",
    ]


def test_a_version_that_is_not_there(app: App) -> None:
    first, second = refusal(app, "--to", "7.0.0")

    assert first == "The platform's template has no version or commit '7.0.0'."
    assert second.startswith("Released are: ")
    assert second.endswith(f"{CURRENT}.")


def test_what_looks_like_an_option(app: App) -> None:
    first, _ = refusal(app, "--to=--upload-pack=x")

    assert first == "The platform's template has no version or commit '--upload-pack=x'."


def test_nothing_was_ever_released(app: App, platform: Path) -> None:
    (platform / "releases.toml").unlink()
    head = commit(platform, "No releases")
    git(platform, "tag", "--delete", *git(platform, "tag", "--list").splitlines())
    write_answers(app.folder, f"_commit: {head}\n_src_path: {platform}\n")

    assert refusal(app) == [
        f"{platform} has no released version.",
        "Name a commit or a branch: invoke update --to main",
    ]


def test_an_app_past_the_newest_release_stays_there(app: App, platform: Path) -> None:
    head = commit(platform, "Not released")
    name = git(platform, "describe", "--tags")
    write_answers(app.folder, f"_commit: {name}\n_src_path: {platform}\n")

    ended = app.update()

    assert head.startswith(name.rpartition("-g")[2])
    assert (ended.code, ended.out) == (0, f"The app is at {name} already; there is nothing to update.\n")


def test_validate_names_a_source_that_has_no_versions(app: App, platform: Path) -> None:
    """The same findings, before anybody wants to update."""
    add_build_command(platform)
    dirty = app.invoke(app.folder, "validate")
    write_answers(app.folder, f"_commit: v{CURRENT}\n_src_path: ../the-sink\n")
    relative = app.invoke(app.folder, "validate")

    assert f"warning: {ANSWERS}: The platform's template in {platform} has changes" in dirty.out
    assert f"{ANSWERS}: _src_path is '../the-sink', a relative path" in relative.out
    assert relative.code == 2


def test_markers_that_an_earlier_merge_has_left(app: App) -> None:
    """They were committed; a new update on top of them would bury them."""
    marker = "<" * 7
    (app.folder / "README.md").write_text(f"# Hello\n{marker} before updating\nours\n")
    (app.folder / "tasks.py.rej").write_text("@@ lines @@\n")
    commit(app.folder, "Half merged")

    assert refusal(app) == [
        "README.md: a conflict marker is left in line 2. (1 more problem: invoke validate lists them)",
        "Choose what is to stand there, delete the markers, and git add the file.",
    ]
    (app.folder / "README.md").write_text("# Hello\n")
    commit(app.folder, "Merged")
    assert refusal(app)[0] == "tasks.py.rej: an update could not place these lines."


def test_a_token_in_the_sources_address_is_never_said(app: App) -> None:
    write_answers(app.folder, f"_commit: v{CURRENT}\n_src_path: https://me:t0ken@127.0.0.1:9/platform.git\n")

    ended = app.update()

    assert ended.code == 2
    assert "Looking at https://127.0.0.1:9/platform.git" in ended.err
    assert "t0ken" not in ended.err + ended.out
    assert ended.err.splitlines()[-1] == "Try it by hand: git ls-remote https://127.0.0.1:9/platform.git"
