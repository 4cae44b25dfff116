"""The generated buildspec: what a shell, CodeBuild and a reader of its log must be able to rely on.

That it builds, pushes and names an image is tested by playing whole pipelines; here is what no green
pipeline shows.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from the_sink.deploy.build_log import find_missing_runtime
from the_sink.naming import runtime_repository
from the_sink.sandbox.buildspec import Buildspec, parse_buildspec

BY_THE_PIPELINE = {
    *("AWS_REGION", "AWS_ACCOUNT_ID", "APP_NAME", "APP_ENV", "PLATFORM_ECR_REPOSITORY", "RUNTIME_VERSION"),
    *("ECR_REPOSITORY", "ECR_TAG", "SECRETS_DELIVERY", "PROMOTED_FROM"),
}
Play = Callable[..., list[str]]

NOT_EVERYWHERE = ["jq", "yq", "curl", "wget", "sha256sum", "realpath", "sudo", "pip", "bash"]
"""What CodeBuild's images have and one laptop or another has not."""


@pytest.fixture(scope="module")
def buildspec(app: Path) -> Buildspec:
    return parse_buildspec((app / "aws/buildspec.yaml").read_text())


@pytest.fixture(scope="module")
def commands(buildspec: Buildspec) -> list[str]:
    return [command for phase in buildspec.phases for command in (*phase.commands, *phase.finally_commands)]


def test_every_command_is_posix_shell(commands: list[str]) -> None:
    for command in commands:
        done = subprocess.run(["sh", "-n", "-c", command], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_no_failure_is_swallowed(commands: list[str]) -> None:
    """`export NAME=$(...)` succeeds whatever the command does, and some shells split what it printed."""
    assert not [command for command in commands if re.search(r"\bexport\s+\w+=", command)]


def test_no_program_is_used_that_a_laptop_may_lack(commands: list[str]) -> None:
    words = set(re.findall(r"[\w-]+", "\n".join(commands)))

    assert {"aws", "docker", "python3"} <= words
    assert words.isdisjoint(NOT_EVERYWHERE)


def test_every_variable_comes_from_the_pipeline_or_an_earlier_command(commands: list[str]) -> None:
    known = set(BY_THE_PIPELINE)
    for command in commands:
        known |= set(
            re.findall(r"(?:^|;\s*|then |elif |for |\) )\s*([A-Z_]+)(?:=| in )", command, re.MULTILINE)
        )
        known |= set(re.findall(r"&& ([A-Z_]+)=", command))
        used = set(re.findall(r"\$\{?([A-Z_]+)", re.sub(r"printf '[^']*'", "", command)))
        assert used <= known, command


def test_the_secret_never_stands_in_a_command(commands: list[str]) -> None:
    """It is caught in a variable that is handed on by name; an argument could be read by every process."""
    touching = [command for command in commands if re.search(r"\bSECRET\b|SINK_SECRET_CORE", command)]

    assert touching[0].startswith("SECRET=$(aws secretsmanager get-secret-value ")
    assert touching[1:4] == [
        "SECRET_VERSION=${SECRET%%[[:space:]]*}",
        "SINK_SECRET_CORE=${SECRET#*[[:space:]]}",
        "unset SECRET",
    ]
    assert touching[4] == "export SINK_SECRET_CORE"
    assert "-e SINK_SECRET_CORE " in touching[5]
    assert touching[6:] == ["unset SINK_SECRET_CORE"]
    assert not re.search(r"\$\{?SINK_SECRET_CORE", "\n".join(commands))


def test_what_may_fail_by_the_apps_fault_is_a_command_of_its_own(commands: list[str]) -> None:
    """CodeBuild names the command that failed, whole: one that begins with `if` would say nothing."""
    builds = [command for command in commands if "docker build" in command]

    assert [command.split(" docker build")[0] for command in builds] == [
        'test "$IS_BUILT" = yes || test -n "$PROMOTED" ||',
        'test "$KEEPS_CACHE" = no ||',
        'test "$SECRETS_DELIVERY" != image || test "$IS_BUILT" = yes ||',
        'test "$LACKS_SETTINGS" = no ||',
    ]
    assert [command for command in commands if "container-init check" in command] == [
        'docker run --rm ${SETTINGS:+-v "$SETTINGS"} "$IMAGE" container-init check'
    ]


def test_a_failed_build_pushes_nothing_and_leaves_no_settings(buildspec: Buildspec) -> None:
    build = next(phase for phase in buildspec.phases if phase.name == "build")

    assert build.on_failure == "ABORT"
    assert build.finally_commands == ('rm -rf "$ENV_FOLDER"',)
    assert not [command for command in build.commands if "docker push" in command]


class TestInputs:
    """The commands before the first AWS call, run by a shell in a release's folder."""

    @pytest.fixture
    def release(self, app: Path, tmp_path: Path) -> Path:
        (tmp_path / "aws").mkdir()
        for file in (app / "aws").glob("*.json"):
            (tmp_path / "aws" / file.name).write_bytes(file.read_bytes())
        (tmp_path / "release.json").write_text(json.dumps({"commit": "c0ffee", "template_version": "1.2.3"}))
        return tmp_path

    def run(self, commands: list[str], release: Path, env: str) -> dict[str, str]:
        first_call = next(index for index, command in enumerate(commands) if command.startswith("aws "))
        script = "\n".join(["set -e", *commands[:first_call], 'echo "$COMMIT $TEMPLATE_VERSION $RUNTIME"'])
        variables = {"AWS_ACCOUNT_ID": "123456789012", "AWS_REGION": "eu-west-1", "APP_ENV": env}
        variables |= {
            "PLATFORM_ECR_REPOSITORY": "runtime",
            "RUNTIME_VERSION": "3.11",
            "PATH": "/usr/bin:/bin",
        }
        done = subprocess.run(
            ["sh", "-c", script], cwd=release, env=variables, check=True, stdout=subprocess.PIPE, text=True
        )
        return dict(zip(("commit", "template", "runtime"), done.stdout.split(), strict=True))

    def test_the_configuration_of_the_environment_names_the_runtime(
        self, commands: list[str], release: Path
    ) -> None:
        """A change of RuntimeVersion takes effect in the build that carries it."""
        file = release / "aws/cfn-template-configuration-uat.json"
        file.write_text(file.read_text().replace('"3.13"', '"3.10"'))

        assert self.run(commands, release, "stage")["runtime"] == "3.13"
        assert self.run(commands, release, "uat") == {
            "commit": "c0ffee",
            "template": "1.2.3",
            "runtime": "3.10",
        }

    def test_a_configuration_without_a_runtime_leaves_it_to_the_pipeline(
        self, commands: list[str], release: Path
    ) -> None:
        file = release / "aws/cfn-template-configuration-stage.json"
        file.write_text('{"Parameters": {}}')

        assert self.run(commands, release, "stage")["runtime"] == "3.11"


DIGEST = "sha256:" + "d" * 64
SECRET_VALUE = '{"KEY": "a planted\\tsecret",\n "OTHER": "x"}'

TOOL = """#!/bin/sh
# Writes down how it was called, and answers what the test has put beside it.
echo "$(basename "$0") $*" >> "$CALLS/calls"
case "$*" in
  *get-login-password*) echo password ;;
  *get-secret-value*) printf 'version-1\\t'; cat "$CALLS/secret" ;;
  *"--repository-name runtime "*) echo "$DIGEST" ;;
  *batch-get-image*) cat "$CALLS/missing" ;;
  *describe-clusters*) cat "$CALLS/services" 2> /dev/null || exit 254 ;;
  *describe-images*) cat "$CALLS/images" 2> /dev/null || { cat "$CALLS/refusal" >&2; exit 254; } ;;
  *"container-init env"*) printf %s "$SINK_SECRET_CORE" > "$CALLS/handed-on" ;;
  *"login --username"*) cat > /dev/null ;;
  "push "*:cache-*) if [ -e "$CALLS/frozen" ]; then exit 1; fi ;;
  *the-sink.secrets-delivery*) cat "$CALLS/delivery" ;;
  inspect*) for last; do :; done; echo "base-of-${last##*@}" ;;
esac
"""


@pytest.fixture
def play(commands: list[str], tmp_path: Path) -> Play:
    """A function that plays all commands, by delivery and by the tags that the registry lacks."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("aws", "docker"):
        (folder / name).write_text(TOOL)
        (folder / name).chmod(0o755)
    (tmp_path / "release.json").write_text(json.dumps({"commit": "c0ffee", "template_version": "1.2.3"}))
    (tmp_path / "aws").mkdir(exist_ok=True)
    for env in ("stage", "uat"):
        (tmp_path / f"aws/cfn-template-configuration-{env}.json").write_text('{"Parameters": {}}')
    (tmp_path / "secret").write_text(SECRET_VALUE)
    (tmp_path / "services").write_text("1")
    (tmp_path / "delivery").write_text("image")

    def run(
        delivery: str, missing: str, shell: str = "sh", promoted_from: str = "", digest: str = DIGEST
    ) -> list[str]:
        (tmp_path / "missing").write_text(missing)
        (tmp_path / "calls").unlink(missing_ok=True)
        environment = {name: name.lower() for name in BY_THE_PIPELINE} | {
            "APP_NAME": "hello-sink",
            "APP_ENV": "uat" if promoted_from else "stage",
            "ECR_REPOSITORY": "hello-sink-uat" if promoted_from else "hello-sink-stage",
            "ECR_TAG": "latest",
            "PLATFORM_ECR_REPOSITORY": "runtime",
            "RUNTIME_VERSION": "3.13",
            "SECRETS_DELIVERY": delivery,
            "CALLS": str(tmp_path),
            "DIGEST": digest,
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        }
        # As a pipeline stack does: the variable is there only where releases come from another environment.
        del environment["PROMOTED_FROM"]
        environment |= {"PROMOTED_FROM": promoted_from} if promoted_from else {}
        script = "\n".join(["set -eu", *commands])
        subprocess.run([shell, "-c", script], cwd=tmp_path, env=environment, check=True)
        return (tmp_path / "calls").read_text().splitlines()

    return run


def tag_of(calls: list[str]) -> str:
    found = next(found for call in calls if (found := re.search(r"imageTag=(c0ffee-\w{8})", call)))
    return found[1]


class TestCalls:
    """Which calls a build makes: AWS's command line and docker written down, in place of a slow cloud."""

    @pytest.mark.parametrize("delivery", ["task", "image"])
    def test_the_runtime_is_taken_by_the_digest_that_the_tag_names(self, play: Play, delivery: str) -> None:
        """A publish in between moves the runtime's tag: the image must be made from what its own tag says."""
        calls = play(delivery, "")
        fresh = play(delivery, f"{tag_of(calls)}\tlatest")

        bases = {found[1] for call in fresh if (found := re.search(r"--build-arg FROM=(\S+)", call))}
        assert {base for base in bases if "hello-sink-stage" not in base} == {
            f"aws_account_id.dkr.ecr.aws_region.amazonaws.com/runtime@{DIGEST}"
        }
        assert not [call for call in fresh if "runtime:3.13" in call and "base.name" not in call]
        pulled = [call for call in fresh if call.startswith("docker pull")]
        assert pulled == [f"docker pull aws_account_id.dkr.ecr.aws_region.amazonaws.com/runtime@{DIGEST}"]

    @pytest.mark.parametrize("shell", ["sh", "bash"])
    def test_the_secret_reaches_the_runtime_whole_and_no_argument(
        self, play: Play, tmp_path: Path, shell: str
    ) -> None:
        calls = play("task", "", shell)

        assert (tmp_path / "handed-on").read_text() == SECRET_VALUE
        assert not [call for call in calls if "planted" in call]

    def test_a_build_asks_aws_five_times(self, play: Play) -> None:
        """Each call of the command line costs the better part of a second."""
        assert [call.split()[:3] for call in play("task", "") if call.startswith("aws ")] == [
            ["aws", "ecr", "get-login-password"],
            ["aws", "ecr", "batch-get-image"],
            ["aws", "secretsmanager", "get-secret-value"],
            ["aws", "ecr", "batch-get-image"],
            ["aws", "ecs", "describe-clusters"],
        ]

    def test_what_is_in_the_registry_is_neither_built_nor_pushed(self, play: Play) -> None:
        calls = play("task", "None")

        assert [call.split()[1] for call in calls if call.startswith("docker ")] == [
            *("login", "pull", "run", "pull", "run")
        ]

    def test_the_moving_tag_is_pushed_only_where_there_is_none(self, play: Play) -> None:
        tag = tag_of(play("task", ""))

        def pushed(missing: str) -> list[str]:
            return [call.rpartition(":")[2] for call in play("task", missing) if "docker push" in call]

        assert pushed(f"{tag}\tlatest") == [tag, "latest"]
        assert pushed(f"latest\t{tag}") == [tag, "latest"]
        assert pushed(tag) == [tag]
        assert pushed("latest") == ["latest"]

    def test_the_moving_tag_of_a_release_that_never_served_moves_on(self, play: Play, tmp_path: Path) -> None:
        """The stack's first task runs it: a first release that failed could not be mended otherwise."""
        tag = tag_of(play("task", ""))

        def pushed(missing: str, services: str) -> list[str]:
            (tmp_path / "services").write_text(services)
            return [call.rpartition(":")[2] for call in play("task", missing) if "docker push" in call]

        assert pushed(tag, "0") == [tag, "latest"]
        assert pushed("", "0") == ["latest"]
        assert pushed(tag, "1") == [tag]

    def test_a_role_that_may_not_ask_for_services_leaves_the_moving_tag(
        self, play: Play, tmp_path: Path
    ) -> None:
        """The pipeline of an environment is older than its app's files until it is bootstrapped again."""
        tag = tag_of(play("task", ""))
        (tmp_path / "services").unlink()

        assert [call.rpartition(":")[2] for call in play("task", tag) if "docker push" in call] == [tag]

    def test_settings_are_lent_to_the_check_or_lie_in_the_image(self, play: Play) -> None:
        def checked(delivery: str) -> str:
            call = next(call for call in play(delivery, "") if "container-init check" in call)
            return re.sub(r"-v \S*?/\.env:", "-v .env:", call).split(" aws_account_id")[0]

        assert checked("task") == "docker run --rm -v .env:/app/.env:ro"
        assert checked("image") == "docker run --rm"

    def test_settings_come_as_a_secret_and_neither_as_an_argument_nor_as_a_context(
        self, play: Play, tmp_path: Path
    ) -> None:
        """A builder keeps what it copies from; a secret it keeps nowhere."""
        (tmp_path / "delivery").write_text("")
        tag = tag_of(play("image", ""))
        builds = {
            name: next(call for call in calls if call.startswith("docker build --no-cache "))
            for name, calls in (("release", play("image", tag)), ("moving", play("image", tag)[::-1]))
        }

        for call in builds.values():
            found = re.search(r" --secret id=env,src=(\S+)/\.env ", call)
            assert found
            assert call.endswith(f" {found[1]}/adding-settings")
            assert not re.search(r"--build-arg (?!FROM=)", call)
        assert f" -t {STAGE}:{tag} " in builds["release"]
        assert f" -t {STAGE}:latest " in builds["moving"]

    def test_a_python_that_the_platform_has_not_is_one_sentence(
        self, play: Play, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(subprocess.CalledProcessError):
            play("task", "", digest="None")

        assert capfd.readouterr().err == (
            "The platform has no runtime image for Python 3.13, which "
            "aws/cfn-template-configuration-stage.json asks for. "
            "In the platform's repository: invoke runtimes.publish --runtime 3.13 --architecture X86_64\n"
        )

    @pytest.mark.parametrize(
        ("platform", "architecture"), [("the-sink", "ARM64"), ("plant-arm64", "X86_64"), ("plant", "ARM64")]
    )
    def test_that_sentence_names_the_processor_and_deploy_understands_it(
        self, commands: list[str], platform: str, architecture: str
    ) -> None:
        (check,) = (command for command in commands if "no runtime image" in command)
        repository = runtime_repository(platform, architecture)
        setting = f"FROM_DIGEST=None RUNTIME=3.13 CONFIGURATION=c PLATFORM_ECR_REPOSITORY={repository}"

        done = subprocess.run(
            ["sh", "-c", f"{setting}\n{check}"], check=False, capture_output=True, text=True
        )

        assert done.returncode == 1
        assert find_missing_runtime(done.stderr.splitlines()) == ("3.13", f" --architecture {architecture}")

    @pytest.mark.parametrize("shell", ["sh", "bash"])
    def test_the_release_that_serves_gets_its_settings_before_its_stack_takes_them_away(
        self, play: Play, tmp_path: Path, shell: str
    ) -> None:
        """The app has changed to the delivery "image": the next task runs what the moving tag names."""
        tag = tag_of(play("image", "None"))

        def moving(delivery: str, missing: str) -> list[str]:
            (tmp_path / "delivery").write_text(delivery)
            calls = [call for call in play("image", missing, shell) if call.startswith("docker ")]
            return [call.split()[1] for call in calls if f"{STAGE}:latest" in call]

        assert moving("", tag) == ["pull", "inspect", "inspect", "build", "push"]
        assert moving("image", tag) == ["pull", "inspect", "inspect"]
        assert moving("", "None") == []
        assert moving("", f"{tag}\tlatest") == ["tag", "push"]

    def test_labels_say_what_an_image_is_made_of(self, play: Play) -> None:
        build = next(call for call in play("task", tag_of(play("task", ""))) if " --label " in call)

        assert re.findall(r"--label (\S+)=(\S+)", build) == [
            ("org.opencontainers.image.title", "hello-sink"),
            ("org.opencontainers.image.revision", "c0ffee"),
            (
                "org.opencontainers.image.base.name",
                "aws_account_id.dkr.ecr.aws_region.amazonaws.com/runtime:3.13",
            ),
            ("org.opencontainers.image.base.digest", DIGEST),
            ("the-sink.template-version", "1.2.3"),
        ]

    def test_with_settings_inside_the_tag_names_the_secret_too(self, play: Play) -> None:
        assert tag_of(play("task", "")) != tag_of(play("image", ""))


class TestCache:
    """The layers of the dependencies, kept in the registry for the next host."""

    @pytest.fixture(autouse=True)
    def sources(self, tmp_path: Path) -> None:
        """What a build is made of, as far as its cache is concerned."""
        (tmp_path / "app").mkdir()
        (tmp_path / "aws").mkdir(exist_ok=True)
        (tmp_path / "app/requirements.lock").write_text("flask==3.1.0\n")
        (tmp_path / "aws/Dockerfile").write_text("FROM x\n")

    def cache_of(self, calls: list[str]) -> str:
        return next(found[1] for call in calls if (found := re.search(r"imageTag=(cache-\w{16})", call)))

    def builds(self, calls: list[str]) -> list[str]:
        return [call for call in calls if call.startswith("docker build ")]

    def test_a_build_takes_its_layers_from_there_and_writes_none(self, play: Play) -> None:
        calls = play("task", tag_of(play("task", "")))

        assert len(self.builds(calls)) == 1
        assert f" --cache-from {STAGE}:{self.cache_of(calls)} " in self.builds(calls)[0]
        assert not [
            call for call in calls if "INLINE_CACHE" in call or ("push" in call and ":cache-" in call)
        ]

    @pytest.mark.parametrize("delivery", ["task", "image"])
    def test_the_first_build_writes_it_of_the_image_without_settings(self, play: Play, delivery: str) -> None:
        first = play(delivery, "")
        tag, cache = tag_of(first), self.cache_of(first)

        calls = play(delivery, f"{tag}\t{cache}")

        release, kept, *settings = self.builds(calls)
        assert f" -t {STAGE}:{tag} " in release
        assert "--cache-from" not in release
        assert kept.startswith("docker build --quiet --provenance=false -f aws/Dockerfile ")
        assert f" -t {STAGE}:{cache} --build-arg BUILDKIT_INLINE_CACHE=1 " in kept
        assert kept.endswith("@" + DIGEST + " .")
        assert len(settings) == (delivery == "image")
        assert [call for call in calls if " push " in call] == [
            f"docker push {STAGE}:{tag}",
            f"docker push {STAGE}:{cache}",
        ]

    def test_one_that_cannot_be_written_fails_no_build(
        self, play: Play, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Two builds may begin at once, and the tag of the one that comes later is there already."""
        (tmp_path / "frozen").touch()
        first = play("task", "")

        play("task", f"{tag_of(first)}\t{self.cache_of(first)}")

        assert "was not written; a build that finds none" in capfd.readouterr().out

    @pytest.mark.parametrize("change", ["app/requirements.lock", "aws/Dockerfile", "FROM_DIGEST"])
    def test_it_is_named_by_what_the_dependencies_are_made_of(
        self, commands: list[str], tmp_path: Path, change: str
    ) -> None:
        command = next(command for command in commands if command.startswith("CACHE_TAG="))

        def name(digest: str = DIGEST) -> str:
            script = f'set -eu\n{command}\necho "$CACHE_TAG"'
            done = subprocess.run(
                ["sh", "-c", script],
                cwd=tmp_path,
                env={"PATH": os.environ["PATH"], "FROM_DIGEST": digest},
                check=True,
                capture_output=True,
                text=True,
            )
            return done.stdout.strip()

        before = name()
        (tmp_path / "app/main.py").write_text("print()\n")
        assert name() == before
        if change != "FROM_DIGEST":
            (tmp_path / change).write_text("changed\n")
        assert name("other" if change == "FROM_DIGEST" else DIGEST) != before

    def test_what_is_not_built_writes_none(self, play: Play) -> None:
        cache = self.cache_of(play("task", ""))

        assert not self.builds(play("task", cache))


STAGE = "aws_account_id.dkr.ecr.aws_region.amazonaws.com/hello-sink-stage"
UAT = "aws_account_id.dkr.ecr.aws_region.amazonaws.com/hello-sink-uat"


def made(digest: str, *beside: str) -> str:
    """The tag of an image that ``TOOL`` has: its commit, and a hash of what it was made from."""
    inputs = " ".join([f"base-of-{digest}", *beside])
    return f"c0ffee-{hashlib.sha256(inputs.encode()).hexdigest()[:8]}"


ONE, TWO = made("sha256:1"), made("sha256:2")


class TestPromotion:
    """What a build does where its release comes from another environment."""

    def images(self, folder: Path, *found: tuple[str, str, list[str]]) -> None:
        """Let the other environment's repository hold these: digest, time of the push, tags."""
        (folder / "images").write_text(json.dumps(found))

    def docker(self, calls: list[str]) -> list[str]:
        """What docker was asked for, from the release's own image on."""
        return [call.removeprefix("docker ") for call in calls if call.startswith("docker ")][3:]

    @pytest.mark.parametrize("shell", ["sh", "bash"])
    def test_the_image_that_ran_before_is_taken_over(
        self, play: Play, tmp_path: Path, shell: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """By its digest, under the same tag; of several of the commit the one that deployed well."""
        self.images(
            tmp_path,
            ("sha256:1", "2026-11-01T10:00:00+00:00", [ONE, "latest"]),
            ("sha256:2", "2026-11-02T10:00:00+00:00", [TWO]),
            ("sha256:3", "2026-11-03T10:00:00+00:00", ["0badc0de-33333333"]),
        )

        calls = play("task", f"{ONE}\tlatest", shell, promoted_from="stage")

        pull, look, tag, check, *pushes = self.docker(calls)
        assert pull == f"pull {STAGE}@sha256:1"
        assert look.endswith(f"{STAGE}@sha256:1")
        assert tag == f"tag {STAGE}@sha256:1 {UAT}:{ONE}"
        assert check.endswith(f"{UAT}:{ONE} container-init check")
        assert pushes == [
            f"push {UAT}:{ONE}",
            f"tag {UAT}:{ONE} {UAT}:latest",
            f"push {UAT}:latest",
        ]
        assert f"{UAT}:{ONE}" in (tmp_path / "imagedefinitions.json").read_text()
        said = capfd.readouterr().out.splitlines()
        assert said == ["Taking over sha256:1 from hello-sink-stage: nothing is built."]

    def test_where_none_deployed_well_the_newest_is_taken(self, play: Play, tmp_path: Path) -> None:
        self.images(
            tmp_path,
            ("sha256:2", "2026-11-02T10:00:00+00:00", [TWO]),
            ("sha256:1", "2026-11-01T10:00:00+00:00", [ONE]),
        )

        calls = play("task", TWO, promoted_from="stage")

        assert self.docker(calls)[0] == f"pull {STAGE}@sha256:2"

    def test_what_was_taken_over_already_is_not_pushed_again(
        self, play: Play, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        self.images(tmp_path, ("sha256:1", "2026-11-01T10:00:00+00:00", [ONE]))

        calls = play("task", "None", promoted_from="stage")

        assert [call.split()[0] for call in self.docker(calls)] == ["pull", "inspect", "pull", "run"]
        assert self.docker(calls)[2] == f"pull {UAT}:{ONE}"
        said = capfd.readouterr().out.splitlines()
        assert said == [f"{UAT}:{ONE} is in the registry already."]

    def test_without_such_an_image_it_is_built_and_the_log_says_why(
        self, play: Play, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        self.images(tmp_path, ("sha256:3", "2026-11-03T10:00:00+00:00", ["0badc0de-33333333"]))

        calls = play("task", "", promoted_from="stage")
        fresh = play("task", tag_of(calls), promoted_from="stage")

        assert self.docker(fresh)[0].startswith("build ")
        assert "hello-sink-stage has no image of c0ffee: building it." in capfd.readouterr().out

    def test_where_there_is_no_such_registry_it_is_built(
        self, play: Play, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """The environment before was destroyed, say: its releases' archives are still there."""
        (tmp_path / "refusal").write_text("An error occurred (RepositoryNotFoundException) when …")

        calls = play("task", "", promoted_from="stage")
        fresh = play("task", tag_of(calls), promoted_from="stage")

        assert self.docker(fresh)[0].startswith("build ")
        assert "There is no repository hello-sink-stage: building it." in capfd.readouterr().out

    def test_where_that_registry_cannot_be_read_nothing_else_is_built(
        self, play: Play, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Another image than the one that was tested would go on to prod, and look well."""
        (tmp_path / "refusal").write_text("An error occurred (AccessDeniedException) when …\n")

        with pytest.raises(subprocess.CalledProcessError):
            play("task", "", promoted_from="stage")

        assert capfd.readouterr().err.splitlines()[-2:] == [
            "An error occurred (AccessDeniedException) when …",
            "The images of hello-sink-stage cannot be read, and uat takes over what runs there.",
        ]
        assert "docker build" not in (tmp_path / "calls").read_text()

    def test_an_image_that_may_hold_the_other_environments_secret_stays_there(
        self, play: Play, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """It was made before the app changed from the delivery "image" to "task"."""
        self.images(
            tmp_path, ("sha256:1", "2026-11-01T10:00:00+00:00", [made("sha256:1", "version-1"), "latest"])
        )

        own = tag_of(play("task", "", promoted_from="stage"))
        fresh = play("task", own, promoted_from="stage")

        assert [call.split()[0] for call in self.docker(fresh)] == ["pull", "inspect", "build", "run", "push"]
        assert self.docker(fresh)[-1] == f"push {UAT}:{own}"
        assert own == f"c0ffee-{hashlib.sha256(DIGEST.encode()).hexdigest()[:8]}"
        said = "The image of c0ffee in hello-sink-stage may have settings inside: building it."
        assert said in capfd.readouterr().out

    def test_on_another_python_it_is_built(
        self, play: Play, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        configuration = tmp_path / "aws/cfn-template-configuration-uat.json"
        configuration.write_text('{"Parameters": {"RuntimeVersion": "3.11"}}')

        calls = play("task", "", promoted_from="stage")

        assert not [call for call in calls if "describe-images" in call]
        assert "stage runs on Python 3.13, uat on 3.11: building it." in capfd.readouterr().out

    def test_with_settings_inside_nothing_is_taken_over(self, play: Play) -> None:
        """Such an image holds the other environment's secrets."""
        calls = play("image", "", promoted_from="stage")

        assert not [call for call in calls if "hello-sink-stage" in call]
