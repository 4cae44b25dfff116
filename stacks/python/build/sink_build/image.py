"""``sink-build image``: the release's image, built, taken over, or found in the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sink_build import state
from sink_build.aws import Refused
from sink_build.build import Build, Release, read_build
from sink_build.docker import Docker
from sink_build.errors import CommandFailed
from sink_build.promotion import Promoted, find_promoted
from sink_build.recipe import add_settings, build_cache, build_image
from sink_build.repository import digest_of, missing_tags
from sink_build.settings import Settings
from sink_build.tags import attempts, cache_tag, release_tag


@dataclass(frozen=True)
class Built:
    """What ``sink-build push`` has to do.

    Attributes:
        image: The release's, with its tag.
        is_new: Whether the registry lacks it.
        cache: The image of the layers to keep for later builds; "" for none.
        sets_moving_tag: Whether the moving tag has to name this release already.
        adds_settings_to_moving_tag: Whether the image that serves got its settings just now.
    """

    image: str
    is_new: bool
    cache: str
    sets_moving_tag: bool
    adds_settings_to_moving_tag: bool


@dataclass(frozen=True)
class _Found:
    """What the repository has of this release: one answer of AWS, unless somebody else has its tag."""

    tag: str
    is_built: bool
    has_moving_tag: bool
    has_cache: bool


def run(environ: Mapping[str, str], arguments: Sequence[str]) -> None:
    """Have the release's image on this host, and start it once.

    Raises:
        CommandFailed: it cannot be built, taken over or started.
    """
    build = read_build(environ, "image", arguments)
    release = state.load(build.folder, "login", Release)
    settings = state.load(build.folder, "settings", Settings)
    docker = Docker(environ)
    promoted = find_promoted(build, release, docker)
    # The tag names everything that the image is made of. A tag never moves: what is built already is not
    # built again.
    inputs = [release.runtime_digest, *([settings.secret_version] if build.delivery == "image" else [])]
    tag = promoted.tag if promoted else release_tag(release.commit, *inputs)
    cache = build.address(f"{build.repository}:{cache_tag(release.runtime_digest)}")
    found = _look(build, release, tag, cache.rpartition(":")[2], promoted)
    image = build.address(f"{build.repository}:{found.tag}")
    moving = build.address(f"{build.repository}:{build.moving_tag}")
    lacks_settings = (
        build.delivery == "image"
        and not found.is_built
        and found.has_moving_tag
        and _lacks_settings(docker, moving)
    )

    keeps_cache = False
    if found.is_built:
        print(f"{image} is in the registry already.")
        docker.do("pull", image)
    elif promoted:
        print(f"Taking over {promoted.digest} from {build.app}-{build.promoted_from}: nothing is built.")
        docker.do("tag", promoted.address, image)
    else:
        build_image(build, release, docker, image, cache if found.has_cache else "")
        keeps_cache = not found.has_cache and build_cache(build, release, docker, cache)
        if build.delivery == "image":
            add_settings(build, docker, image)
    if lacks_settings:
        add_settings(build, docker, moving)
    _start_once(build, docker, image)
    built = Built(
        image=image,
        is_new=not found.is_built,
        cache=cache if keeps_cache else "",
        sets_moving_tag=not found.has_moving_tag,
        adds_settings_to_moving_tag=lacks_settings,
    )
    state.save(build.folder, "image", built)


def _look(build: Build, release: Release, tag: str, cache: str, promoted: Promoted | None) -> _Found:
    missing = missing_tags(build.aws, build.repository, tag, build.moving_tag, cache)
    tag, is_built = (tag, False) if tag in missing else _choose_tag(build, release, tag, promoted)
    has_moving_tag = build.moving_tag not in missing
    return _Found(tag, is_built, has_moving_tag and _serves(build), cache not in missing)


def _choose_tag(build: Build, release: Release, tag: str, promoted: Promoted | None) -> tuple[str, bool]:
    """Return the tag to use, and whether its image may be used as it is.

    Whoever may push to the repository can have put anything under a tag before this release was reviewed.
    So what is there counts only if the pipeline admitted it for this commit before; else it is built anew,
    under a further tag.

    Raises:
        CommandFailed: every further tag is taken by such an image too.
    """
    for each in attempts(tag):
        digest = digest_of(build.aws, build.repository, each)
        if not digest:
            return each, False
        if promoted is not None and digest == promoted.digest:
            return each, True
        if build.ledger.is_admitted(build.env, release.commit, digest):
            return each, True
        print(f"{build.repository}:{each} was never admitted here: not using it.")
    raise CommandFailed(
        f"Every tag for {tag} in {build.repository} is taken by an image that was never admitted.",
        "Delete them (aws ecr batch-delete-image) once you know who pushed them; then deploy again.",
    )


def _serves(build: Build) -> bool:
    """Return whether a service is there; True where nobody may say.

    Where none is, no release has deployed well: the moving tag is that of one whose stack could not be made,
    and the next stack would begin with the same image. A cluster that is missing is no error here.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html
    """
    cluster = f"{build.app}-{build.env}-ecs-cluster"
    query = "sum(clusters[].activeServicesCount)"
    try:
        services = build.aws.call("ecs", "describe-clusters", "--clusters", cluster, "--query", query)
    except Refused as refusal:
        print(f"Whether {cluster} has a service is not known: {refusal.message}")
        return True
    return bool(services != 0)


def _lacks_settings(docker: Docker, moving: str) -> bool:
    """Return whether the image that serves has no settings, and its next task would get none.

    The stack starts what the moving tag names before UpdateService starts what is built here, and with the
    delivery ``image`` it gives a task no settings. Where the app has just changed to that, the release that
    serves was made with ``task`` and has none inside: it gets its ``.env`` now. Only an image of the
    platform's is looked at; one that has its settings says so in a label.
    """
    docker.do("pull", moving)
    labels = docker.labels(moving)
    is_ours = bool(labels.get("org.opencontainers.image.base.digest"))
    return is_ours and labels.get("the-sink.secrets-delivery") != "image"


def _start_once(build: Build, docker: Docker, image: str) -> None:
    """Start the image once: the service must find its settings and import.

    With the delivery ``task``, ``.env`` is mounted for this moment, and never copied in.
    """
    mount: tuple[str, ...] = ()
    if build.delivery != "image":
        build.env_file.chmod(0o444)  # the service's user is not this one
        mount = ("-v", f"{build.env_file}:/app/.env:ro")
    if code := docker.attempt("run", "--rm", *mount, image, "container-init", "check"):
        raise CommandFailed(
            f"The image does not start with the settings of {build.env}: container-init check ended with "
            f"exit code {code}."
        )
