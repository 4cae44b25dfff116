"""The ``docker`` commands about images: login, logout, build, tag, push, pull, inspect, images."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sink_sandbox.containers.process.images.store import Image
from sink_sandbox.containers.progress import quiet
from sink_sandbox.containers.references import is_ecr_host, parse_reference
from sink_sandbox.docker_cli.arguments import Syntax, read_arguments
from sink_sandbox.docker_cli.go_template import render_template
from sink_sandbox.docker_cli.process.session import Session, say, say_aside
from sink_sandbox.errors import InputError

_LOGIN = Syntax(
    "login",
    switches={"--password-stdin": "stdin"},
    options={"--username": "username", "-u": "username"},
    least=1,
    most=1,
)
_BUILD = Syntax(
    "build",
    switches={"--no-cache": "no-cache", "--pull": "pull", "--quiet": "quiet", "-q": "quiet"},
    options={
        "--file": "file",
        "-f": "file",
        "--tag": "tag",
        "-t": "tag",
        "--build-arg": "build-arg",
        "--label": "label",
        "--platform": "platform",
        "--progress": "progress",
        "--provenance": "provenance",
        "--cache-from": "cache-from",
        "--secret": "secret",
    },
    least=1,
    most=1,
)
_PLATFORMS = {"linux/amd64": "amd64", "linux/arm64": "arm64", "linux/arm64/v8": "arm64"}


def login(session: Session, words: list[str]) -> int:
    """``docker login --username AWS --password-stdin HOST``."""
    found = read_arguments(_LOGIN, words)
    host = found.words[0].removeprefix("https://").removeprefix("http://").rstrip("/")
    if "stdin" not in found.switches or not found.options.get("username"):
        raise InputError("docker login needs --username and --password-stdin: a build has nobody to ask.")
    if not is_ecr_host(host):
        raise InputError(f"docker login {host}: the sandbox has only its own registry, no other.")
    token = sys.stdin.read().strip()
    session.registry.log_in(host, found.last("username"), token)
    session.remember_login(host, token)
    say("Login Succeeded")
    return 0


def logout(session: Session, words: list[str]) -> int:
    """``docker logout HOST``."""
    host = read_arguments(Syntax("logout", least=1, most=1), words).words[0]
    session.remember_login(host.removeprefix("https://").rstrip("/"), "")
    say(f"Removing login credentials for {host}")
    return 0


def build(session: Session, words: list[str]) -> int:
    """``docker build``: see :mod:`.build`."""
    from sink_sandbox.containers.process.images.build import Builder, BuildRequest
    from sink_sandbox.containers.process.run_lines import read_secret

    found = read_arguments(_BUILD, words)
    if found.last("provenance", "false") not in {"false", "mode=disabled"}:
        raise InputError("docker build: the sandbox makes no provenance attestation; use --provenance=false.")
    platform = found.last("platform")
    if platform and platform not in _PLATFORMS:
        raise InputError(f"docker build: --platform {platform} is not linux/amd64 or linux/arm64.")
    context = Path(found.words[0])
    if not context.is_dir():
        raise InputError(f"docker build: the context {found.words[0]} is not a folder.")
    dockerfile = Path(found.last("file")) if found.options.get("file") else context / "Dockerfile"
    is_quiet = "quiet" in found.switches
    tell = quiet if is_quiet else say_aside
    for source in found.options.get("cache-from", []):
        tell(f"--cache-from {_cache_image(source)}: the sandbox's own layer cache is used instead")
    request = BuildRequest(
        context=context.resolve(),
        dockerfile=dockerfile.resolve(),
        tags=tuple(parse_reference(text) for text in found.options.get("tag", [])),
        arguments=dict(_pair(text, from_environment=True) for text in found.options.get("build-arg", [])),
        labels=dict(_pair(text) for text in found.options.get("label", [])),
        use_cache="no-cache" not in found.switches,
        architecture=_PLATFORMS.get(platform, ""),
        secrets=dict(read_secret(text) for text in found.options.get("secret", [])),
    )
    image = Builder(session.state_dir, session.store, session.registry, request, tell).build()
    if is_quiet:
        say(image.id)
    return 0


def tag(session: Session, words: list[str]) -> int:
    """``docker tag SOURCE TARGET``."""
    source, target = read_arguments(Syntax("tag", least=2, most=2), words).words
    reference = parse_reference(target)
    if reference.digest:
        raise InputError(f"docker tag: {target} names a digest; a new name is a tag.")
    session.store.tag(reference, session.store.get(source))
    return 0


def push(session: Session, words: list[str]) -> int:
    """``docker push REFERENCE``."""
    found = read_arguments(
        Syntax("push", switches={"--quiet": "quiet", "-q": "quiet"}, least=1, most=1), words
    )
    reference = parse_reference(found.words[0])
    image = session.store.get(found.words[0])
    session.require_login(reference)
    session.registry.push(reference, image, quiet if "quiet" in found.switches else say)
    if "quiet" in found.switches:
        say(reference.canonical)
    return 0


def pull(session: Session, words: list[str]) -> int:
    """``docker pull REFERENCE``."""
    found = read_arguments(
        Syntax("pull", switches={"--quiet": "quiet", "-q": "quiet"}, least=1, most=1), words
    )
    reference = parse_reference(found.words[0])
    session.require_login(reference)
    session.registry.pull(reference, quiet if "quiet" in found.switches else say)
    say(reference.canonical)
    return 0


def inspect(session: Session, words: list[str]) -> int:
    """``docker inspect`` and ``docker image inspect``: images only, there are no containers to name."""
    syntax = Syntax(
        "inspect",
        options={"--format": "format", "-f": "format", "--type": "type"},
        least=1,
        most=sys.maxsize,
    )
    found = read_arguments(syntax, words)
    if found.last("type", "image") != "image":
        raise InputError(f"docker inspect: the sandbox knows images, no {found.last('type')}.")
    described = [describe_image(session, session.store.get(text), text) for text in found.words]
    if found.options.get("format"):
        for one in described:
            say(render_template(found.last("format"), one))
    else:
        say(json.dumps(described, indent=4, ensure_ascii=False))
    return 0


def images(session: Session, words: list[str]) -> int:
    """``docker images``: one line for each name."""
    syntax = Syntax("images", switches={"-q": "quiet", "--quiet": "quiet"}, most=1)
    found = read_arguments(syntax, words)
    rows = []
    for name, digest in session.store.names().items():
        reference = parse_reference(name)
        if reference.digest and session.store.names_of(session.store.read_image(digest))[0]:
            continue
        if found.words and found.words[0] not in {reference.name, name}:
            continue
        image = session.store.read_image(digest)
        short = image.id.removeprefix("sha256:")[:12]
        rows.append((reference.name, reference.tag or "<none>", short, _human_size(image)))
    if "quiet" in found.switches:
        for short in dict.fromkeys(row[2] for row in rows):
            say(short)
        return 0
    header = ("REPOSITORY", "TAG", "IMAGE ID", "SIZE")
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(4)]
    for row in [header, *rows]:
        say("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def describe_image(session: Session, image: Image, asked: str) -> Mapping[str, Any]:
    """Return what ``docker inspect`` says about an image; names of the repository asked for come first.

    Docker leaves the order open, and scripts take the first.
    """
    tags, digests = session.store.names_of(image)
    if asked in tags or asked in digests:
        repository = parse_reference(asked).name
        for names in (tags, digests):
            names.sort(key=lambda name: parse_reference(name).name != repository)
    config = image.config
    return {
        "Id": image.id,
        "RepoTags": tags,
        "RepoDigests": digests,
        "Created": config.get("created", ""),
        "Config": {"Env": [], "Labels": {}, "Entrypoint": None, "Cmd": None, "WorkingDir": ""}
        | image.settings,
        "Architecture": config.get("architecture", ""),
        "Os": config.get("os", ""),
        "Size": sum(layer["size"] for layer in image.layers),
        "RootFS": {"Type": "layers", "Layers": config.get("rootfs", {}).get("diff_ids", [])},
    }


def _cache_image(source: str) -> str:
    """Return the image that ``--cache-from`` names, as it is or as ``type=registry,ref=…``.

    Raises:
        InputError: it names another kind of cache, or no image.
    """
    if "=" not in source:
        return parse_reference(source).canonical
    fields = dict(part.partition("=")[::2] for part in source.split(","))
    unknown = fields.keys() - {"type", "ref"}
    if fields.get("type") != "registry" or unknown or not fields.get("ref"):
        raise InputError(
            f"docker build: --cache-from {source} is not understood without a Docker Engine.",
            "It understands an image, as such or as type=registry,ref=<image>.",
        )
    return parse_reference(fields["ref"]).canonical


def _pair(text: str, *, from_environment: bool = False) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name:
        raise InputError(f"docker build: {text!r} is not name=value.")
    return (name, value if equals or not from_environment else os.environ.get(name, ""))


def _human_size(image: Image) -> str:
    size = float(sum(layer["size"] for layer in image.layers))
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g}{unit}"
        size /= 1000
    return f"{size:.3g}GB"
