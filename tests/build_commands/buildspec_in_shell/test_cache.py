"""The layers of the dependencies, kept in the registry for the next host."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from .conftest import DIGEST, STAGE, Play, tag_of

pytestmark = pytest.mark.long  # a further combination of what the journey walks


@pytest.fixture(autouse=True)
def sources(tmp_path: Path) -> None:
    """What a build is made of, as far as its cache is concerned."""
    (tmp_path / "app").mkdir()
    (tmp_path / "aws").mkdir(exist_ok=True)
    (tmp_path / "app/requirements.lock").write_text("flask==3.1.0\n")
    (tmp_path / "aws/Dockerfile").write_text("FROM x\n")


def cache_of(calls: list[str]) -> str:
    return next(found[1] for call in calls if (found := re.search(r"imageTag=(cache-\w{16})", call)))


def builds(calls: list[str]) -> list[str]:
    return [call for call in calls if call.startswith("docker build ")]


def test_a_build_takes_its_layers_from_there_and_writes_none(play: Play) -> None:
    calls = play("task", tag_of(play("task", "")))

    assert len(builds(calls)) == 1
    assert f" --cache-from {STAGE}:{cache_of(calls)} " in builds(calls)[0]
    assert not [call for call in calls if "INLINE_CACHE" in call or ("push" in call and ":cache-" in call)]


@pytest.mark.parametrize("delivery", ["task", "image"])
def test_the_first_build_writes_it_of_the_image_without_settings(play: Play, delivery: str) -> None:
    first = play(delivery, "")
    tag, cache = tag_of(first), cache_of(first)

    calls = play(delivery, f"{tag}\t{cache}")

    release, kept, *settings = builds(calls)
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
    play: Play, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two builds may begin at once, and the tag of the one that comes later is there already."""
    (tmp_path / "frozen").touch()
    first = play("task", "")

    play("task", f"{tag_of(first)}\t{cache_of(first)}")

    assert "was not written; a build that finds none" in capfd.readouterr().out


@pytest.mark.parametrize("change", ["app/requirements.lock", "aws/Dockerfile", "FROM_DIGEST"])
def test_it_is_named_by_what_the_dependencies_are_made_of(
    commands: list[str], tmp_path: Path, change: str
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


def test_what_is_not_built_writes_none(play: Play) -> None:
    cache = cache_of(play("task", ""))

    assert not builds(play("task", cache))
