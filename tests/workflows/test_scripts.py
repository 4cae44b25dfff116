"""The scripts of the workflows, run by bash as a runner would, on real files and a real git.

Only ``gh`` is played: a script that writes down what it was asked, and answers as it was told to.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from the_sink.models import EnvironmentStatus, WaitingRelease

from .conftest import CHECKOUT, read

GH = """#!/bin/sh
echo "$@" >> "$GH_LOG"
if [ "$1 $2" = "pr list" ] && [ -n "$GH_OPEN" ]; then echo "$GH_OPEN"; fi
if [ "$1 $2" = "pr create" ]; then while [ "$1" != --body-file ]; do shift; done; cat "$2" >> "$GH_LOG"; fi
"""


def script(folder: Path, workflow: str, name: str) -> str:
    """The script of one step, by its name or its id."""
    steps = next(each for each in read(folder) if each.path.stem == workflow).steps
    return next(
        str(each.step["run"]) for each in steps if name in (each.step.get("name"), each.step.get("id"))
    )


@dataclass
class Runner:
    """A folder as a runner has it, and what its steps leave behind."""

    folder: Path
    temp: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, text: str, **variables: str) -> subprocess.CompletedProcess[str]:
        env = {
            **os.environ,
            **self.variables,
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_OUTPUT": str(self.temp / "output"),
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
            "GH_LOG": str(self.temp / "gh"),
            "GIT_CONFIG_GLOBAL": str(self.temp / "gitconfig"),
            "PATH": f"{self.temp / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            **variables,
        }
        # Steps of a workflow that name no shell: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
        return subprocess.run(
            ["bash", "-e", "-c", text],
            cwd=self.folder,
            env=env,
            check=False,
            capture_output=True,
            text=True,
        )

    def play_invoke(self, text: str) -> None:
        """Put a program in the place of the service's own invoke."""
        invoke = self.folder / ".venv" / "bin" / "invoke"
        invoke.write_text(text)
        invoke.chmod(0o755)

    def left(self, name: str) -> str:
        path = self.temp / name
        return path.read_text() if path.exists() else ""

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Tests", "-c", "user.email=tests@example.com"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()


@pytest.fixture
def runner(tmp_path: Path, service: Path) -> Runner:
    """A clone of the service, with its repository as origin and a played gh."""
    origin, clone, temp = tmp_path / "origin.git", tmp_path / "hello-sink", tmp_path / "temp"
    (temp / "bin").mkdir(parents=True)
    gh = temp / "bin" / "gh"
    gh.write_text(GH)
    gh.chmod(0o755)
    shutil.copytree(service, clone)
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").symlink_to(sys.executable)
    runner = Runner(clone, temp)
    runner.git("init", "--quiet", "--bare", str(origin))
    runner.git("init", "--quiet", "--initial-branch", "main")
    runner.git("remote", "add", "origin", str(origin))
    runner.git("add", "--all")
    runner.git("commit", "--quiet", "--message", "Start")
    runner.git("push", "--quiet", "origin", "main")
    return runner


def test_the_services_python_is_read_from_stage(runner: Runner) -> None:
    stage = runner.folder / "aws" / "cfn-template-configuration-stage.json"
    configuration = json.loads(stage.read_text())
    configuration["Parameters"]["RuntimeVersion"] = "3.10"
    stage.write_text(json.dumps(configuration))

    done = runner.run(script(runner.folder, "action", "service"))

    assert done.returncode == 0, done.stderr
    assert runner.left("output") == "runtime=3.10\n"


def test_the_region_is_the_environments_own(runner: Runner) -> None:
    settings = runner.folder / "sink.toml"
    first, uat, rest = settings.read_text().partition("[environments.uat]")
    settings.write_text(first + uat + rest.replace("eu-west-1", "us-east-2", 1))
    text = script(runner.folder, "deploy", "settings")

    assert runner.run(text, ENVIRONMENT="uat").returncode == 0
    assert runner.left("output") == "region=us-east-2\n"
    assert runner.run(text, ENVIRONMENT="none").returncode != 0


@pytest.mark.parametrize(
    ("variables", "typed"),
    [
        ({"COMMIT": "", "ANYWAY": ""}, "deploy --env uat --timeout 7"),
        ({"COMMIT": "a b; c", "ANYWAY": "yes"}, "deploy --env uat --commit [a b; c] --yes --timeout 7"),
    ],
)
def test_inputs_reach_the_deploy_as_they_were_typed(
    runner: Runner, variables: dict[str, str], typed: str
) -> None:
    show = "import sys; print(*(f'[{word}]' if ' ' in word else word for word in sys.argv[1:]))"
    runner.play_invoke(f"#!{sys.executable}\n{show}\n")

    done = runner.run(script(runner.folder, "deploy", "Deploy"), ENVIRONMENT="uat", TIMEOUT="7", **variables)

    assert (done.returncode, done.stdout) == (0, f"{typed}\n")


WAITING = WaitingRelease("0123456789abcdef", "Mend it", None, "run-1")


def deploy_ended(
    runner: Runner, code: int, timeout: str, waiting: WaitingRelease | None
) -> subprocess.CompletedProcess[str]:
    """Run the deploy of a job where the command ended with a code, and something waits, or nothing."""
    status = EnvironmentStatus("prod", is_bootstrapped=True, waiting_for_approval=waiting)
    said = json.dumps({"app": "hello-sink", "environments": [asdict(status)]})
    runner.play_invoke(f"#!/bin/sh\nif [ $1 = status ]; then echo '{said}'; else exit {code}; fi\n")
    text = script(runner.folder, "deploy", "Deploy")
    return runner.run(text, ENVIRONMENT="prod", COMMIT="", ANYWAY="", TIMEOUT=timeout)


def test_a_job_that_waited_for_an_approval_ends_with_a_notice(runner: Runner) -> None:
    done = deploy_ended(runner, 1, "0", WAITING)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "::notice::01234567 waits for an approval in prod: invoke approve --env prod. "
    )
    assert runner.left("summary") == done.stdout


@pytest.mark.parametrize(
    ("code", "timeout", "waiting"),
    [
        pytest.param(1, "0", None, id="nothing-waits"),
        pytest.param(1, "3300", WAITING, id="failed-before-its-time-was-over"),
        pytest.param(2, "0", WAITING, id="refused"),
    ],
)
def test_every_other_end_of_a_deploy_is_the_jobs(
    runner: Runner, code: int, timeout: str, waiting: WaitingRelease | None
) -> None:
    assert deploy_ended(runner, code, timeout, waiting).returncode == code


def test_without_the_environments_own_role_nothing_is_begun(runner: Runner) -> None:
    steps = next(each for each in read(runner.folder) if each.path.stem == "deploy").steps
    text = script(runner.folder, "deploy", "The role is known")

    refused = runner.run(text, ENVIRONMENT="prod", ROLE="")

    assert steps[0].step["run"] == text
    assert refused.returncode == 1
    assert refused.stdout.startswith("::error::The variable SINK_ROLE_ARN_PROD is not set")
    assert runner.run(text, ENVIRONMENT="prod", ROLE="arn:aws:iam::1:role/x").returncode == 0


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


VERSION = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture
def release(tmp_path: Path) -> Runner:
    """The platform's files that a release reads."""
    folder, temp = tmp_path / "checkout", tmp_path / "temp"
    folder.mkdir()
    temp.mkdir()
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(CHECKOUT / name, folder)
    return Runner(folder, temp, {"GITHUB_REF_NAME": f"v{VERSION}"})


def test_a_tag_that_is_not_the_version_is_refused(release: Runner) -> None:
    text = script(CHECKOUT, "release", "The tag is the version")

    assert release.run(text).returncode == 0
    refused = release.run(text, GITHUB_REF_NAME="v0.9.0")
    assert refused.returncode == 2
    assert f"The tag is v0.9.0, pyproject.toml says {VERSION}" in refused.stderr


def test_the_notes_are_the_changelogs_words_for_this_version_alone(release: Runner) -> None:
    (release.folder / "CHANGELOG.md").write_text(
        "# Changelog\n\n## 9.9.9\n\nLater.\n\n"
        f"## {VERSION} (soon)\n\nNow.\n\n### More\n\nOf it.\n\n## 0.1.0\n\nThen.\n"
    )
    text = script(CHECKOUT, "release", "What the changelog says")

    assert release.run(text).returncode == 0
    assert (release.folder / "release" / "notes.md").read_text().split() == [
        "Now.",
        "###",
        "More",
        "Of",
        "it.",
    ]
    refused = release.run(text, GITHUB_REF_NAME="v1.0.99")
    assert refused.returncode == 2
    assert "CHANGELOG.md has no words under ## 1.0.99" in refused.stderr


def test_the_changelog_as_it_is_has_words_for_the_version(release: Runner) -> None:
    assert release.run(script(CHECKOUT, "release", "What the changelog says")).returncode == 0


def test_a_release_is_recorded_once(release: Runner) -> None:
    text, sha = script(CHECKOUT, "release", "Write releases.toml"), "ab" * 20
    file = release.folder / "releases.toml"
    shutil.copy(CHECKOUT / "releases.toml", file)
    before = tomllib.loads(file.read_text())

    for _ in range(2):
        assert release.run(text, GITHUB_REF_NAME="v9.8.7", GITHUB_SHA=sha).returncode == 0

    assert file.read_text().count("9.8.7") == 1
    after = tomllib.loads(file.read_text())
    assert after != before
    assert sha in str(after)
