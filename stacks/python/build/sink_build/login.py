"""``sink-build login``: to the registry, and to what is built on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sink_build import state
from sink_build.build import Build, Release, configuration_file, read_build, read_manifest, read_runtime
from sink_build.docker import Docker
from sink_build.errors import CommandFailed
from sink_build.repository import digest_of
from sink_build.version import read_version


def run(environ: Mapping[str, str], arguments: Sequence[str]) -> None:
    """Log in, and find the runtime image that this environment's configuration names.

    Raises:
        CommandFailed: the registry refuses, or the platform has no such runtime.
    """
    print(f"sink-build {read_version()}")
    build = read_build(environ, "login", arguments)
    commit, template_version = read_manifest()
    runtime = read_runtime(build, build.env)
    password = build.aws.text("ecr", "get-login-password")
    Docker(environ).log_in(build.registry, password)
    digest = digest_of(build.aws, build.runtimes, runtime)
    if not digest:
        raise _no_runtime(build, runtime)
    state.save(build.folder, "login", Release(commit, template_version, runtime, digest))


def _no_runtime(build: Build, runtime: str) -> CommandFailed:
    architecture = "ARM64" if build.runtimes.endswith("-arm64") else "X86_64"
    return CommandFailed(
        f"The platform has no runtime image for Python {runtime}, which {configuration_file(build.env)} asks "
        "for.",
        "In the platform's repository: "
        f"invoke runtimes.publish --runtime {runtime} --architecture {architecture}",
    )
