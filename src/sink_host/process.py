"""Running programs of this machine: their output caught, or shown as it comes.

A program that is not there is one sentence, and one that Ctrl-C ended is an interruption, never a failure.
Arguments are lists; no shell reads them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sink_host.errors import InputError


@dataclass(frozen=True)
class Completed:
    """A program that has ended."""

    code: int
    output: bytes
    error_text: str

    @property
    def text(self) -> str:
        """What it wrote to standard output, without the last line's end."""
        return self.output.decode("utf-8", "replace").rstrip("\n")


def run(
    command: Sequence[str], cwd: Path, *, env: Mapping[str, str] | None = None, stdin: bytes | None = None
) -> Completed:
    """Run a program to its end and return what it said; its exit code is the caller's to judge.

    Raises:
        InputError: there is no such program.
        KeyboardInterrupt: Ctrl-C ended it.
    """
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=env,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise _missing(command[0], cwd) from error
    _require_uninterrupted(done.returncode)
    return Completed(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip())


_STDERR = 2
"""The descriptor: whatever sys.stderr stands for at the moment may have none."""


_INTERRUPTED = (-signal.SIGINT, 128 + signal.SIGINT)
"""Exit codes of a program that Ctrl-C ended: by the signal, or as shells count it."""


def show(
    command: Sequence[str],
    cwd: Path,
    *,
    env: Mapping[str, str] | None = None,
    is_data: bool = True,
    reads: bool = True,
) -> int:
    """Run a program with its output going where ours goes, and return its exit code.

    Ctrl-C reaches it too, through the terminal; it is given the time to end in its own way, and goes on where
    that is 0.

    Args:
        command: The program and its arguments.
        cwd: Where to run it.
        env: Its environment; ours, where none is given.
        is_data: Whether what it writes to standard output is asked for; if not, it goes to standard error.
        reads: Whether it may read what is typed.

    Raises:
        InputError: there is no such program.
        KeyboardInterrupt: Ctrl-C ended it.
    """
    with _ctrl_c_noted() as heard:
        try:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=env,
                stdin=None if reads else subprocess.DEVNULL,
                stdout=None if is_data else _STDERR,
            )
        except FileNotFoundError as error:
            raise _missing(command[0], cwd) from error
        try:
            code = process.wait()
        except BaseException:
            process.send_signal(signal.SIGTERM)
            process.wait()
            raise
    # Many have a code of their own for it: 2 is pytest's, 1 that of docker build.
    _require_uninterrupted(-signal.SIGINT if heard and code else code)
    return code


@contextmanager
def _ctrl_c_noted() -> Iterator[list[int]]:
    """Yield a list that Ctrl-C is noted in, instead of being raised.

    Raised while a program is being started, it would leave one that nobody waits for; raised as the wait for
    it returns, it would lose the exit code. Where Ctrl-C is ignored or answered in another way already, it
    stays so.
    """
    heard: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield heard
        return
    signal.signal(signal.SIGINT, lambda number, _frame: heard.append(number))
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _require_uninterrupted(code: int) -> None:
    if code in _INTERRUPTED:
        raise KeyboardInterrupt


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait: neither this process nor a program that it runs meanwhile hears of it.

    For steps of less than a second that are worse half done than done. Pressed meanwhile, it is forgotten.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's; what runs beside it never sees KeyboardInterrupt
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited by programs, as a handler is not
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def with_path_first(folder: Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment with ``folder`` first on its PATH and no virtual environment active."""
    env = dict(os.environ if environment is None else environment)
    env["PATH"] = os.pathsep.join([str(folder), env.get("PATH", os.defpath)])
    # Of the environment that the tasks run in, which is not the one that is being entered.
    env.pop("VIRTUAL_ENV", None)
    env.pop("PYTHONHOME", None)
    return env


def _missing(program: str, cwd: Path) -> InputError:
    if not cwd.is_dir():
        return InputError(f"There is no folder {cwd}.")
    name = Path(program).name
    if shutil.which(program):
        return InputError(
            f"{name} cannot be started: the interpreter in its first line is missing.", "Install it again."
        )
    return InputError(f"{name} is not installed, or not on the PATH.", f"Install {name}.")
