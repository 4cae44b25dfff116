"""Which calls a build makes of AWS and of docker."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from the_sink.diagnosis.build_log import find_missing_runtime
from the_sink.naming import runtime_repository

from .conftest import DIGEST, SECRET_VALUE, STAGE, Play, tag_of

pytestmark = pytest.mark.long  # a further combination of what the journey walks


@pytest.mark.parametrize("delivery", ["task", "image"])
def test_the_runtime_is_taken_by_the_digest_that_the_tag_names(play: Play, delivery: str) -> None:
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
def test_the_secret_reaches_the_runtime_whole_and_no_argument(play: Play, tmp_path: Path, shell: str) -> None:
    calls = play("task", "", shell)

    assert (tmp_path / "handed-on").read_text() == SECRET_VALUE
    assert not [call for call in calls if "planted" in call]


def test_a_build_asks_aws_five_times(play: Play) -> None:
    """Each call of the command line costs the better part of a second."""
    assert [call.split()[:3] for call in play("task", "") if call.startswith("aws ")] == [
        ["aws", "ecr", "get-login-password"],
        ["aws", "ecr", "batch-get-image"],
        ["aws", "secretsmanager", "get-secret-value"],
        ["aws", "ecr", "batch-get-image"],
        ["aws", "ecs", "describe-clusters"],
    ]


def test_what_is_in_the_registry_is_neither_built_nor_pushed(play: Play) -> None:
    calls = play("task", "None")

    assert [call.split()[1] for call in calls if call.startswith("docker ")] == [
        *("login", "pull", "run", "pull", "run")
    ]


def test_the_moving_tag_is_pushed_only_where_there_is_none(play: Play) -> None:
    tag = tag_of(play("task", ""))

    def pushed(missing: str) -> list[str]:
        return [call.rpartition(":")[2] for call in play("task", missing) if "docker push" in call]

    assert pushed(f"{tag}\tlatest") == [tag, "latest"]
    assert pushed(f"latest\t{tag}") == [tag, "latest"]
    assert pushed(tag) == [tag]
    assert pushed("latest") == ["latest"]


def test_the_moving_tag_of_a_release_that_never_served_moves_on(play: Play, tmp_path: Path) -> None:
    """The stack's first task runs it: a first release that failed could not be mended otherwise."""
    tag = tag_of(play("task", ""))

    def pushed(missing: str, services: str) -> list[str]:
        (tmp_path / "services").write_text(services)
        return [call.rpartition(":")[2] for call in play("task", missing) if "docker push" in call]

    assert pushed(tag, "0") == [tag, "latest"]
    assert pushed("", "0") == ["latest"]
    assert pushed(tag, "1") == [tag]


def test_a_role_that_may_not_ask_for_services_leaves_the_moving_tag(play: Play, tmp_path: Path) -> None:
    """The pipeline of an environment is older than its app's files until it is bootstrapped again."""
    tag = tag_of(play("task", ""))
    (tmp_path / "services").unlink()

    assert [call.rpartition(":")[2] for call in play("task", tag) if "docker push" in call] == [tag]


def test_settings_are_lent_to_the_check_or_lie_in_the_image(play: Play) -> None:
    def checked(delivery: str) -> str:
        call = next(call for call in play(delivery, "") if "container-init check" in call)
        return re.sub(r"-v \S*?/\.env:", "-v .env:", call).split(" aws_account_id")[0]

    assert checked("task") == "docker run --rm -v .env:/app/.env:ro"
    assert checked("image") == "docker run --rm"


def test_settings_come_as_a_secret_and_neither_as_an_argument_nor_as_a_context(
    play: Play, tmp_path: Path
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


def test_settings_of_an_empty_secret_are_no_empty_file(play: Play, tmp_path: Path) -> None:
    """``{}``, which a new pipeline has: Docker before 23 would mount nothing."""
    play("image", tag_of(play("image", "")))

    assert (tmp_path / "lent").read_text() == "\n"


def test_a_python_that_the_platform_has_not_is_one_sentence(
    play: Play, capfd: pytest.CaptureFixture[str]
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
    commands: list[str], platform: str, architecture: str
) -> None:
    (check,) = (command for command in commands if "no runtime image" in command)
    repository = runtime_repository(platform, architecture)
    setting = f"FROM_DIGEST=None RUNTIME=3.13 CONFIGURATION=c PLATFORM_ECR_REPOSITORY={repository}"

    done = subprocess.run(["sh", "-c", f"{setting}\n{check}"], check=False, capture_output=True, text=True)

    assert done.returncode == 1
    assert find_missing_runtime(done.stderr.splitlines()) == ("3.13", f" --architecture {architecture}")


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_release_that_serves_gets_its_settings_before_its_stack_takes_them_away(
    play: Play, tmp_path: Path, shell: str
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


def test_labels_say_what_an_image_is_made_of(play: Play) -> None:
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


def test_with_settings_inside_the_tag_names_the_secret_too(play: Play) -> None:
    assert tag_of(play("task", "")) != tag_of(play("image", ""))
