"""What a build does where its release comes from another environment."""

from __future__ import annotations

import pytest

from sink_build.tags import release_tag

from .conftest import COMMIT, RUNTIME, Host


@pytest.fixture
def uat(host: Host) -> Host:
    host.tags("uat")["latest"] = "sha256:before"
    return host.promote()


def released(
    host: Host, digest: str, *beside: str, at: str = "2026-11-02T10:00:00Z", suffix: str = ""
) -> str:
    """Let stage have deployed an image of the commit; return its tag."""
    base = f"base-of-{digest}"
    tag = release_tag(COMMIT, base, *beside) + suffix
    host.has_released("stage", tag, digest, at)
    host.labelled(f"hello-sink-stage@{digest}", **{"org.opencontainers.image.base.digest": base})
    return tag


def test_the_image_that_deployed_well_before_is_taken_over(uat: Host) -> None:
    """By its digest, under the same tag; of several of the commit the last."""
    released(uat, "sha256:2", at="2026-11-01T10:00:00Z")
    tag = released(uat, "sha256:1", at="2026-11-02T10:00:00Z")

    calls = uat.docker()

    assert uat.codes == [0, 0, 0, 0], uat.err
    assert calls[0] == "pull hello-sink-stage@sha256:1"
    assert calls[1].startswith("inspect ")
    assert calls[2] == f"tag hello-sink-stage@sha256:1 hello-sink-uat:{tag}"
    assert calls[3].endswith(f"hello-sink-uat:{tag} container-init check")
    assert calls[4:] == [f"push hello-sink-uat:{tag}"]
    assert uat.image() == f"hello-sink-uat:{tag}"
    assert "Taking over sha256:1 from hello-sink-stage: nothing is built." in uat.out


def test_an_image_that_is_only_in_the_registry_is_not(uat: Host) -> None:
    """Whoever may push there may push anything; the ledger is the pipeline's alone."""
    uat.tags("stage")[release_tag(COMMIT, "base-of-sha256:1")] = "sha256:1"

    assert uat.docker()[0].startswith("build ")
    assert f"The ledger of stage names no image of {COMMIT}: building it." in uat.out


def test_what_was_taken_over_already_is_not_pushed_again(uat: Host) -> None:
    tag = released(uat, "sha256:1")
    uat.tags("uat")[tag] = "sha256:1"

    assert [call.split()[0] for call in uat.docker()] == ["pull", "inspect", "pull", "run"]
    assert f"hello-sink-uat:{tag} is in the registry already." in uat.short(uat.out)


def test_what_was_packed_anew_and_admitted_counts_as_taken_over(uat: Host) -> None:
    tag = released(uat, "sha256:1")
    uat.tags("uat")[tag] = "sha256:repacked"
    uat.has_admitted("uat", "sha256:repacked")

    assert [call.split()[0] for call in uat.docker()] == ["pull", "inspect", "pull", "run"]


def test_what_somebody_put_under_its_tag_is_passed_by(uat: Host) -> None:
    tag = released(uat, "sha256:1")
    uat.tags("uat")[tag] = "sha256:planted"

    calls = uat.docker()

    assert calls[2] == f"tag hello-sink-stage@sha256:1 hello-sink-uat:{tag}-2"
    assert uat.image() == f"hello-sink-uat:{tag}-2"


def test_an_image_under_a_further_tag_is_taken_over_too(uat: Host) -> None:
    tag = released(uat, "sha256:1", suffix="-2")

    assert f"tag hello-sink-stage@sha256:1 hello-sink-uat:{tag}" in uat.docker()


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("repository", "There is no repository hello-sink-stage: building it."),
        ("image", "hello-sink-stage no longer has the image sha256:1: building it."),
    ],
)
def test_where_the_image_is_gone_it_is_built(uat: Host, gone: str, said: str) -> None:
    """The environment before was destroyed, say: its releases' archives are still there."""
    released(uat, "sha256:1")
    if gone == "repository":
        del uat.state["repositories"]["hello-sink-stage"]
    else:
        uat.tags("stage").clear()

    assert uat.docker()[0].startswith("build ")
    assert said in uat.out


@pytest.mark.parametrize(
    "part", ["--prefix releases/hello-sink/stage/", "--repository-name hello-sink-stage "]
)
def test_where_it_cannot_be_read_nothing_else_is_built(uat: Host, part: str) -> None:
    """Another image than the one that was tested would go on to prod, and look well."""
    released(uat, "sha256:1")
    uat.state["refused"] = {part: "AccessDeniedException"}

    calls = uat.run()

    assert uat.codes == [0, 0, 1]
    assert uat.err == (
        f"sink-build image: What stage has deployed of {COMMIT} cannot be read, and uat takes over what runs "
        "there: An error occurred (AccessDeniedException) when calling the Call operation: not today. Bring "
        "the pipeline up to date: invoke bootstrap --env uat; then deploy again.\n"
    )
    assert not [call for call in calls if call.startswith("docker build")]


def test_an_image_that_may_hold_the_other_environments_secret_stays_there(uat: Host) -> None:
    """It was made before the app changed from the delivery "image" to "task"."""
    released(uat, "sha256:1", "version-1")

    calls = uat.docker()

    own = release_tag(COMMIT, RUNTIME)
    assert [call.split()[0] for call in calls[:3]] == ["pull", "inspect", "build"]
    assert f"push hello-sink-uat:{own}" in calls
    assert f"The image of {COMMIT} in hello-sink-stage may have settings inside: building it." in uat.out


def test_on_another_python_it_is_built(uat: Host) -> None:
    configuration = uat.sources / "aws/cfn-template-configuration-uat.json"
    configuration.write_text('{"Parameters": {"RuntimeVersion": "3.11"}}')
    uat.state["repositories"]["runtime"]["3.11"] = "sha256:eleven"

    calls = uat.run()

    assert not [call for call in calls if "releases/" in call]
    assert "stage runs on Python 3.13, uat on 3.11: building it." in uat.out


def test_with_settings_inside_nothing_is_taken_over(uat: Host) -> None:
    """Such an image holds the other environment's secrets."""
    calls = uat.deliver("image").run()

    assert not [call for call in calls if "hello-sink-stage" in call or "releases/" in call]
