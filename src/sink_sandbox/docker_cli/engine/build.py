"""``docker build``: the registry's names in arguments and Dockerfile, and flags that the command knows."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sink_sandbox.containers.docker.names import LABEL, has_reference, is_reference
from sink_sandbox.errors import InputError

if TYPE_CHECKING:
    from sink_sandbox.docker_cli.engine.command import Command

NETWORK_VARIABLE = "THE_SINK_BUILD_NETWORK"
"""The network of a build's ``RUN`` instructions, as ``docker build --network`` takes it."""

_BUILDX_ONLY = {
    "--provenance": "an attestation",
    "--sbom": "a bill of materials",
    "--attest": "an attestation",
}
_CACHES = ("--cache-from", "--cache-to")
"""Their values are an image's name, or ``type=registry,ref=…`` with one inside."""
_FROM = re.compile(r"(?im)^(\s*(?:FROM|COPY|ADD|RUN)\b.*)$")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "FTP_PROXY")


def build(command: Command, words: list[str]) -> int:
    """Build with the engine's BuildKit."""
    found = command.found
    words = words if found.has_buildx else without_attestations(words)
    words = [_mapped(command, before, word) for before, word in zip(["", *words], words, strict=False)]
    # By the label a reset finds the images that have lost their names to later builds.
    extra = ["--label", f"{LABEL}={command.names.sandbox}", *_settings(words)]
    dockerfile = _dockerfile(words)
    if dockerfile is None or not _names_registry(dockerfile):
        return command.hand_on(["build", *extra, *words])
    with tempfile.TemporaryDirectory(prefix="the-sink-dockerfile-") as folder:
        copy = Path(folder) / dockerfile.name
        text = dockerfile.read_text(encoding="utf-8-sig")
        copy.write_text(_FROM.sub(lambda line: command.names.to_engine(line[0]), text), encoding="utf-8")
        ignored = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
        if ignored.is_file():
            copy.with_name(ignored.name).write_bytes(ignored.read_bytes())
        return command.hand_on(["build", *extra, *_without_file(words), "-f", str(copy)])


def without_attestations(words: list[str]) -> list[str]:
    """Leave out what only buildx knows, where leaving it out changes nothing.

    BuildKit in a command without buildx makes no attestations, so asking for none is asking for what it
    does, and ``--load`` for where its images are anyway.

    Raises:
        InputError: an attestation is asked for.
    """
    kept: list[str] = []
    pending = list(words)
    while pending:
        word = pending.pop(0)
        flag, equals, value = word.partition("=")
        if flag in _BUILDX_ONLY:
            value = value if equals else (pending.pop(0) if pending else "")
            if value not in ("false", "mode=disabled"):
                raise InputError(
                    f"docker build: {flag} asks for {_BUILDX_ONLY[flag]}, and this docker has no buildx.",
                    "Install buildx, or leave the flag out.",
                )
        elif word != "--load":
            kept.append(word)
    return kept


def _mapped(command: Command, before: str, word: str) -> str:
    """Map what is the name of an image and nothing else; a label that names one stays as it is."""
    if before == "--label" or word.startswith("--label="):
        return word
    if before in _CACHES or word.startswith(tuple(f"{flag}=" for flag in _CACHES)):
        return command.names.to_engine(word)
    flag, equals, value = word.partition("=")
    if word.startswith("--") and equals:
        inner, inner_equals, inner_value = value.partition("=")
        if flag == "--build-arg" and inner_equals and is_reference(inner_value):
            return f"{flag}={inner}={command.names.to_engine(inner_value)}"
        return f"{flag}={command.names.to_engine(value)}" if is_reference(value) else word
    if before == "--build-arg" and equals and is_reference(value):
        return f"{flag}={command.names.to_engine(value)}"
    return command.names.to_engine(word) if is_reference(word) else word


def _settings(words: list[str]) -> list[str]:
    """Return what a build on this machine needs beside its own flags.

    On Linux a build shares this machine's network: a proxy or a mirror on its loopback is reached, names
    are resolved as here, and no network is made for each ``RUN``, a third of a second each. Where the
    engine runs in a machine of its own that would be that machine's network, so nothing is said there.
    """
    settings: list[str] = []
    network = os.environ.get(NETWORK_VARIABLE) or ("host" if sys.platform.startswith("linux") else "")
    given = any(word == "--network" or word.startswith("--network=") for word in words)
    if network and network != "default" and not given:
        settings += ["--network", network]
    for name in _PROXIES:
        for spelling in (name, name.lower()):
            if os.environ.get(spelling):
                # Predefined arguments: in no layer, in no history, the value in no argument list.
                # https://docs.docker.com/reference/dockerfile/#predefined-args
                settings += ["--build-arg", spelling]
    return settings


def _dockerfile(words: list[str]) -> Path | None:
    """Return the Dockerfile that is built, None where it is not a file of this machine."""
    for before, word in zip(["", *words], words, strict=False):
        if before in ("-f", "--file"):
            return _existing(Path(word))
        for flag in ("-f=", "--file="):
            if word.startswith(flag):
                return _existing(Path(word.removeprefix(flag)))
    return _existing(Path(words[-1]) / "Dockerfile") if words else None


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _without_file(words: list[str]) -> list[str]:
    kept: list[str] = []
    pending = list(words)
    while pending:
        word = pending.pop(0)
        if word in ("-f", "--file"):
            pending.pop(0)
        elif not word.startswith(("-f=", "--file=")):
            kept.append(word)
    return kept


def _names_registry(dockerfile: Path) -> bool:
    try:
        return has_reference(dockerfile.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return False
