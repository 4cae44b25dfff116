"""The layers of the dependencies, kept in the registry for the next host."""

from __future__ import annotations

import contextlib

import pytest

from sink_build.tags import cache_tag

from .conftest import RUNTIME, Host


def cache_of(host: Host, digest: str = RUNTIME) -> str:
    with contextlib.chdir(host.sources):
        return cache_tag(digest)


def builds(calls: list[str]) -> list[str]:
    return [call for call in calls if call.startswith("build ")]


@pytest.fixture(autouse=True)
def serving(host: Host) -> None:
    host.tags("stage")["latest"] = "sha256:before"


def test_a_build_takes_its_layers_from_there_and_writes_none(host: Host) -> None:
    host.tags("stage")[cache_of(host)] = "sha256:cache"

    calls = host.docker()

    (build,) = builds(calls)
    assert f" --cache-from hello-sink-stage:{cache_of(host)} " in build
    assert not [
        call for call in calls if "INLINE_CACHE" in call or call.startswith("push hello-sink-stage:cache")
    ]


@pytest.mark.parametrize("delivery", ["task", "image"])
def test_the_first_build_writes_it_of_the_image_without_settings(host: Host, delivery: str) -> None:
    cache = cache_of(host)
    host.labelled("hello-sink-stage:latest")

    calls = host.deliver(delivery).docker()

    release, kept, *settings = builds(calls)
    assert f" -t {host.image()} " in release
    assert "--cache-from" not in release
    assert kept == (
        f"build --quiet --provenance=false -f aws/Dockerfile -t hello-sink-stage:{cache} "
        f"--build-arg BUILDKIT_INLINE_CACHE=1 --build-arg FROM=runtime@{RUNTIME} ."
    )
    assert len(settings) == (delivery == "image")
    assert [call for call in calls if call.startswith("push ")] == [
        f"push {host.image()}",
        f"push hello-sink-stage:{cache}",
    ]


@pytest.mark.parametrize(
    "part", ["push 123456789012.dkr.ecr.eu-west-1.amazonaws.com/hello-sink-stage:cache-"]
)
def test_one_that_cannot_be_written_fails_no_build(host: Host, part: str) -> None:
    """Two builds may begin at once, and the tag of the one that comes later is there already."""
    host.state["failing"] = {part: 1}

    host.run()

    assert host.codes == [0, 0, 0, 0]
    assert "was not written; a build that finds none installs the dependencies itself." in host.out


def test_one_that_cannot_be_made_is_not_pushed(host: Host) -> None:
    host.state["failing"] = {"INLINE_CACHE": 1}

    calls = host.docker()

    assert host.codes == [0, 0, 0, 0]
    assert [call for call in calls if call.startswith("push ")] == [f"push {host.image()}"]


@pytest.mark.parametrize("change", ["app/requirements.lock", "aws/Dockerfile", "runtime"])
def test_it_is_named_by_what_the_dependencies_are_made_of(host: Host, change: str) -> None:
    before = cache_of(host)
    (host.sources / "app/main.py").write_text("print()\n")
    assert cache_of(host) == before
    if change != "runtime":
        (host.sources / change).write_text("changed\n")
    assert cache_of(host, "sha256:other" if change == "runtime" else RUNTIME) != before


def test_an_app_without_a_lock_has_one_too(host: Host) -> None:
    (host.sources / "app/requirements.lock").unlink()

    assert cache_of(host).startswith("cache-")


def test_what_is_not_built_writes_none(host: Host) -> None:
    host.run()
    tag = host.image().partition(":")[2]
    host.tags("stage")[tag] = "sha256:1"
    host.has_admitted("stage", "sha256:1")

    assert not builds(host.docker())
