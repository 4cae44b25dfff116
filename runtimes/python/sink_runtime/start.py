"""container-init: what every task of an app starts with.

    container-init         the environment, then the Procfile's `release` to its end, then `web`, and
                           beside it every further process type
    container-init check   the environment, then the Procfile's `check`: exit code 0 or 1
    container-init health  ask the app that runs in this container for /health: exit code 0 or 1
    container-init env     the secret in SINK_SECRET_CORE as the text of a .env, on standard output

The environment is that of the container; what it lacks comes from the secret in SINK_SECRET_CORE, or else
from .env. The secret is also written to .env for whoever looks for its values there.

An app of the legacy platform starts in its own way: sink_runtime/legacy.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from sink_runtime import env_file
from sink_runtime.children import Children
from sink_runtime.concurrency import choose_concurrency
from sink_runtime.health import probe
from sink_runtime.layout import DEFAULTS, Layout, Refusal, read_layout, run, say
from sink_runtime.legacy.layout import find_legacy
from sink_runtime.legacy.start import start as start_legacy
from sink_runtime.procfile import PROCESSES, read_procfile
from sink_runtime.secret import VARIABLE, parse_secret, refuse_steering
from sink_runtime.shell import exec_form
from sink_runtime.signals import give_back_signals
from sink_runtime.turns import taking_turns
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
    legacy = find_legacy(layout)
    return start_legacy(legacy) if legacy else start(layout)


def start(layout: Layout) -> int:
    """Run `release`, then become `web`, or stay as the parent of several commands."""
    commands = read_procfile(layout.app / "Procfile")
    environment = make_environment(layout, os.environ)
    with Children() as children:
        if "release" in commands:
            with taking_turns(layout.shared, "release"):
                say(f"release: {commands['release']}")
                code = _run(children, commands["release"], layout.app, environment)
            if code:
                say(f"release ended with exit code {code}; web is not started.")
                return code
        lasting = {name: commands[name] for name in ("web", *sorted(commands.keys() - PROCESSES))}
        for name, command in lasting.items():
            say(f"{name}: {command}")
        single = exec_form(commands["web"], environment["PATH"])
        if single is not None and len(lasting) == 1:
            leave_watching(environment)
            return become(single, layout.app, environment)
        return _stay(children, lasting, layout.app, environment)


def _run(children: Children, command: str, folder: Path, environment: Mapping[str, str]) -> int:
    """Run a command to its end and return its exit code; one that was told to stop never counts as 0."""
    code = children.wait(_start(children, command, folder, environment))
    return code or (128 + children.received if children.received else 0)


def _stay(
    children: Children, commands: Mapping[str, str], folder: Path, environment: Mapping[str, str]
) -> int:
    """Start `web`, and the further process types beside it, and wait; return an exit code.

    Their lines reach the log as they are: a name before them would break those that are JSON.
    """
    started = {_start(children, command, folder, environment): name for name, command in commands.items()}
    with watching(next(iter(started)).pid, environment):
        first = children.wait_together(list(started))
    code = children.wait(first)
    if children.received:
        return code or 128 + children.received
    say(f"{started[first]} ended with exit code {code}{', and the task with it' * (len(started) > 1)}.")
    return code


def _start(
    children: Children, command: str, folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    single = exec_form(command, environment["PATH"])
    shell = ["/bin/sh", "-c", single or command]
    return children.start(shell, folder, environment, whole_group=single is None)


def become(command: str, folder: Path, environment: Mapping[str, str]) -> NoReturn:
    """Let a command take this process's place: nothing stands between it and whoever stops the task."""
    os.chdir(folder)
    give_back_signals()
    os.execve("/bin/sh", ["sh", "-c", command], environment)  # noqa: S606 - a shell, on purpose


def check(layout: Layout) -> int:
    """Run `check` as a task would run `web`; without such a line the environment alone is checked."""
    commands = read_procfile(layout.app / "Procfile")
    environment = make_environment(layout, os.environ)
    if "check" not in commands:
        say("The Procfile has no line `check: <command>`; only the settings were read.")
        return 0
    with Children() as children:
        code = _run(children, commands["check"], layout.app, environment)
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
    hidden = sorted(name for name, value in settings.items() if own.get(name, value) != value)
    if hidden:
        say(f"Not used of the settings, because the container has its own: {', '.join(hidden)}.")
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
        say(f"{path} is not written ({error.strerror}); the settings are in the environment.")
    finally:
        if temporary:
            with contextlib.suppress(OSError):  # it has another name by now
                Path(temporary).unlink()


def _read_env_file(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a byte-order mark
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Refusal(f"{path} cannot be read: {reason}.") from None
    settings = env_file.parse(text, str(path), environ)
    for name in settings:
        refuse_steering(name, str(path))
    return settings
