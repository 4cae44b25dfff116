"""What a build does where its release comes from another environment."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from .conftest import DIGEST, STAGE, UAT, Play, tag_of

pytestmark = pytest.mark.long  # a further combination of what the journey walks


def made(digest: str, *beside: str) -> str:
    """The tag of an image that ``TOOL`` has: its commit, and a hash of what it was made from."""
    inputs = " ".join([f"base-of-{digest}", *beside])
    return f"c0ffee-{hashlib.sha256(inputs.encode()).hexdigest()[:8]}"


ONE, TWO = made("sha256:1"), made("sha256:2")


def images(folder: Path, *found: tuple[str, str, list[str]]) -> None:
    """Let the other environment's repository hold these: digest, time of the push, tags."""
    (folder / "images").write_text(json.dumps(found))


def docker(calls: list[str]) -> list[str]:
    """What docker was asked for, from the release's own image on."""
    return [call.removeprefix("docker ") for call in calls if call.startswith("docker ")][3:]


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_image_that_ran_before_is_taken_over(
    play: Play, tmp_path: Path, shell: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """By its digest, under the same tag; of several of the commit the one that deployed well."""
    images(
        tmp_path,
        ("sha256:1", "2026-11-01T10:00:00+00:00", [ONE, "latest"]),
        ("sha256:2", "2026-11-02T10:00:00+00:00", [TWO]),
        ("sha256:3", "2026-11-03T10:00:00+00:00", ["0badc0de-33333333"]),
    )

    calls = play("task", f"{ONE}\tlatest", shell, promoted_from="stage")

    pull, look, tag, check, *pushes = docker(calls)
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


def test_where_none_deployed_well_the_newest_is_taken(play: Play, tmp_path: Path) -> None:
    images(
        tmp_path,
        ("sha256:2", "2026-11-02T10:00:00+00:00", [TWO]),
        ("sha256:1", "2026-11-01T10:00:00+00:00", [ONE]),
    )

    calls = play("task", TWO, promoted_from="stage")

    assert docker(calls)[0] == f"pull {STAGE}@sha256:2"


def test_what_was_taken_over_already_is_not_pushed_again(
    play: Play, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    images(tmp_path, ("sha256:1", "2026-11-01T10:00:00+00:00", [ONE]))

    calls = play("task", "None", promoted_from="stage")

    assert [call.split()[0] for call in docker(calls)] == ["pull", "inspect", "pull", "run"]
    assert docker(calls)[2] == f"pull {UAT}:{ONE}"
    said = capfd.readouterr().out.splitlines()
    assert said == [f"{UAT}:{ONE} is in the registry already."]


def test_without_such_an_image_it_is_built_and_the_log_says_why(
    play: Play, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    images(tmp_path, ("sha256:3", "2026-11-03T10:00:00+00:00", ["0badc0de-33333333"]))

    calls = play("task", "", promoted_from="stage")
    fresh = play("task", tag_of(calls), promoted_from="stage")

    assert docker(fresh)[0].startswith("build ")
    assert "hello-sink-stage has no image of c0ffee: building it." in capfd.readouterr().out


def test_where_there_is_no_such_registry_it_is_built(
    play: Play, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The environment before was destroyed, say: its releases' archives are still there."""
    (tmp_path / "refusal").write_text("An error occurred (RepositoryNotFoundException) when …")

    calls = play("task", "", promoted_from="stage")
    fresh = play("task", tag_of(calls), promoted_from="stage")

    assert docker(fresh)[0].startswith("build ")
    assert "There is no repository hello-sink-stage: building it." in capfd.readouterr().out


def test_where_that_registry_cannot_be_read_nothing_else_is_built(
    play: Play, tmp_path: Path, capfd: pytest.CaptureFixture[str]
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
    play: Play, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It was made before the app changed from the delivery "image" to "task"."""
    images(tmp_path, ("sha256:1", "2026-11-01T10:00:00+00:00", [made("sha256:1", "version-1"), "latest"]))

    own = tag_of(play("task", "", promoted_from="stage"))
    fresh = play("task", own, promoted_from="stage")

    assert [call.split()[0] for call in docker(fresh)] == ["pull", "inspect", "build", "run", "push"]
    assert docker(fresh)[-1] == f"push {UAT}:{own}"
    assert own == f"c0ffee-{hashlib.sha256(DIGEST.encode()).hexdigest()[:8]}"
    said = "The image of c0ffee in hello-sink-stage may have settings inside: building it."
    assert said in capfd.readouterr().out


def test_on_another_python_it_is_built(play: Play, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    configuration = tmp_path / "aws/cfn-template-configuration-uat.json"
    configuration.write_text('{"Parameters": {"RuntimeVersion": "3.11"}}')

    calls = play("task", "", promoted_from="stage")

    assert not [call for call in calls if "describe-images" in call]
    assert "stage runs on Python 3.13, uat on 3.11: building it." in capfd.readouterr().out


def test_with_settings_inside_nothing_is_taken_over(play: Play) -> None:
    """Such an image holds the other environment's secrets."""
    calls = play("image", "", promoted_from="stage")

    assert not [call for call in calls if "hello-sink-stage" in call]
