"""The ``aws`` of builds: the real command line, kept loaded, because starting it takes most of its time.

A buildspec calls ``aws`` half a dozen times, and each start reads Python, the command line and the service
models again: together more than everything else that a small service's build does. Here one process has
them loaded (``aws_server``) and forks for each call; the ``aws`` that builds find on their PATH hands its
arguments, folder, environment and streams over (``aws_client``). Arguments, output and exit codes are
those of awscli, because it is awscli that runs.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from sink_sandbox.containers.locks import write_atomically

_STOP_TIMEOUT_S = 5


class AwsCommand:
    """The loaded command line of one sandbox, started when the first build needs it."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / "aws" / "bin"
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._sockets: Path | None = None

    def folder(self) -> Path | None:
        """Return the folder to put on a build's PATH; None where processes cannot be forked safely.

        On macOS system libraries that have been used before a fork may not be used after it, so builds
        there start awscli each time.
        """
        if not sys.platform.startswith("linux"):
            return None
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
        return self._folder

    def stop(self) -> None:
        """End the process."""
        with self._lock:
            process, self._process = self._process, None
            if process is not None and process.stdin is not None:
                process.stdin.close()  # that is how it knows
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_TIMEOUT_S)
            if self._sockets is not None:
                shutil.rmtree(self._sockets, ignore_errors=True)

    def _start(self) -> None:
        # A socket's path may have some hundred characters: too few for a state folder's.
        self._sockets = Path(tempfile.mkdtemp(prefix="the-sink-"))
        socket = self._sockets / "aws"
        client = Path(__file__).with_name("aws_client.py")
        command = shlex.join([sys.executable, "-I", "-S", str(client), str(socket)])
        script = f'#!/bin/sh\nexec {command} "$@"\n'
        write_atomically(self._folder / "aws", script.encode(), mode=0o755)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-m", "sink_sandbox.services.codebuild.aws_server", str(socket)],
            stdin=subprocess.PIPE,
            env={**os.environ, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull},
        )
