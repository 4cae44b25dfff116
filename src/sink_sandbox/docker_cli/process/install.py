"""Put the ``docker`` stand-in where a build's PATH finds it first."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from sink_sandbox.containers.locks import write_atomically

STATE_VARIABLE = "THE_SINK_SANDBOX_STATE"
ENDPOINT_VARIABLE = "THE_SINK_SANDBOX_ENDPOINT"


def install_docker_command(state_dir: Path, endpoint_url: str) -> Path:
    """Make a folder that holds an executable ``docker`` and nothing else; return it.

    The command finds the sandbox by itself; ``THE_SINK_SANDBOX_STATE`` and ``THE_SINK_SANDBOX_ENDPOINT`` in
    its environment say otherwise. Calling it again renews the command.
    """
    folder = state_dir / "docker" / "bin"
    # -I: neither the folder nor the PYTHONPATH of the build may decide what is imported.
    command = f"{shlex.quote(sys.executable)} -I -m sink_sandbox.shim"
    script = f"""#!/bin/sh
[ -n "${STATE_VARIABLE}" ] || {STATE_VARIABLE}={shlex.quote(str(state_dir))}
[ -n "${ENDPOINT_VARIABLE}" ] || {ENDPOINT_VARIABLE}={shlex.quote(endpoint_url)}
export {STATE_VARIABLE} {ENDPOINT_VARIABLE}
exec {command} sink_sandbox.docker_cli.process.command "$@"
"""
    write_atomically(folder / "docker", script.encode(), mode=0o755)
    return folder
