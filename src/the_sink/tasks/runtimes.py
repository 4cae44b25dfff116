"""``invoke runtimes.*``: the Python runtime images that apps build from.

Imported by ``invoke --list``: whatever is more than Invoke and the errors is imported inside the tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context

from the_sink.tasks.decorator import task

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from the_sink.local.docker import Docker


@task(name="list")
def list_(_c: Context, architecture: str = "", sandbox: bool = False, json: bool = False) -> None:
    """Show the runtimes: which Python still supports, which are published.

    Args:
        architecture: The processor they are for: X86_64 or ARM64 (default: both).
        sandbox: Act on the sandbox of this machine instead of AWS.
        json: Print JSON for a script to read.
    """
    from dataclasses import asdict
    from pathlib import Path

    from the_sink.config import load_platform
    from the_sink.report import lines, tables, wording
    from the_sink.tasks.connection import connect_to
    from the_sink.verbs.platform.stack import describe_platform, require_runtimes
    from the_sink.verbs.runtimes import check_architecture, describe_runtimes

    settings = load_platform(Path.cwd())
    wanted = check_architecture(architecture)
    aws = connect_to(settings, sandbox=sandbox)
    platform = describe_platform(aws, settings.name)
    registries = (require_runtimes(aws, platform, wanted),) if wanted else platform.runtimes
    found = describe_runtimes(aws, registries)
    if json:
        lines.data_as_json([asdict(runtime) for runtime in found])
        return
    lines.data(
        tables.render_table(
            ("Python", "for", "support", "published", "tag that stays", "digest", "built on"),
            [
                (
                    each.version,
                    each.architecture,
                    f"ended {each.retired_since}" if each.retired_since else "yes",
                    wording.format_time(each.pushed_at) if each.pushed_at else "yes" if each.digest else "no",
                    each.tag,
                    each.digest,
                    each.base,
                )
                for each in found
            ],
        )
    )


@task(iterable=("runtime", "build_arg"))
def build(
    _c: Context,
    runtime: list[str] | None = None,
    architecture: str = "",
    build_arg: list[str] | None = None,
    sandbox: bool = False,
) -> None:
    """Build runtime images on this machine, without publishing them.

    Args:
        runtime: A Python version such as 3.13 (default: all that Python supports).
        architecture: The processor they are for: X86_64 or ARM64 (default: the engine's own).
        build_arg: A build argument, as NAME=value; for example another base image.
        sandbox: Build with the sandbox's docker.
    """
    from pathlib import Path

    from the_sink.config import load_platform
    from the_sink.naming import runtime_repository
    from the_sink.report import lines
    from the_sink.report.events import watch
    from the_sink.resources import find_checkout, platform_version
    from the_sink.verbs.runtimes import apply_build, check_architecture, choose_runtimes, own_architecture

    settings = load_platform(Path.cwd())
    checkout = find_checkout(settings.root)
    versions = choose_runtimes(runtime or [])
    given = _build_arguments(build_arg)
    wanted = check_architecture(architecture)
    with _docker(sandbox) as docker:
        # In the sandbox this machine's processor plays every other.
        builds_for = "" if sandbox else wanted
        name = runtime_repository(settings.name, wanted or own_architecture(docker))
        images = {version: f"{name}:{version}" for version in versions}
        arguments = _with_base(docker, given)
        watch(apply_build(docker, images, platform_version(checkout), arguments, checkout, builds_for))
    for image in images.values():
        lines.data(f"Built {image}")


@task(iterable=("runtime", "build_arg"))
def publish(
    _c: Context,
    runtime: list[str] | None = None,
    architecture: str = "",
    build_arg: list[str] | None = None,
    sandbox: bool = False,
    dry_run: bool = False,
) -> None:
    """Build runtime images and push them to the platform's registry.

    Args:
        runtime: A Python version such as 3.13 (default: all that Python supports).
        architecture: The processor they are for: X86_64 or ARM64 (default: the engine's own).
        build_arg: A build argument, as NAME=value; for example another base image.
        sandbox: Build with the sandbox's docker and push to the sandbox.
        dry_run: Show the images, and change nothing.
    """
    from pathlib import Path

    from the_sink.config import load_platform
    from the_sink.report import lines, wording
    from the_sink.report.events import watch
    from the_sink.resources import find_checkout, platform_version
    from the_sink.tasks.connection import connect_to
    from the_sink.verbs import runtimes
    from the_sink.verbs.platform.stack import describe_platform

    settings = load_platform(Path.cwd())
    checkout = find_checkout(settings.root)
    versions = runtimes.choose_runtimes(runtime or [])
    given = _build_arguments(build_arg)
    wanted = runtimes.check_architecture(architecture)
    aws = connect_to(settings, sandbox=sandbox)
    platform = describe_platform(aws, settings.name)
    with _docker(sandbox) as docker:
        registries = runtimes.choose_registries(aws, platform, docker, wanted)
        uris = {each.architecture: each.uri for each in registries}
        if dry_run:
            names = (f"{uri}:{version}" for version in versions for uri in uris.values())
            lines.data(wording.render_steps(f"build and push {name}" for name in names))
            return
        version = platform_version(checkout)
        arguments = _with_base(docker, given)
        watch(runtimes.apply_publish(aws, registries, docker, versions, version, arguments, checkout))
    for published in runtimes.describe_runtimes(aws, registries):
        if published.version in versions:
            name = f"{uris[published.architecture]}:{published.version}"
            lines.data(f"Published {name} = {published.tag} ({published.digest})")


def _build_arguments(typed: list[str] | None) -> dict[str, str]:
    """Return the build arguments that were typed, before anything is asked for them."""
    from the_sink.tasks import flags

    return flags.pairs(typed, "--build-arg", "BASE=registry.example.com/python:3.13")


def _with_base(docker: Docker, given: dict[str, str]) -> list[str]:
    """Return the build arguments; ``THE_SINK_BASE_IMAGE`` stands for ``BASE=`` where that is not given."""
    import os

    base = os.environ.get("THE_SINK_BASE_IMAGE", "")
    named = {"BASE": base} if base and docker.has_engine else {}
    return [f"{name}={value}" for name, value in {**named, **given}.items()]


def _docker(sandbox: bool) -> AbstractContextManager[Docker]:
    """Return the docker to use: the machine's, or the one that the sandbox's builds use."""
    import tempfile
    from contextlib import contextmanager
    from pathlib import Path

    from the_sink.local.docker import Docker

    @contextmanager
    def opened() -> Iterator[Docker]:
        with tempfile.TemporaryDirectory(prefix="the-sink-docker-") as config:
            if not sandbox:
                yield Docker(config=Path(config))
                return
            import sink_sandbox
            from the_sink.tasks.sandbox import chosen_name

            running = sink_sandbox.require(chosen_name())
            # The server made it when it started, for its own compute.
            folder = running.state_dir / "docker" / "bin"
            yield Docker(Path(config), folder, has_engine=running.compute == "docker")

    return opened()
