"""``sink-build settings``: the values of the app's Secret become ``.env``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sink_build import state
from sink_build.aws import Refused
from sink_build.build import Build, Release, read_build
from sink_build.docker import Docker
from sink_build.errors import CommandFailed


@dataclass(frozen=True)
class Settings:
    """What is known of the settings, without a value of theirs.

    Attributes:
        secret_version: The version of the secret that ``.env`` was made of.
    """

    secret_version: str


def run(environ: Mapping[str, str], arguments: Sequence[str]) -> None:
    """Write ``.env`` into the build's own folder, from where no ``COPY`` can take it along.

    Raises:
        CommandFailed: the secret cannot be read, or the runtime refuses it.
    """
    build = read_build(environ, "settings", arguments)
    release = state.load(build.folder, "login", Release)
    version, value = _read_secret(build)
    runtime = build.address(f"{build.runtimes}@{release.runtime_digest}")
    docker = Docker(environ)
    docker.do("pull", runtime)
    try:
        _write(build, docker, runtime, value)
    except BaseException:
        build.env_file.unlink(missing_ok=True)
        raise
    state.save(build.folder, "settings", Settings(version))


def _read_secret(build: Build) -> tuple[str, str]:
    """Return the secret's version and its value, in one answer so that they belong together.

    One that is binary has no text:
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
    """
    secret = f"{build.app}-{build.env}-secret-core"
    query = "[VersionId, SecretString]"
    try:
        version, value = build.aws.call(
            *("secretsmanager", "get-secret-value", "--secret-id", secret, "--query", query)
        )
    except Refused as refusal:
        if refusal.code not in {"ResourceNotFoundException", "InvalidRequestException"}:
            raise
        raise CommandFailed(
            f"There is no secret {secret}: {refusal.message}",
            f"Make or restore it: invoke bootstrap --env {build.env}; then deploy again.",
        ) from refusal
    return str(version), str(value or "")


def _write(build: Build, docker: Docker, runtime: str, value: str) -> None:
    """Let the runtime itself write the file: it knows how to quote.

    ``-e`` without a value hands the variable on without showing it in an argument.
    """
    code = docker.write(
        build.env_file,
        *("run", "--rm", "-e", "SINK_SECRET_CORE", runtime, "container-init", "env"),
        secret={"SINK_SECRET_CORE": value},
    )
    if code != 0:
        raise CommandFailed(
            f"The runtime makes no .env of the secret {build.app}-{build.env}-secret-core: container-init "
            f"env ended with exit code {code}."
        )
    # Docker before 23 mounts no secret that is empty: https://github.com/moby/buildkit/issues/3083
    if build.env_file.stat().st_size == 0:
        build.env_file.write_text("\n")
