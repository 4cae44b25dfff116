"""The ``docker`` that a build finds first on its PATH where there is no Docker Engine.

It understands the commands that a buildspec needs to build, push, look at and try an image, and refuses
every other command and flag by name: what it does not refuse, it does. It starts once for each command of
a build, so each command imports only what it needs.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

from sink_sandbox.containers.process.images.store import machine_architecture
from sink_sandbox.docker_cli.arguments import Syntax, read_arguments
from sink_sandbox.docker_cli.go_template import render_template
from sink_sandbox.docker_cli.process import images as docker_images
from sink_sandbox.docker_cli.process.install import ENDPOINT_VARIABLE, STATE_VARIABLE
from sink_sandbox.docker_cli.process.session import Session
from sink_sandbox.errors import InputError, SandboxUnavailable, SinkError

_VERSION = "the-sink"
_FORMAT = {"--format": "format", "-f": "format"}


def version(_session: Session, words: list[str]) -> int:
    """``docker version``: says that there is no engine."""
    found = read_arguments(Syntax("version", options=_FORMAT), words)
    facts = {
        side: {"Version": _VERSION, "Os": platform.system().lower(), "Arch": machine_architecture()}
        for side in ("Client", "Server")
    }
    if found.options:
        print(render_template(found.last("format"), facts))
        return 0
    print(f"Client: {_VERSION}'s stand-in for docker")
    print(f"Server: the sandbox at {_session.endpoint_url}; no Docker Engine")
    return 0


def info(session: Session, words: list[str]) -> int:
    """``docker info``: where images and containers are."""
    found = read_arguments(Syntax("info", options=_FORMAT), words)
    facts = {
        "ServerVersion": _VERSION,
        "Driver": "process",
        "Images": len(set(session.store.names().values())),
        "DockerRootDir": str(session.state_dir),
        "OperatingSystem": platform.platform(),
        "Architecture": platform.machine(),
        "NCPU": os.cpu_count() or 1,
    }
    if found.options:
        print(render_template(found.last("format"), facts))
        return 0
    print("Server: no Docker Engine; images are folders, containers are processes")
    for name, value in facts.items():
        print(f" {name}: {value}")
    return 0


def run(session: Session, words: list[str]) -> int:
    """``docker run``: see :mod:`.docker_run`."""
    from sink_sandbox.docker_cli.process import run as docker_run

    return docker_run.run(session, words)


_COMMANDS: dict[str, Callable[[Session, list[str]], int]] = {
    "login": docker_images.login,
    "logout": docker_images.logout,
    "build": docker_images.build,
    "tag": docker_images.tag,
    "push": docker_images.push,
    "pull": docker_images.pull,
    "inspect": docker_images.inspect,
    "images": docker_images.images,
    "run": run,
    "version": version,
    "info": info,
}


def main(words: list[str]) -> int:
    """Run one command and return its exit code."""
    try:
        session = _open_session()
        name, *rest = words or [""]
        if name == "image" and rest[:1] == ["inspect"]:
            name, rest = "inspect", rest[1:]
        elif name in {"-v", "--version"} and not rest:
            name = "version"
        if name not in _COMMANDS:
            shown = " ".join(words[:2] if name in {"image", "container", "buildx", "compose"} else words[:1])
            raise InputError(
                f"`docker {shown}` is not understood without a Docker Engine.",
                f"The sandbox's docker knows {', '.join(_COMMANDS)} and image inspect.",
            )
        return _COMMANDS[name](session, rest)
    except SinkError as exc:
        print(f"docker: {exc.message}", file=sys.stderr)
        if exc.hint:
            print(f"docker: {exc.hint}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read the output has seen enough, as `docker images | head` does.
        sys.stdout = None
        return 0


def _open_session() -> Session:
    state, endpoint = os.environ.get(STATE_VARIABLE, ""), os.environ.get(ENDPOINT_VARIABLE, "")
    if not state or not endpoint:
        raise SandboxUnavailable(
            f"{STATE_VARIABLE} and {ENDPOINT_VARIABLE} do not say which sandbox to use.",
            "Start it with `invoke sandbox.start`; its builds get this command by themselves.",
        )
    return Session(Path(state), endpoint)
