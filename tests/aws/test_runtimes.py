"""Publishing runtimes to a real registry, with the sandbox's docker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from sink_sandbox.client.lifecycle import Sandbox
from sink_sandbox.containers.process import install_docker_command
from the_sink.aws.session import Aws
from the_sink.errors import InputError
from the_sink.local.docker import Docker, find_digest
from the_sink.models import Image, Said
from the_sink.tasks import platform_namespace
from the_sink.verbs.platform.stack import Platform, describe_platform, require_runtimes
from the_sink.verbs.runtimes import (
    BASE_DIGEST,
    BASE_NAME,
    Runtime,
    apply_publish,
    choose_registries,
    dated_tag,
    describe_runtimes,
    find_dated_tag,
)

from .test_platform import run

DIGEST = "sha256:0a1b2c3d" + "e" * 56
OTHER = "sha256:" + "f" * 64


def test_a_dated_tag_names_the_day_in_utc_and_the_image() -> None:
    west = timezone(timedelta(hours=-8))

    assert dated_tag("3.13", DIGEST, datetime(2026, 11, 22, 23, 30, tzinfo=west)) == "3.13-20261123-0a1b2c3d"


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        (("3.13", "3.13-20261123-0a1b2c3d"), "3.13-20261123-0a1b2c3d"),
        (("3.13-20261124-0a1b2c3d", "3.13-20261123-0a1b2c3d"), "3.13-20261123-0a1b2c3d"),
        (("3.13", "3.13-20261123-ffffffff", "3.14-20261123-0a1b2c3d", "3x13-20261123-0a1b2c3d"), ""),
        ((), ""),
    ],
)
def test_the_dated_tag_is_told_from_the_others(tags: tuple[str, ...], found: str) -> None:
    assert find_dated_tag("3.13", Image(DIGEST, tags)) == found


class TestPublishing:
    @pytest.fixture
    def platform(self, connection: Aws, platform_bucket: str) -> Platform:
        found = describe_platform(connection, "the-sink")
        assert found.bucket == platform_bucket
        return found

    @pytest.fixture
    def docker(self, sandbox: Sandbox, tmp_path: Path) -> Iterator[Docker]:
        return Docker(
            tmp_path / "config",
            install_docker_command(sandbox.state_dir, sandbox.endpoint_url),
            has_engine=False,
        )

    def publish(self, aws: Aws, platform: Platform, docker: Docker, day: int, version: str) -> Runtime:
        clock = replace(aws.clock, utc=lambda: datetime(2026, 11, day, tzinfo=UTC))
        registries = choose_registries(aws, platform, docker, "X86_64")
        run(apply_publish(replace(aws, clock=clock), registries, docker, ["3.13"], version, []))
        return next(each for each in describe_runtimes(aws, registries) if each.version == "3.13")

    def tags(self, aws: Any, repository: str = "the-sink-python-runtime") -> list[list[str]]:
        images = aws("ecr").describe_images(repositoryName=repository)["imageDetails"]
        return [sorted(image.get("imageTags", [])) for image in images]

    def test_an_image_keeps_a_tag_when_the_next_one_takes_its_version(
        self, connection: Aws, platform: Platform, docker: Docker, aws: Any
    ) -> None:
        """Else apps' base images would be untagged by the next publish, and expire."""
        first = self.publish(connection, platform, docker, 20, "1.0.0")
        same = self.publish(connection, platform, docker, 21, "1.0.0")
        second = self.publish(connection, platform, docker, 22, "1.0.1")

        assert first.tag == f"3.13-20261120-{first.digest[7:15]}"
        assert (same.digest, same.tag) == (first.digest, first.tag)
        assert second.tag == f"3.13-20261122-{second.digest[7:15]}"
        assert sorted(self.tags(aws)) == [["3.13", second.tag], [first.tag]]
        assert self.tags(aws, "the-sink-python-runtime-arm64") == []

    def test_in_the_sandbox_one_publish_serves_apps_on_either_processor(
        self, connection: Aws, platform: Platform, docker: Docker
    ) -> None:
        registries = choose_registries(connection, platform, docker, "")

        told, _ = run(apply_publish(connection, registries, docker, ["3.13"], "1.0.0", []))

        found = [each for each in describe_runtimes(connection, registries) if each.digest]
        assert [f"{each.version} {each.architecture}" for each in found] == ["3.13 X86_64", "3.13 ARM64"]
        assert len({each.digest for each in found}) == 1
        assert (
            Said(
                "In the sandbox this machine's processor plays every other: publishing for X86_64 and ARM64."
            )
            in told
        )

    def test_a_platform_from_before_arm_says_how_it_gets_a_repository_for_it(
        self, connection: Aws, platform: Platform, docker: Docker
    ) -> None:
        older = replace(platform, runtimes=platform.runtimes[:1])

        with pytest.raises(InputError) as caught:
            choose_registries(connection, older, docker, "ARM64")

        assert caught.value.message == "The platform the-sink has no repository for ARM64 runtimes yet."
        assert caught.value.hint.endswith("invoke platform.bootstrap --sandbox")

    def test_what_an_image_was_built_on_can_be_read_from_the_registry(
        self, connection: Aws, platform: Platform, docker: Docker, tmp_path: Path
    ) -> None:
        """The stand-in knows of no base: the labels are those that a build with an engine gives."""
        (tmp_path / "Dockerfile").write_text("FROM python:3.13\nCOPY Dockerfile /\n")
        name = f"{require_runtimes(connection, platform, 'X86_64').uri}:3.13"
        labels = {BASE_NAME: "gallery.example.com/python:3.13.15", BASE_DIGEST: DIGEST}
        docker.build(tmp_path, tmp_path / "Dockerfile", name, labels, [])
        grant = connection.registry.sign_in()
        docker.sign_in(name.partition("/")[0], grant.user, grant.password)
        docker.push(name)

        [published] = [each for each in describe_runtimes(connection, platform.runtimes) if each.digest]

        assert published.base == f"gallery.example.com/python:3.13.15@{DIGEST}"

    @pytest.mark.usefixtures("platform")
    def test_the_list_shows_the_tag_that_stays(self, invoke: Any, tmp_path: Path, aws: Any) -> None:
        (tmp_path / "sink.toml").write_text('[platform]\nname = "the-sink"\nregion = "eu-west-1"\n')
        image = {"imageManifest": "{}", "imageDigest": DIGEST}
        for tag in ("3.13", "3.13-20261123-0a1b2c3d"):
            aws("ecr").put_image(repositoryName="the-sink-python-runtime", imageTag=tag, **image)

        ended = invoke(tmp_path, "runtimes.list", "--sandbox", namespace=platform_namespace)

        line = next(line for line in ended.out.splitlines() if line.startswith("3.13"))
        assert line.split()[-2:] == ["3.13-20261123-0a1b2c3d", DIGEST]


@pytest.mark.parametrize(
    ("image", "digest"),
    [
        ("gallery.example.com/python:3.13", DIGEST),
        ("gallery.example.com/python", DIGEST),
        (f"gallery.example.com/python@{OTHER}", OTHER),
        ("localhost:5000/python", OTHER),
        ("localhost:5000/python:3.13", OTHER),
        ("local/python:3.13", ""),
    ],
)
def test_the_digest_of_a_base_is_that_of_the_registry_in_its_name(image: str, digest: str) -> None:
    known = [f"gallery.example.com/python@{DIGEST}", f"localhost:5000/python@{OTHER}"]

    assert find_digest(image, known) == digest
