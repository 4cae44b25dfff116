"""A promotion: the image that the environment before has tested is what ships."""

from __future__ import annotations

from dataclasses import dataclass

from sink_build.aws import Refused
from sink_build.build import Build, Release, read_runtime
from sink_build.docker import Docker
from sink_build.errors import CommandFailed
from sink_build.ledger import Released
from sink_build.repository import has_digest
from sink_build.tags import first_attempt, release_tag


@dataclass(frozen=True)
class Promoted:
    """An image of another environment.

    Attributes:
        address: With its digest.
        tag: In both repositories.
        digest: In the other repository. Each environment's own counts: a push may change it where layers
            are packed anew.
    """

    address: str
    tag: str
    digest: str


def find_promoted(build: Build, release: Release, docker: Docker) -> Promoted | None:
    """Return the image to take over, pulled; None, with the reason in the log, where it has to be built.

    Only where it would be made of the same: the delivery ``task`` puts nothing of an environment into an
    image, and both configurations of this release name the same Python. Which image it is, the ledger of
    the environment before says: the last of this commit that deployed well there.

    Raises:
        CommandFailed: the ledger or the repository cannot be read. That must not end in another image than
            the one that was tested.
    """
    if build.delivery != "task" or not build.promoted_from:
        return None
    before = build.promoted_from
    runtime = read_runtime(build, before)
    if runtime != release.runtime:
        print(f"{before} runs on Python {runtime}, {build.env} on {release.runtime}: building it.")
        return None
    repository = f"{build.app}-{before}"
    try:
        released = build.ledger.read_released(before, release.commit)
        if not released:
            print(f"The ledger of {before} names no image of {release.commit}: building it.")
            return None
        if not _is_there(build, repository, released[-1]):
            return None
    except Refused as refusal:
        raise CommandFailed(
            f"What {before} has deployed of {release.commit} cannot be read, and {build.env} takes over what "
            f"runs there: {refusal.message}",
            f"Bring the pipeline up to date: invoke bootstrap --env {build.env}; then deploy again.",
        ) from refusal
    promoted = Promoted(
        build.address(f"{repository}@{released[-1].digest}"), released[-1].tag, released[-1].digest
    )
    docker.do("pull", promoted.address)
    if _may_hold_settings(docker, promoted, release):
        print(f"The image of {release.commit} in {repository} may have settings inside: building it.")
        return None
    return promoted


def _is_there(build: Build, repository: str, image: Released) -> bool:
    """Return whether the image still exists; the environment before may be destroyed since, say."""
    try:
        if has_digest(build.aws, repository, image.digest):
            return True
    except Refused as refusal:
        if refusal.code != "RepositoryNotFoundException":
            raise
        print(f"There is no repository {repository}: building it.")
        return False
    print(f"{repository} no longer has the image {image.digest}: building it.")
    return False


def _may_hold_settings(docker: Docker, promoted: Promoted, release: Release) -> bool:
    """Return whether an image may hold a secret of the other environment.

    One made with the delivery ``image``, before the app changed to ``task``, does. Its tag says so: what
    that was made from is not the commit and the runtime alone.
    """
    base = docker.labels(promoted.address).get("org.opencontainers.image.base.digest", "")
    return first_attempt(promoted.tag) != release_tag(release.commit, base)
