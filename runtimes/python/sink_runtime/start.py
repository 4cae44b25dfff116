"""container-init: what every task of an app starts with.

    container-init         the environment, then the Procfile's `release` to its end, then `web`
    container-init check   the environment, then the Procfile's `check`: exit code 0 or 1
    container-init health  ask the app that runs in this container for /health: exit code 0 or 1
    container-init env     the secret in SINK_SECRET_CORE as the text of a .env, on standard output

The environment is that of the container; what it lacks comes from the secret in SINK_SECRET_CORE, or else
from .env. The secret is also written to .env for whoever looks for its values there.

An app of the earlier platform starts in its own way: sink_runtime/earlier.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from sink_runtime import env_file
from sink_runtime.concurrency import choose_concurrency
from sink_runtime.earlier.layout import find_earlier
from sink_runtime.earlier.start import start as start_earlier
from sink_runtime.health import probe
from sink_runtime.layout import DEFAULTS, Layout, Refusal, read_layout, run, say
from sink_runtime.procfile import read_procfile
from sink_runtime.secret import VARIABLE, parse_secret
from sink_runtime.shell import exec_form
from sink_runtime.signals import SignalHandling
from sink_runtime.watch import leave_watching, watching


def main(arguments: Sequence[str]) -> int:
    """Run container-init and return its exit code; where `web` is a single command it never returns."""
    return run(_main, arguments)


def _main(arguments: Sequence[str]) -> int:
    layout = read_layout(os.environ)
    if list(arguments) == ["env"]:
        sys.stdout.write(env_file.render(parse_secret(os.environ.get(VARIABLE, ""))))
        return 0
    if list(arguments) == ["check"]:
        return check(layout)
    if list(arguments) == ["health"]:
        code, sentence = probe(os.environ)
        print(sentence)
        return code
    if arguments:
        raise Refusal(f"{' '.join(arguments)!r} is not understood: write container-init [check|env|health].")
    earlier = find_earlier(layout)
    return start_earlier(earlier) if earlier else start(layout)


def start(layout: Layout) -> int:
    """Run `release`, then become `web`, or stay as its parent where it is more than one command."""
    commands = read_procfile(layout.app / "Procfile")
    environment = make_environment(layout, os.environ)
    with Forwarding() as forwarding:
        if "release" in commands:
            say(f"release: {commands['release']}")
            code = forwarding.run(commands["release"], layout.app, environment)
            if code:
                say(f"release ended with exit code {code}; web is not started.")
                return code
        say(f"web: {commands['web']}")
        single = exec_form(commands["web"], environment["PATH"])
        if single is None:
            with watching(environment):
                code = forwarding.run(commands["web"], layout.app, environment)
            say(f"web ended with exit code {code}.")
            return code
        leave_watching(environment)
        return become(single, layout.app, environment)


def become(command: str, folder: Path, environment: Mapping[str, str]) -> NoReturn:
    """Let a command take this process's place: nothing stands between it and whoever stops the task."""
    os.chdir(folder)
    os.execve("/bin/sh", ["sh", "-c", command], environment)  # noqa: S606 - a shell, on purpose


def check(layout: Layout) -> int:
    """Run `check` as a task would run `web`; without such a line the environment alone is checked."""
    commands = read_procfile(layout.app / "Procfile")
    environment = make_environment(layout, os.environ)
    if "check" not in commands:
        say("The Procfile has no line `check: <command>`; only the settings were read.")
        return 0
    with Forwarding() as forwarding:
        code = forwarding.run(commands["check"], layout.app, environment)
    if code:
        say(f"check ended with exit code {code}: a task of this image would not start.")
        return 1
    return 0


def make_environment(layout: Layout, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of what is started; writes .env where a secret has arrived.

    What the container's own environment says wins, as it does with python-dotenv: the task definition
    decides over the secret, and no secret replaces PATH.
    """
    own = {name: value for name, value in environ.items() if name != VARIABLE}
    if VARIABLE in environ:
        settings = parse_secret(environ[VARIABLE])
        write_env_file(layout.env_file, env_file.render(settings))
    else:
        settings = _read_env_file(layout.env_file, own)
    found = {**DEFAULTS, **settings, **own}
    found |= choose_concurrency(found)
    found["VIRTUAL_ENV"] = str(layout.venv)
    found["PATH"] = os.pathsep.join([str(layout.venv / "bin"), found.get("PATH", os.defpath)])
    found["PYTHONPATH"] = os.pathsep.join(filter(None, [str(layout.src), found.get("PYTHONPATH", "")]))
    return found


def write_env_file(path: Path, text: str) -> None:
    """Replace .env, readable by this user alone; go on without it where nothing can be written.

    A task with a read-only root has no place for it; the values are in its environment all the same.
    """
    temporary = None
    try:
        target = path.resolve()
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".env-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o400)
            file.write(text)
        Path(temporary).replace(target)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        say(f"{path} is not written ({error.strerror}); the settings are in the environment.")


def _read_env_file(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Refusal(f"{path} cannot be read: {reason}.") from None
    return env_file.parse(text, str(path), environ)


def _await_group(leader: int) -> None:
    """Wait until nothing of a process group is left, whoever its processes belong to by now.

    Orphans become children of process 1: of this process, or of the init that a task with ECS Exec has
    before it, and then nothing but the group still leads to them.
    """
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-leader, os.WNOHANG)[0]:
                pass
        try:
            os.killpg(leader, 0)
        except ProcessLookupError:
            return
        except PermissionError:
            pass  # it is there
        time.sleep(0.05)


class Forwarding(SignalHandling):
    """SIGTERM and SIGINT reach all of the command that runs; between commands they end this process."""

    def __init__(self) -> None:
        self._is_running = False
        self._child: subprocess.Popen[bytes] | None = None
        self._received = 0

    def run(self, command: str, folder: Path, environment: Mapping[str, str]) -> int:
        """Run a command to its end and return its exit code; one that was told to stop never counts as 0."""
        self._is_running = True
        shell = ["/bin/sh", "-c", exec_form(command, environment["PATH"]) or command]
        self._child = subprocess.Popen(shell, cwd=folder, env=environment, start_new_session=True)
        if self._received:  # while the process was being made
            self._pass_on(self._received)
        code = self._child.wait()
        if self._received:
            # The shell ends at once, what it has started may still drain.
            _await_group(self._child.pid)
        self._is_running = False
        code = 128 - code if code < 0 else code
        return code or (128 + self._received if self._received else 0)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._received = number
        if not self._is_running:
            raise SystemExit(128 + number)
        self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)
