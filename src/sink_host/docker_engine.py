"""Is there a Docker Engine on this machine, which command builds with it, and if not, why not.

Asked before a sandbox starts too, so it stays on the standard library.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from sink_host.errors import InputError
from sink_host.home import find_home

DEFAULT_HOST = "unix:///var/run/docker.sock"
OURS = "sink_sandbox"
"""Stands in every ``docker`` that the sandbox itself puts on a build's PATH."""

_ANSWER_S = 5.0
_COMMAND_S = 30.0
"""A command that nobody has used for a while is read from the disk first, and docker's are large."""


class EngineUnavailable(InputError):
    """There is no Docker Engine that could be used here; the hint says how there would be one."""


@dataclass(frozen=True)
class FoundEngine:
    """A Docker Engine on this machine and the command that builds with it.

    Attributes:
        host: Its address, as ``DOCKER_HOST`` has it.
        command: The path of a ``docker``.
        has_buildx: Whether that command builds through buildx; else its own BuildKit is switched on.
        version: The engine's.
        plugins: The folder of this user's own plugins, buildx among them perhaps; "" where there is none.
    """

    host: str
    command: str
    has_buildx: bool
    version: str
    plugins: str = ""

    def to_json(self) -> str:
        """Return it as text for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> FoundEngine:
        """Return what ``to_json`` wrote."""
        return cls(**json.loads(text))


def find_engine(environ: Mapping[str, str] | None = None, *, must_be_here: bool = True) -> FoundEngine:
    """Return the engine that this user's ``docker`` would talk to.

    Args:
        environ: Instead of this process's environment.
        must_be_here: Refuse an engine on another machine: a sandbox's registry and files are on this one.

    Raises:
        EngineUnavailable: there is none, it does not answer, or it cannot be used; one sentence and what
            to do.
    """
    env = os.environ if environ is None else environ
    commands = _commands(env)
    if not commands:
        raise EngineUnavailable("docker is not installed, or not on the PATH.", "Install a Docker Engine.")
    host = _host(env, commands[0], must_be_here)
    version = _ask(host, commands[0], env)
    for command in commands:
        if (has_buildx := _can_build(command, env)) is not None:
            plugins = _config_folder(env) / "cli-plugins"
            return FoundEngine(host, command, has_buildx, version, str(plugins) if plugins.is_dir() else "")
    raise EngineUnavailable(
        f"No docker command here can build: {commands[0]} has no buildx.",
        "Install buildx (Debian: docker-buildx, Docker's own packages: docker-buildx-plugin).",
    )


def _commands(env: Mapping[str, str]) -> list[str]:
    """Every ``docker`` on the PATH but the sandbox's own, in its order."""
    found: dict[str, str] = {}
    for folder in (env.get("PATH") or os.defpath).split(os.pathsep):
        path = shutil.which("docker", path=folder) if folder else None
        if path and not _is_ours(path):
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _is_ours(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return OURS.encode() in file.read(2000)
    except OSError:
        return False


def _host(env: Mapping[str, str], command: str, must_be_here: bool) -> str:
    """Where the engine is: ``DOCKER_HOST``, else the chosen context's, else the usual socket.

    Raises:
        EngineUnavailable: ``DOCKER_HOST`` is no address, or one of another machine.
    """
    host = env.get("DOCKER_HOST", "") or _host_of_context(env, command) or DEFAULT_HOST
    parts = urlsplit(host)
    named = "DOCKER_HOST" if env.get("DOCKER_HOST") else "The docker context"
    if parts.scheme not in ("unix", "tcp", "ssh", "npipe") or not (parts.path or parts.netloc):
        raise EngineUnavailable(
            f"{named} is {host!r}, which is no address of a Docker Engine.",
            f"Unset it, or write it as {DEFAULT_HOST}.",
        )
    is_here = parts.scheme in ("unix", "npipe") or parts.hostname in ("localhost", "127.0.0.1", "::1")
    if must_be_here and not is_here:
        raise EngineUnavailable(
            f"The Docker Engine at {host} is on another machine, which reaches neither the sandbox's "
            "registry nor its files.",
            f"Unset {named}.",
        )
    return host


def _host_of_context(env: Mapping[str, str], command: str) -> str:
    try:
        chosen = json.loads((_config_folder(env) / "config.json").read_bytes()).get("currentContext", "")
    except (OSError, ValueError, AttributeError):
        chosen = ""
    if not (env.get("DOCKER_CONTEXT") or chosen):
        return ""
    return _output([command, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], env) or ""


def _config_folder(env: Mapping[str, str]) -> Path:
    return Path(env.get("DOCKER_CONFIG") or (find_home(env) or Path("/nonexistent")) / ".docker")


def _ask(host: str, command: str, env: Mapping[str, str]) -> str:
    """Return the engine's version.

    Raises:
        EngineUnavailable: it does not run, refuses this user, or runs no Linux containers.
    """
    parts = urlsplit(host)
    if parts.scheme != "unix":
        answer = _output([command, "-H", host, "version", "--format", "{{json .Server}}"], env)
        facts = json.loads(answer) if answer and answer != "null" else None
        if not facts:
            raise _not_running(host)
    else:
        facts = _ask_socket(host, parts.path)
    if str(facts.get("Os", "linux")).lower() != "linux":
        raise EngineUnavailable(
            "The Docker Engine runs Windows containers.", "Switch it to Linux containers."
        )
    return str(facts.get("Version", ""))


def _ask_socket(host: str, path: str) -> dict[str, object]:
    connection = HTTPConnection("localhost", timeout=_ANSWER_S)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(_ANSWER_S)
    try:
        connection.sock.connect(path)
        connection.request("GET", "/version")
        answer = json.loads(connection.getresponse().read())
    except PermissionError as error:
        raise EngineUnavailable(
            f"This user may not use the Docker Engine: no permission on {path}.",
            "Add the user to the group docker and sign in again.",
        ) from error
    except TimeoutError as error:
        raise EngineUnavailable(
            f"The Docker Engine at {host} does not answer within {_ANSWER_S:g} s.",
            "Restart it.",
        ) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _not_running(host) from error
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else {}


def _not_running(host: str) -> EngineUnavailable:
    return EngineUnavailable(f"The Docker Engine does not run: nothing answers at {host}.", "Start it.")


def _can_build(command: str, env: Mapping[str, str]) -> bool | None:
    """Return whether a command builds through buildx, None when it cannot build with BuildKit at all.

    Up to version 22 the command has BuildKit built in; since 23 it needs the plugin.
    https://docs.docker.com/engine/release-notes/23.0/
    """
    if _output([command, "buildx", "version"], env) is not None:
        return True
    match = re.search(r"version (\d+)\.", _output([command, "--version"], env) or "")
    return False if match and int(match[1]) < 23 else None


def _output(command: list[str], env: Mapping[str, str]) -> str | None:
    """What a command says, None when it fails.

    Raises:
        EngineUnavailable: it does not end, so that nobody knows what it would say.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMMAND_S, check=False, env=dict(env)
        )
    except subprocess.TimeoutExpired as error:
        raise EngineUnavailable(
            f"{shlex.join(command)} does not answer within {_COMMAND_S:g} s.",
            "Try again, or restart the engine.",
        ) from error
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
