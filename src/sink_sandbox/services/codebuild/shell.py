"""One shell for all commands of a build, so that exports and folder changes last, as in buildspec 0.2.

The shell reads names of command files and runs each with ``eval``. A command that ends the shell itself
(``exit 7``) is that command's failure: the next one gets a new shell with the environment and folder of
the last completed command.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

_DRIVER = r"""
if [ -f "$SINK_SHELL/environment" ]; then . "$SINK_SHELL/environment"; cd "$(cat "$SINK_SHELL/folder")"; fi
exec 8<&0 9>&1 </dev/null
__sink_shell=$SINK_SHELL
__sink_mark=$SINK_MARK
unset SINK_SHELL SINK_MARK
while IFS= read -r __sink_file <&8; do
  eval "$(cat "$__sink_file")"
  __sink_status=$?
  export -p > "$__sink_shell/environment"
  pwd > "$__sink_shell/folder"
  printf '\n%s %s\n' "$__sink_mark" "$__sink_status" >&9
done
"""


class Shell:
    """Runs commands one after another; output goes, line by line, to ``emit``."""

    def __init__(
        self,
        kind: str,
        *,
        folder: Path,
        scratch: Path,
        environment: dict[str, str],
        emit: Callable[[str], None],
    ) -> None:
        self._argv = find_shell(kind)
        self._folder = folder
        self._scratch = scratch
        self._environment = environment
        self._emit = emit
        self._mark = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0
        self._killed = threading.Event()
        self._lock = threading.Lock()
        scratch.mkdir(parents=True, exist_ok=True)

    def run(self, command: str) -> int:
        """Run one command and return its exit status; 137 when the shell was killed."""
        if self._killed.is_set():
            return 137
        process = self._alive()
        if self._killed.is_set():  # while it was being started: whoever killed it found nothing to end
            self._end_group(signal.SIGKILL)
        self._count += 1
        file = self._scratch / f"command-{self._count}"
        file.write_text(command)
        orders = cast(IO[bytes], process.stdin)
        with contextlib.suppress(BrokenPipeError):  # a shell that has ended is seen by what reads its output
            orders.write(f"{file}\n".encode())
            orders.flush()
        status = self._read_until_mark(process)
        file.unlink(missing_ok=True)
        return status

    def value(self, name: str) -> str:
        """Return the value a variable has in the shell now."""
        target = self._scratch / "value"
        emit, self._emit = self._emit, lambda _line: None
        try:
            self.run(f'printf %s "${{{name}-}}" > {_quote(str(target))}')
        finally:
            self._emit = emit
        return target.read_text() if target.exists() else ""

    def kill(self) -> None:
        """End the shell and everything it started; commands still to come fail."""
        self._killed.set()
        self._end_group(signal.SIGKILL)

    def close(self) -> None:
        """End the shell, and with it what it left in the background, as a build container's end does."""
        self._end_group(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()

    def _alive(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                if self._process is not None:
                    self.close()
                self._process = subprocess.Popen(
                    [*self._argv, "-c", _DRIVER],
                    cwd=self._folder,
                    env={**self._environment, "SINK_SHELL": str(self._scratch), "SINK_MARK": self._mark},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            return self._process

    def _read_until_mark(self, process: subprocess.Popen[bytes]) -> int:
        """Emit output until the command's end; an empty line right before the mark is the driver's own."""
        held = False
        for raw in cast(IO[bytes], process.stdout):
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if line.startswith(self._mark):
                return int(line.split()[1])
            if held:
                self._emit("")
            held = line == ""
            if not held:
                self._emit(line)
        status = process.wait()
        return status if status >= 0 else 128 - status

    def _end_group(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, how)


def find_shell(kind: str) -> list[str]:
    """Return the command line of the shell that ``env/shell`` names.

    Without one CodeBuild uses ``sh``, which in its Amazon Linux images is bash in POSIX mode
    (https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-cmd.html).
    """
    bash = shutil.which("bash")
    if kind == "bash" and bash:
        return [bash, "--norc"]
    if kind == "" and bash:
        return [bash, "--posix", "--norc"]
    return ["/bin/sh"]


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
