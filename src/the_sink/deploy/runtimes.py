"""The runtime images that apps build ``FROM``: which there are, and how one comes into the registry."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from the_sink.aws.session import Aws
from the_sink.deploy.platform import Platform
from the_sink.errors import InputError
from the_sink.local.docker import Docker
from the_sink.models import Event, Said, Warned
from the_sink.naming import PYTHON_RUNTIMES, RETIRED_RUNTIMES
from the_sink.resources import resource_path

FOLDER = "runtimes/python"


@dataclass(frozen=True)
class Runtime:
    """One Python version that apps may run on."""

    version: str
    retired_since: str
    """When Python itself ended its support, "" while it lasts."""
    digest: str = ""
    """Of the image in the registry, "" if it was never published."""
    pushed_at: datetime | None = None


def choose_runtimes(wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the versions that were asked for, or every one that Python still supports.

    Raises:
        InputError: a version that the platform does not build.
    """
    for version in wanted:
        if version not in PYTHON_RUNTIMES:
            raise InputError(
                f"There is no Python runtime {version!r}.", f"Choose from: {', '.join(PYTHON_RUNTIMES)}."
            )
    return tuple(dict.fromkeys(wanted)) or tuple(
        version for version in PYTHON_RUNTIMES if version not in RETIRED_RUNTIMES
    )


def describe_runtimes(aws: Aws, platform: Platform) -> tuple[Runtime, ...]:
    """Return every runtime with what the registry holds of it."""
    tagged = {tag: image for image in aws.registry.images(platform.runtime_repository) for tag in image.tags}
    return tuple(
        Runtime(
            version=version,
            retired_since=RETIRED_RUNTIMES.get(version, ""),
            digest=tagged[version].digest if version in tagged else "",
            pushed_at=tagged[version].pushed_at if version in tagged else None,
        )
        for version in PYTHON_RUNTIMES
    )


def apply_build(
    docker: Docker, image_of: dict[str, str], platform_version: str, arguments: Sequence[str]
) -> Generator[Event, None, None]:
    """Build runtimes on this machine.

    Args:
        docker: The command to build with.
        image_of: The image's name for each version.
        platform_version: Goes into a label.
        arguments: Build arguments, as NAME=value; for example another base image.
    """
    docker.check()
    folder = _folder()
    for version, image in image_of.items():
        if since := RETIRED_RUNTIMES.get(version):
            yield Warned(f"Python {version} is past its end of life (since {since}).")
        yield Said(f"Building {image}")
        labels = {"the-sink.runtime": version, "the-sink.template-version": platform_version}
        docker.build(folder, folder / f"{version}.Dockerfile", image, labels, arguments)


def apply_publish(
    aws: Aws,
    platform: Platform,
    docker: Docker,
    versions: Sequence[str],
    platform_version: str,
    arguments: Sequence[str],
) -> Generator[Event, None, None]:
    """Build runtimes and push them to the platform's registry, each under its version as the tag."""
    images = {version: f"{platform.runtime_uri}:{version}" for version in versions}
    yield from apply_build(docker, images, platform_version, arguments)
    grant = aws.registry.sign_in()
    # The address that the images are named by, which is also where they go.
    docker.sign_in(platform.runtime_uri.split("/", 1)[0], grant.user, grant.password)
    for image in images.values():
        yield Said(f"Pushing {image}")
        docker.push(image)


def _folder() -> Path:
    return resource_path(FOLDER)
