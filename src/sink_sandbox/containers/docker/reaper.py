"""Removes a sandbox's containers and networks when the sandbox's process is gone, however it ended.

Started by path, standard library only: ``warden.py DOCKER HOST LABEL``. Its standard input is a pipe that
only the sandbox holds open. An orderly stop has removed everything before; then it finds nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

_ANSWER_S = 60


def remove_all(docker: str, host: str, label: str) -> None:
    """Remove every container and network with the label."""
    env = {**os.environ, "DOCKER_HOST": host}

    def ask(*arguments: str) -> list[str]:
        try:
            done = subprocess.run(
                [docker, *arguments], env=env, capture_output=True, text=True, timeout=_ANSWER_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return []
        return done.stdout.split()

    containers = ask("ps", "--all", "--quiet", "--filter", f"label={label}")
    if containers:
        ask("rm", "--force", "--volumes", *containers)
    networks = ask("network", "ls", "--quiet", "--filter", f"label={label}")
    if networks:
        ask("network", "rm", *networks)


def main(docker: str, host: str, label: str) -> int:
    """Wait for the end of the sandbox, then clean up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends when the sandbox does, not with its terminal
    sys.stdin.buffer.read()
    remove_all(docker, host, label)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
