"""The runtime images that apps build ``FROM``: which there are, and how one comes into the registry.

Each published image has two tags: its Python version, which moves to the next one, and a dated one, which
does not. Without the second, an image that apps were built from would be untagged by the next publish, and
untagged images expire.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from the_sink.aws.session import Aws
from the_sink.errors import InputError, SinkError
from the_sink.local.docker import BaseMissing, Docker
from the_sink.models import Event, Image, Said, Warned
from the_sink.naming import ARCHITECTURES, PYTHON_RUNTIMES, RETIRED_RUNTIMES
from the_sink.resources import resource_path
from the_sink.verbs.platform.stack import Platform, RuntimeRegistry, require_runtimes

FOLDER = "runtimes/python"

BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"
"""https://github.com/opencontainers/image-spec/blob/main/annotations.md"""


_PLATFORMS = {"X86_64": "amd64", "ARM64": "arm64"}
"""Processors as images name them (https://docs.docker.com/build/building/multi-platform/)."""


@dataclass(frozen=True)
class Runtime:
    """One Python version that apps may run on, for one processor."""

    version: str
    architecture: str
    retired_since: str
    """When Python itself ended its support, "" while it lasts."""
    digest: str = ""
    """Of the image in the registry, "" if it was never published."""
    pushed_at: datetime | None = None
    tag: str = ""
    """The tag that this image keeps when the version's own moves on, "" if it has none."""
    base: str = ""
    """The image that it was built on: by digest where that came from a registry, "" where it is not known."""


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


def check_architecture(wanted: str) -> str:
    """Return a processor that the platform builds for, or "".

    Raises:
        InputError: it is another one.
    """
    if wanted and wanted not in ARCHITECTURES:
        raise InputError(
            f"--architecture {wanted}: there are no runtimes for that processor.",
            f"Choose from: {', '.join(ARCHITECTURES)}.",
        )
    return wanted


def own_architecture(docker: Docker) -> str:
    """Return the processor of a Docker Engine.

    Raises:
        InputError: it is none that the platform builds for.
    """
    docker.check()
    found = next((name for name, word in _PLATFORMS.items() if word == docker.architecture), "")
    if not found:
        raise InputError(
            f"The Docker Engine's processor is {docker.architecture}, and tasks have another.",
            f"Say for which to build: --architecture {' or '.join(ARCHITECTURES)}.",
        )
    return found


def choose_registries(
    aws: Aws, platform: Platform, docker: Docker, wanted: str
) -> tuple[RuntimeRegistry, ...]:
    """Return where what is built here belongs.

    In the sandbox this machine's processor plays every other, so an image belongs everywhere.

    Args:
        aws: The account.
        platform: Its platform.
        docker: The command to build with.
        wanted: A processor, "" for the engine's own.

    Raises:
        InputError: the platform has no repository for it.
    """
    if aws.target.is_sandbox and not wanted:
        return platform.runtimes
    return (require_runtimes(aws, platform, wanted or own_architecture(docker)),)


def describe_runtimes(aws: Aws, registries: Sequence[RuntimeRegistry]) -> tuple[Runtime, ...]:
    """Return every runtime with what the registries hold of it."""
    found = []
    for registry in registries:
        images = aws.registry.images(registry.repository)
        tagged = {tag: image for image in images for tag in image.tags}
        found += [_describe(aws, registry, version, tagged.get(version)) for version in PYTHON_RUNTIMES]
    return tuple(found)


def _describe(aws: Aws, registry: RuntimeRegistry, version: str, image: Image | None) -> Runtime:
    runtime = Runtime(version, registry.architecture, RETIRED_RUNTIMES.get(version, ""))
    if image is None:
        return runtime
    return replace(
        runtime,
        digest=image.digest,
        pushed_at=image.pushed_at,
        tag=find_dated_tag(version, image),
        base=describe_base(aws.registry.labels(registry.repository, image.digest)),
    )


def describe_base(labels: Mapping[str, str]) -> str:
    """Return what an image was built on, as `--build-arg BASE=` takes it; "" if its labels do not say."""
    name, digest = labels.get(BASE_NAME, ""), labels.get(BASE_DIGEST, "")
    return f"{name.partition('@')[0]}@{digest}" if name and digest else name


def dated_tag(version: str, digest: str, published_at: datetime) -> str:
    """Return the tag that a runtime image keeps: ``3.13-20261123-0a1b2c3d``, the date in UTC."""
    return f"{version}-{published_at.astimezone(UTC):%Y%m%d}-{digest.removeprefix('sha256:')[:8]}"


def find_dated_tag(version: str, image: Image) -> str:
    """Return the dated tag of an image, the earliest of several, "" if it has none."""
    ending = image.digest.removeprefix("sha256:")[:8]
    pattern = re.compile(rf"{re.escape(version)}-\d{{8}}-{re.escape(ending)}")
    return next((tag for tag in sorted(image.tags) if pattern.fullmatch(tag)), "")


def base_image(version: str, dockerfile: str, arguments: Sequence[str]) -> str:
    """Return the image that a runtime is built on; ``{version}`` in a given one is replaced.

    Args:
        version: The Python version.
        dockerfile: The runtime's Dockerfile, whose own base is the default.
        arguments: Build arguments; the last ``BASE=`` counts.
    """
    given = [argument.partition("=")[2] for argument in arguments if argument.startswith("BASE=")]
    own = re.findall(r"(?m)^ARG BASE=(\S+)$", dockerfile)
    return str([*own, *given][-1]).replace("{version}", version)


def apply_build(
    docker: Docker,
    image_of: dict[str, str],
    platform_version: str,
    arguments: Sequence[str],
    checkout: Path | None = None,
    architecture: str = "",
) -> Generator[Event, None, None]:
    """Build runtimes on this machine, once each of them has its base image here.

    Args:
        docker: The command to build with.
        image_of: The image's name for each version.
        platform_version: Goes into a label.
        arguments: Build arguments, as NAME=value; for example another base image.
        checkout: The platform's checkout whose runtimes are meant; None for the shipped ones.
        architecture: The processor they are for, "" for the engine's own.

    Raises:
        InputError: there is no engine, a base image that it neither has nor can pull, or a processor that
            it cannot build for; nothing was built.
        SinkError: an image could not be built.
    """
    docker.check()
    processor = _PLATFORMS[architecture] if architecture else docker.architecture
    is_own = processor == docker.architecture
    folder = _folder(checkout)
    dockerfiles = {version: folder / f"{version}.Dockerfile" for version in image_of}
    bases = {
        version: base_image(version, dockerfile.read_text(), arguments)
        for version, dockerfile in dockerfiles.items()
    }
    digests = (yield from _require_bases(docker, bases, processor)) if docker.has_engine else {}
    for version, image in image_of.items():
        if since := RETIRED_RUNTIMES.get(version):
            yield Warned(f"Python {version} is past its end of life (since {since}).")
        base = bases[version]
        yield Said(f"Building {image} on {base}" if docker.has_engine else f"Building {image}")
        labels = {"the-sink.runtime": version, "the-sink.template-version": platform_version}
        if docker.has_engine:
            labels |= {BASE_NAME: base} | ({BASE_DIGEST: digests[version]} if digests[version] else {})
        given = [*arguments, f"BASE={base}"] if docker.has_engine else arguments
        docker.build(folder, dockerfiles[version], image, labels, given, "" if is_own else processor)
        docker.require_built(image, version, processor)


def _require_bases(
    docker: Docker, bases: Mapping[str, str], processor: str
) -> Generator[Event, None, dict[str, str]]:
    """Have every version's base image here; return its digest in its registry, "" where it has none.

    Raises:
        BaseMissing: the first that cannot be had; the hint names the versions whose base is here.
        InputError: the processor's programs cannot be run here.
    """
    digests: dict[str, str] = {}
    missing: list[BaseMissing] = []
    for version, base in bases.items():
        yield Said(f"Looking for the base image {base}")
        try:
            digests[version] = docker.require_base(base, version, processor)
        except BaseMissing as error:
            missing.append(error)
    if missing:
        there = " ".join(f"--runtime {version}" for version in digests)
        others = f"\nThose whose base is here can be built without it: {there}" if there else ""
        raise BaseMissing(missing[0].message, missing[0].hint + others)
    return digests


def apply_publish(
    aws: Aws,
    registries: Sequence[RuntimeRegistry],
    docker: Docker,
    versions: Sequence[str],
    platform_version: str,
    arguments: Sequence[str],
    checkout: Path | None = None,
) -> Generator[Event, None, None]:
    """Build runtimes and push them to the platform's registry, under their version and a dated tag.

    An image that is there with its dated tag gets no second one: the tag says when it was first published.

    Args:
        aws: The account.
        registries: Where they belong (:func:`choose_registries`).
        docker: The command to build with.
        versions: The Python versions.
        platform_version: Goes into a label.
        arguments: Build arguments, as NAME=value.
        checkout: The platform's checkout whose runtimes are meant; None for the shipped ones.

    Raises:
        SinkError: an image could not be built or pushed.
    """
    first, *others = registries
    images = {version: f"{first.uri}:{version}" for version in versions}
    architecture = "" if aws.target.is_sandbox else first.architecture
    yield from apply_build(docker, images, platform_version, arguments, checkout, architecture)
    if aws.target.is_sandbox:
        names = " and ".join(each.architecture for each in registries)
        yield Said(f"In the sandbox this machine's processor plays every other: publishing for {names}.")
    grant = aws.registry.sign_in()
    # The address that the images are named by, which is also where they go.
    docker.sign_in(first.uri.split("/", 1)[0], grant.user, grant.password)
    for version, name in images.items():
        yield from _push(aws, first, docker, version)
        for other in others:
            docker.tag(name, f"{other.uri}:{version}")
            yield from _push(aws, other, docker, version)


def _push(aws: Aws, registry: RuntimeRegistry, docker: Docker, version: str) -> Generator[Event, None, None]:
    name = f"{registry.uri}:{version}"
    yield Said(f"Pushing {name}")
    docker.push(name)
    image = aws.registry.image(registry.repository, tag=version)
    if image is None:
        raise SinkError(f"{name} was pushed, but the registry does not have it.", "Publish it again.")
    if kept := find_dated_tag(version, image):
        yield Said(f"This image is there already, as {kept}.")
        return
    kept = dated_tag(version, image.digest, aws.clock.utc())
    aws.registry.add_tag(registry.repository, image.digest, kept)
    yield Said(f"Tagged {registry.uri}:{kept}")


def _folder(checkout: Path | None) -> Path:
    return resource_path(FOLDER, checkout)
