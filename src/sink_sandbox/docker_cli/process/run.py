"""``docker run --rm``: the engine's launcher in the foreground.

The output is the process's own, the exit code too. 125 is a command line or an image that cannot be run,
127 a program that does not exist, as with Docker.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
from pathlib import Path
from types import FrameType

from sink_sandbox.containers.process.images.store import Image
from sink_sandbox.containers.process.launch import CONTAINERS, LaunchRequest, free_port, launch
from sink_sandbox.containers.process.rootfs import Mount, stop_signal
from sink_sandbox.containers.process.supervise import Supervised
from sink_sandbox.containers.references import parse_reference
from sink_sandbox.docker_cli.arguments import Arguments, Syntax, read_arguments
from sink_sandbox.docker_cli.process.session import Session, say_aside
from sink_sandbox.errors import InputError, NotFound, SinkError

_RUN = Syntax(
    "run",
    switches={"--rm": "rm"},
    options={
        "--volume": "volume",
        "-v": "volume",
        "--env": "env",
        "-e": "env",
        "--env-file": "env-file",
        "--publish": "publish",
        "-p": "publish",
        "--entrypoint": "entrypoint",
        "--workdir": "workdir",
        "-w": "workdir",
        "--name": "name",
    },
    least=1,
    most=10_000,
    stops=True,
)


def run(session: Session, words: list[str]) -> int:
    """Run one container to its end."""
    try:
        return _run(session, words)
    except SinkError as exc:
        say_aside(f"docker: {exc.message}")
        if exc.hint:
            say_aside(f"docker: {exc.hint}")
        return 127 if exc.message.startswith("exec:") else 125


def _run(session: Session, words: list[str]) -> int:
    found = read_arguments(_RUN, words)
    if "rm" not in found.switches:
        raise InputError("docker run needs --rm: the sandbox keeps no container that has ended.")
    name, *command = found.words
    entrypoint = found.options.get("entrypoint")
    request = LaunchRequest(
        image=_find_or_pull(session, name),
        port=_published_port(found),
        entrypoint=None if entrypoint is None else [word for word in entrypoint[-1:] if word],
        command=command or None,
        environment=_environment(found),
        mounts=tuple(_mount(text) for text in found.options.get("volume", [])),
        workdir=found.last("workdir"),
    )
    folder = session.state_dir / CONTAINERS / secrets.token_hex(32)
    folder.mkdir(parents=True, mode=0o700)
    try:
        process = launch(session.state_dir, session.store, request, folder, None, say_aside)
        return _follow(process, stop_signal(request.image))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _follow(process: Supervised, number: int) -> int:
    """Wait for the end; being interrupted or terminated is passed on."""

    def forward(_number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    previous = {each: signal.signal(each, forward) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        return process.wait()
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)


def _find_or_pull(session: Session, name: str) -> Image:
    image = session.store.find(name)
    if image is None:
        reference = parse_reference(name)
        if not reference.is_ecr:
            raise NotFound(f"No such image: {name}.", "Build it, or name one of the sandbox's registry.")
        session.require_login(reference)
        image = session.registry.pull(reference, say_aside)
    return image


def _published_port(found: Arguments) -> int:
    """Return where the process is to listen: the host's side of ``-p``, whatever the container's side is."""
    published = found.options.get("publish", [])
    if not published:
        return free_port()
    match = re.fullmatch(r"(?:127\.0\.0\.1:|0\.0\.0\.0:|localhost:)?(\d{1,5}):\d{1,5}(?:/tcp)?", published[0])
    if len(published) > 1 or match is None:
        raise InputError(
            f"docker run: -p {' -p '.join(published)} is not understood; the app has one port.",
            "Write -p HOST_PORT:CONTAINER_PORT once.",
        )
    return int(match[1])


def _environment(found: Arguments) -> dict[str, str]:
    environment: dict[str, str] = {}
    for file in found.options.get("env-file", []):
        try:
            lines = Path(file).read_text(encoding="utf-8").splitlines()
        except OSError as exc:
            raise InputError(f"docker run: --env-file {file} cannot be read.") from exc
        for line in lines:
            if line.strip() and not line.lstrip().startswith("#"):
                environment |= _variable(line.lstrip())
    for text in found.options.get("env", []):
        environment |= _variable(text)
    return environment


def _variable(text: str) -> dict[str, str]:
    """Read ``NAME=value``; a bare ``NAME`` passes the caller's own on, if it is set."""
    name, equals, value = text.partition("=")
    if not name or any(letter.isspace() for letter in name):
        raise InputError("docker run: an environment variable's name is empty or has a space in it.")
    if equals:
        return {name: value}
    return {name: os.environ[name]} if name in os.environ else {}


def _mount(text: str) -> Mount:
    """Read ``source:target[:ro|rw]``."""
    source, *rest = text.split(":")
    if len(rest) not in (1, 2) or not rest[0].startswith("/") or rest[1:] not in ([], ["ro"], ["rw"]):
        raise InputError(
            f"docker run: -v {text} is not understood.", "Write -v SOURCE:/TARGET or -v SOURCE:/TARGET:ro."
        )
    if not source.startswith(("/", ".")):
        raise InputError(f"docker run: -v {text} names a volume; the sandbox mounts files and folders only.")
    return Mount(Path(source).absolute(), rest[0], rest[1:] == ["ro"])
