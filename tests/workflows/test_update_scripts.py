"""The scripts of a service's update workflow: a pull request of the platform's changes, and its locks."""

from __future__ import annotations

import subprocess

import pytest

from .conftest import Runner, script


def update(runner: Runner, **variables: str) -> subprocess.CompletedProcess[str]:
    """Open the pull request after `invoke update` changed something."""
    with (runner.temp / "update.txt").open("a") as said:
        said.write("aws/buildspec.yaml changed\n")
    text = script(runner.folder, "update", "Open or refresh the pull request")
    defaults = {"BRANCH": "platform-update", "TITLE": "Update from the platform", "OWN_TOKEN": "true"}
    return runner.run(text, **{**defaults, **variables})


def test_without_an_update_nothing_is_pushed_or_opened(runner: Runner) -> None:
    done = update(runner)

    assert done.returncode == 0, done.stderr
    assert runner.left("gh") == ""
    assert "platform-update" not in runner.git("ls-remote", "origin")


def test_an_update_becomes_a_pull_request_whose_checks_are_started(runner: Runner) -> None:
    (runner.folder / "aws" / "buildspec.yaml").open("a").write("# new\n")

    done = update(runner)

    assert done.returncode == 0, done.stderr
    asked = runner.left("gh").splitlines()
    assert asked[1].startswith("pr list --head platform-update")
    assert asked[2].startswith("pr create --head platform-update --base main")
    assert "aws/buildspec.yaml changed" in asked
    assert asked[-1] == "workflow run ci.yml --ref platform-update"
    runner.git("fetch", "--quiet", "origin", "platform-update")
    assert runner.git("diff", "--name-only", "main", "FETCH_HEAD") == "aws/buildspec.yaml"


def test_the_next_week_refreshes_the_same_pull_request(runner: Runner) -> None:
    (runner.folder / "aws" / "buildspec.yaml").open("a").write("# new\n")
    assert update(runner).returncode == 0
    runner.git("switch", "--quiet", "main")
    (runner.folder / "aws" / "buildspec.yaml").open("a").write("# newer\n")

    done = update(runner, GH_OPEN="7")

    assert done.returncode == 0, done.stderr
    assert runner.left("gh").count("pr create") == 1
    assert runner.left("gh").count("pr edit platform-update") == 1
    runner.git("fetch", "--quiet", "origin", "platform-update")
    assert runner.git("log", "--format=%s", "main..FETCH_HEAD") == "Update from the platform"
    assert runner.git("show", "FETCH_HEAD:aws/buildspec.yaml").endswith("# newer")


BOT = "41898282+github-actions[bot]@users.noreply.github.com"


@pytest.mark.parametrize(
    ("commit", "who"),
    [
        (("--allow-empty", "--message", "Mine"), {}),
        # Its author is still the bot, its committer is not.
        (("--amend", "--allow-empty", "--no-edit"), {}),
        (("--allow-empty", "--message", "Mine"), {"user.email": BOT, "author": "A <a@example.com>"}),
    ],
    ids=["a commit", "an amended commit", "a commit of another author"],
)
def test_what_a_person_pushed_to_the_pull_request_stays(
    runner: Runner, commit: tuple[str, ...], who: dict[str, str]
) -> None:
    (runner.folder / "aws" / "buildspec.yaml").open("a").write("# new\n")
    assert update(runner).returncode == 0
    email = ("-c", f"user.email={who.get('user.email', 'person@example.com')}")
    author = (f"--author={who['author']}",) if who else ()
    runner.git(*email, "commit", "--quiet", *commit, *author)
    runner.git("push", "--quiet", "--force", "origin", "platform-update")
    pushed = runner.git("ls-remote", "origin", "platform-update")
    runner.git("switch", "--quiet", "main")
    (runner.folder / "aws" / "buildspec.yaml").open("a").write("# newer\n")

    refused = update(runner, GH_OPEN="7")

    assert refused.returncode == 1
    assert refused.stdout.startswith("The branch platform-update has commits of a person")
    assert runner.left("summary") == refused.stdout
    assert runner.git("ls-remote", "origin", "platform-update") == pushed
    assert "pr edit" not in runner.left("gh")


def test_a_branch_that_was_merged_is_made_anew(runner: Runner) -> None:
    """What a person pushed to it is on main then, and nothing of theirs can be lost."""
    (runner.folder / "aws" / "buildspec.yaml").open("a").write("# new\n")
    assert update(runner).returncode == 0
    runner.git("commit", "--quiet", "--allow-empty", "--message", "Mine")
    runner.git("push", "--quiet", "origin", "platform-update")
    runner.git("switch", "--quiet", "main")
    runner.git("merge", "--quiet", "--no-ff", "--no-edit", "platform-update")
    (runner.folder / "aws" / "buildspec.yaml").open("a").write("# newer\n")

    done = update(runner)

    assert done.returncode == 0, done.stderr
    runner.git("fetch", "--quiet", "origin", "platform-update")
    assert runner.git("log", "--format=%s", "main..FETCH_HEAD") == "Update from the platform"


@pytest.mark.parametrize(
    ("code", "said"),
    [(0, "`invoke lock` was run too:"), (1, "The locks are behind, and `invoke lock` failed")],
)
def test_locks_that_are_behind_are_resolved_or_the_pull_request_says_so(
    runner: Runner, code: int, said: str
) -> None:
    """By what `invoke update` says to do next: tests/update/test_versions.py."""
    runner.play_invoke(
        "#!/bin/sh\n"
        'if [ $1 = update ]; then echo "  .venv/bin/invoke lock  resolve the locks again" >&2\n'
        f"else echo 'fastapi 1 -> 2'; echo '# new' >> app/requirements.lock; exit {code}; fi\n"
    )

    done = runner.run(script(runner.folder, "update", "Update"))
    opened = update(runner)

    assert (done.returncode, opened.returncode) == (0, 0), done.stderr + opened.stderr
    body = runner.left("gh")
    assert said in body
    assert "fastapi 1 -> 2" in body


def test_without_locks_behind_nothing_is_resolved(runner: Runner) -> None:
    runner.play_invoke('#!/bin/sh\necho "$1" >> invoked.txt\n')

    assert runner.run(script(runner.folder, "update", "Update")).returncode == 0
    assert (runner.folder / "invoked.txt").read_text() == "update\n"
    assert runner.left("locks.md") == ""


def test_changed_workflows_need_a_token_that_may_change_them(runner: Runner) -> None:
    (runner.folder / ".github" / "workflows" / "ci.yml").open("a").write("# new\n")

    refused = update(runner)

    assert refused.returncode == 1
    assert "needs the secret SINK_UPDATE_TOKEN" in refused.stdout
    assert runner.left("summary") == refused.stdout
    assert runner.left("gh") == ""
    # With it they go, and the push itself starts the checks.
    assert update(runner, OWN_TOKEN="false").returncode == 0
    assert "pr create" in runner.left("gh")
    assert "workflow run" not in runner.left("gh")


@pytest.mark.parametrize("code", [1, 2])
def test_an_update_that_needs_a_person_fails_with_what_it_said(runner: Runner, code: int) -> None:
    runner.play_invoke(f"#!/bin/sh\necho 'aws/buildspec.yaml: conflict' >&2\nexit {code}\n")

    done = runner.run(script(runner.folder, "update", "Update"))

    assert done.returncode == 1
    assert "aws/buildspec.yaml: conflict" in done.stdout
    assert "run `invoke update` in a clone" in runner.left("summary")
    assert "aws/buildspec.yaml: conflict" in runner.left("summary")
