"""The ``docker`` of a build whose project is not privileged: the command is there, a daemon is not.

https://docs.aws.amazon.com/codebuild/latest/userguide/troubleshooting.html, "Cannot connect to the Docker
daemon".
"""

from __future__ import annotations

from pathlib import Path

_SCRIPT = """#!/bin/sh
echo "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?" >&2
echo "the-sink: the build project has no PrivilegedMode; set it in its Environment." >&2
exit 1
"""


def install_unreachable_docker(build_folder: Path) -> Path:
    """Make a folder with such a ``docker`` in a build's own folder; return it."""
    folder = build_folder / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    command = folder / "docker"
    command.write_text(_SCRIPT)
    command.chmod(0o755)
    return folder
