"""How an image is built by ``docker build``."""

from __future__ import annotations

from sink_build.build import Build, Release
from sink_build.docker import Docker

_ADDING_SETTINGS = """\
ARG FROM
FROM ${FROM}
RUN --mount=type=secret,id=env,required=true,mode=0444 install -m 0400 /run/secrets/env /app/.env
"""
"""``.env`` as the last layer, readable by the service's user alone. It is mounted into the one command that
installs it: what a build copies from stays in the builder's cache.
https://docs.docker.com/build/building/secrets/"""

_PLAIN = ("--provenance=false",)
"""No provenance: an attestation turns the tag into an index, whose digest is not the one that a task
reports."""


def build_image(build: Build, release: Release, docker: Docker, image: str, cache: str) -> None:
    """Build the release by ``aws/Dockerfile``, without settings.

    Args:
        build: For what.
        release: Of what.
        docker: The build host's.
        image: The address that it gets.
        cache: The address of the layers of an earlier build, taken step by step as far as they fit; "" for
            none. It saves time, and nothing else depends on it.
    """
    labels = {
        "org.opencontainers.image.title": build.app,
        "org.opencontainers.image.revision": release.commit,
        "org.opencontainers.image.base.name": build.address(f"{build.runtimes}:{release.runtime}"),
        "org.opencontainers.image.base.digest": release.runtime_digest,
        "the-sink.template-version": release.template_version,
    }
    docker.do(
        *("build", *_PLAIN, "-f", "aws/Dockerfile", "-t", image),
        *(("--cache-from", cache) if cache else ()),
        *("--build-arg", _from(build, release)),
        *(word for key, value in labels.items() for word in ("--label", f"{key}={value}")),
        ".",
    )


def build_cache(build: Build, release: Release, docker: Docker, cache: str) -> bool:
    """Build the same layers once more as the cache of later builds; return whether that worked.

    A build host begins empty, so the layers of the dependencies are kept in the repository: an image without
    settings, under a tag that names what they are made of. The first build with these inputs writes it.
    It is made from what this host has just built, never from a cache: what is exported from one may lack its
    layers (https://github.com/moby/buildkit/issues/1981).
    """
    code = docker.attempt(
        *("build", "--quiet", *_PLAIN, "-f", "aws/Dockerfile", "-t", cache),
        *("--build-arg", "BUILDKIT_INLINE_CACHE=1", "--build-arg", _from(build, release)),
        ".",
    )
    return code == 0


def add_settings(build: Build, docker: Docker, image: str) -> None:
    """Put ``.env`` into an image of this host, as its last layer."""
    context = build.folder / "adding-settings"
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text(_ADDING_SETTINGS, encoding="utf-8")
    docker.do(
        *("build", "--no-cache", *_PLAIN, "--secret", f"id=env,src={build.env_file}", "-t", image),
        *("--build-arg", f"FROM={image}", "--label", "the-sink.secrets-delivery=image"),
        str(context),
    )


def _from(build: Build, release: Release) -> str:
    return f"FROM={build.address(f'{build.runtimes}@{release.runtime_digest}')}"
