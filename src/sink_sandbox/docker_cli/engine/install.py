"""Puts the thin ``docker`` into a folder, so that a build's PATH finds it before the real one."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from sink_host.docker_engine import FoundEngine
from sink_sandbox.containers.locks import write_atomically

VARIABLES = ("THE_SINK_SANDBOX_STATE", "THE_SINK_SANDBOX_ENDPOINT", "THE_SINK_SANDBOX_ENGINE")
"""Which sandbox, where it answers, and the engine (:class:`sink_host.docker_engine.FoundEngine` as JSON)."""


def install_docker_command(state_dir: Path, endpoint_url: str, found: FoundEngine) -> Path:
    """Make a folder that holds an executable ``docker`` and nothing else; return it.

    Calling it again renews the command.
    """
    folder = state_dir / "docker" / "bin"
    values = (str(state_dir), endpoint_url, found.to_json())
    settings = "\n".join(
        f"{name}={shlex.quote(value)}" for name, value in zip(VARIABLES, values, strict=True)
    )
    # -I: neither the folder nor the PYTHONPATH of the build may decide what is imported.
    script = f"""#!/bin/sh
{settings}
export {" ".join(VARIABLES)}
exec {shlex.quote(sys.executable)} -I -m sink_sandbox.shim sink_sandbox.docker_cli.engine.command "$@"
"""
    write_atomically(folder / "docker", script.encode(), mode=0o755)
    return folder
