"""How the app is served on a laptop: by the runtime's own ``container-init``, told to reload.

The script that starts a container starts the process too (``.env``, ``release:``, ``web:``), so what
works here works there; only where things are differs, and that is what its variables say.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path

from the_sink.errors import InputError
from the_sink.local.app_environment import environment_variables
from the_sink.resources import resource_path

HOST = "127.0.0.1"


def container_init() -> Path:
    """Return the runtime's start script; Python runs it, whatever its first line says."""
    return resource_path("runtimes/python/container-init")


def require_free(port: int) -> None:
    """See that the port can be listened on.

    Raises:
        InputError: another program has it, or this user may not have it.
    """
    with socket.socket() as probe:
        # A server that has just stopped leaves its port in TIME_WAIT, which hinders nobody.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            raise InputError(
                f"Port {port} needs privileges that this user does not have.",
                "Choose one from 1024 on: --port 8081.",
            ) from None
        except OSError:
            other = port + 1 if port < 65535 else 8081
            raise InputError(
                f"Port {port} is taken by another program.", f"Choose another: --port {other}."
            ) from None


def serving_variables(
    root: Path, environment: Path, port: int, web: str, *, reload: bool = True
) -> tuple[dict[str, str], bool]:
    """Return what the server sees, and whether it will reload when the source changes.

    Without ``reload`` it is told to stay one process that nobody ends for being slow: what stops at a
    breakpoint then has the terminal to itself.

    Both servers take options from variables of theirs, so the command of the Procfile runs as it stands:
    https://www.uvicorn.org/settings/ and https://docs.gunicorn.org/en/stable/settings.html
    """
    variables = environment_variables(root, environment)
    variables |= {"SINK_ROOT": str(root), "SINK_VENV": str(environment), "HOST": HOST, "PORT": str(port)}
    if not reload:
        variables |= {"WEB_CONCURRENCY": "1", "GUNICORN_CMD_ARGS": "--workers 1 --timeout 0"}
        return variables, False
    if re.search(r"(^|[\s/])gunicorn(\s|$)", web):
        variables["GUNICORN_CMD_ARGS"] = f"{variables.get('GUNICORN_CMD_ARGS', '')} --reload".strip()
    elif re.search(r"(^|[\s/])uvicorn(\s|$)", web):
        variables |= {"UVICORN_RELOAD": "true", "UVICORN_RELOAD_DIRS": str(root / "app" / "src")}
    else:
        return variables, False
    return variables, True
