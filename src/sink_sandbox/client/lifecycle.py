"""Start, find and stop a sandbox from any folder: the client's side of the server process.

Imported by task files on every invocation, so it stays on the standard library and imports its heavier
parts where they are used. What is running is decided by a lock that the server holds for its lifetime,
never by a process id alone: ids are reused, locks are released by the kernel however a process ends.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from sink_host.home import home
from sink_host.interrupts import interrupted_afterwards
from sink_sandbox.authentication.secret import FILE as SECRET_FILE
from sink_sandbox.authentication.secret import ROOT_KEY, read_secret
from sink_sandbox.client.choosing import Choice, check_running, choose_compute, forget_engine
from sink_sandbox.client.ports import PortIs, former_port, look_at, next_free, sandbox_on
from sink_sandbox.client.process import (
    exclusive,
    is_alive,
    is_held,
    make_private,
    open_private,
    request,
    send_signal,
    wait_until,
)
from sink_sandbox.errors import InputError, SandboxUnavailable

DEFAULT_PORT = 4566
ACCOUNT_ID = ROOT_KEY
"""The one account of a sandbox, and its root's access key; the key's secret is :attr:`Sandbox.secret`."""

START_TIMEOUT_S = 180.0
"""Its databases come back before it answers, and one that must recover is given a minute for that."""

_POLL_S = 0.05

_END_S = 10.0
"""How long a sandbox that has not started yet may take to end in an orderly way."""

_RESET_S = 300.0
"""How long it may take to end tasks and databases, and to remove what an engine has."""


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox."""

    name: str
    state_dir: Path
    port: int
    pid: int
    endpoint_url: str
    compute: str
    """``docker`` or ``processes``: what plays containers."""
    reason: str = ""
    """Why it is played that way, where nobody asked for it."""
    secret: str = field(default="", repr=False)
    """Of root's access key, which is :data:`ACCOUNT_ID`."""


def default_name() -> str:
    """Return the sandbox that commands use: ``THE_SINK_SANDBOX``, else ``default``."""
    return os.environ.get("THE_SINK_SANDBOX") or "default"


def state_dir(name: str) -> Path:
    """Return where the sandbox called ``name`` keeps everything it knows.

    Raises:
        InputError: the name cannot be a folder's name, or this user has no home folder.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", name):
        raise InputError(
            f"{name!r} cannot name a sandbox: use 1 to 40 lowercase letters, digits and hyphens.",
            "Set THE_SINK_SANDBOX to another name, or unset it.",
        )
    base = os.environ.get("XDG_STATE_HOME")
    root = Path(base) if base else home("XDG_STATE_HOME") / ".local" / "state"
    return root / "the-sink" / name


def start(
    name: str, *, port: int | None = None, compute: str = "", timeout_s: float = START_TIMEOUT_S
) -> Sandbox:
    """Start the sandbox ``name`` as a process of its own and wait until it answers.

    A sandbox that is already running is returned as it is. One that was stopped or killed comes back with
    its state, and on its former port, so that addresses printed before still open. Interrupted, it ends what
    it has started.

    Args:
        name: The sandbox's.
        port: Of its endpoint; None takes the former one, else 4566.
        compute: ``docker`` or ``processes``; "" takes what ``choose_compute`` finds.
        timeout_s: How long it may take to answer.

    Raises:
        SandboxUnavailable: the port belongs to somebody else, the compute cannot be had, or the process
            ended before it answered.
    """
    home = state_dir(name)
    make_private(home)
    with exclusive(home / "start.lock", timeout_s) as lock:
        running = find(name)
        if running is not None:
            if port is not None and port != running.port:
                raise SandboxUnavailable(
                    f"The sandbox {name!r} is already running on port {running.port}, not {port}.",
                    f"Start it anew: invoke sandbox.stop && invoke sandbox.start --port {port}",
                )
            check_running(name, home, running.compute, compute)
            return running
        wanted = port or former_port(home) or DEFAULT_PORT
        _check_port(name, wanted, compute)
        choice = choose_compute(name, home, compute)
        _check_space(name, home)
        return _launch(name, home, wanted, choice, timeout_s, lock)


def find(name: str) -> Sandbox | None:
    """Return the sandbox ``name`` if it is running and ready."""
    home = state_dir(name)
    entry = _read_entry(home)
    if entry is None or not is_held(home / "server.lock"):
        return None
    return Sandbox(
        name=name,
        state_dir=home,
        port=entry["port"],
        pid=entry["pid"],
        endpoint_url=entry["endpoint_url"],
        compute=entry["compute"],
        reason=entry.get("reason", ""),
        secret=read_secret(home),
    )


def require(name: str) -> Sandbox:
    """Return the running sandbox ``name``.

    Raises:
        SandboxUnavailable: saying whether it was never started, is starting, stopped, or killed, that the
            files which it runs from are gone, or that it is of a version whose sandboxes had no secret.
    """
    running = find(name)
    home = state_dir(name)
    if running is not None:
        _check_package(name, home)
        if not running.secret:
            raise SandboxUnavailable(
                f"The sandbox {name!r} was started by a version that signed nothing, and has no secret.",
                f"Start it from here, with its state: invoke sandbox.stop, then {_start_command(home)}",
            )
        return running
    if is_held(home / "start.lock"):
        raise SandboxUnavailable(
            f"The sandbox {name!r} is being started or stopped by another command.",
            "See in a moment: invoke sandbox.status",
        )
    entry = _read_entry(home)
    if entry is not None:
        raise SandboxUnavailable(
            f"The sandbox {name!r} was killed: its process {entry['pid']} is gone.",
            f"Bring it back with its state: {_start_command(home)}",
        )
    known = "stopped" if (home / "port").exists() else "not running"
    raise SandboxUnavailable(f"The sandbox {name!r} is {known}.", f"Start it: {_start_command(home)}")


def stop(name: str, *, timeout_s: float = 30) -> bool:
    """Stop the sandbox ``name``, keeping its state; False when it was not running.

    One that is starting is waited for. A process that does not end in time is killed: its state was saved
    after the last change.

    Raises:
        SandboxUnavailable: another command is starting it for longer than that.
    """
    home = state_dir(name)
    if not home.is_dir():
        return False
    with exclusive(home / "start.lock", timeout_s):
        entry = _read_entry(home)
        if entry is None or not is_held(home / "server.lock"):
            return False
        send_signal(entry["pid"], "SIGTERM")
        if not wait_until(lambda: not is_held(home / "server.lock"), timeout_s):
            send_signal(entry["pid"], "SIGKILL")
            wait_until(lambda: not is_held(home / "server.lock"), 5)
            (home / "sandbox.json").unlink(missing_ok=True)
        wait_until(lambda: not is_alive(entry["pid"]), 5)
        return True


def reset(name: str, *, timeout_s: float = 30) -> None:
    """Empty the sandbox ``name``, running or not; a running one stays running, one that starts is waited for.

    Raises:
        SandboxUnavailable: its images are in a Docker Engine that does not answer, or another command is
            starting it for longer than ``timeout_s``; nothing was emptied. Or it runs, and does not answer
            that it is empty.
    """
    home = state_dir(name)
    if not home.is_dir():
        return
    with exclusive(home / "start.lock", timeout_s):
        running = find(name)
        if running is not None:
            if request(running.port, "POST", "/_sandbox/reset", running.secret, _RESET_S) is None:
                raise SandboxUnavailable(
                    f"The sandbox {name!r} did not answer that it is empty.",
                    f"Its log: {home / 'server.log'}",
                )
            return
        forget_engine(home)
        for kept in home.iterdir():
            if kept.name in ("start.lock", "server.lock", "warden.lock", "port", SECRET_FILE):
                continue
            if kept.is_dir() and not kept.is_symlink():
                shutil.rmtree(kept, ignore_errors=True)
            else:
                kept.unlink(missing_ok=True)


def _launch(name: str, home: Path, port: int, choice: Choice, timeout_s: float, lock: IO[bytes]) -> Sandbox:
    """Start the server and wait for it; Ctrl-C waits too, until a server that is not ready has ended."""
    log = home / "server.log"
    (home / "sandbox.json").unlink(missing_ok=True)
    with interrupted_afterwards() as heard:
        with open(log, "wb", opener=open_private) as output:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "sink_sandbox", "--name", name, "--port", str(port)),
                    *("--engine", choice.engine, "--reason", choice.reason),
                    *("--starting", str(lock.fileno())),
                ],
                cwd=home,
                env=_server_environment(home),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal that started it must not reach it
                # Were this process killed, the lock would still say that the sandbox is starting.
                pass_fds=(lock.fileno(),),
            )
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not heard:
            running = find(name)
            if running is not None:
                return running
            if process.poll() is not None:
                raise SandboxUnavailable(
                    f"The sandbox {name!r} did not start: {_last_line(log)}", f"Its log: {log}"
                )
            time.sleep(_POLL_S)
        _end(process, home)
        raise SandboxUnavailable(
            f"The sandbox {name!r} did not answer within {timeout_s:g} s.", f"Its log: {log}"
        )


def _end(process: subprocess.Popen[bytes], home: Path) -> None:
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    (home / "sandbox.json").unlink(missing_ok=True)


def _server_environment(home: Path) -> dict[str, str]:
    """The caller's environment without its AWS settings: nothing in a sandbox may reach an account."""
    # Without its bytecode the emulator takes five times as long to start, and an environment made by uv
    # has none before the first import.
    dropped = {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE"}
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith("AWS_") and key not in dropped
    }
    environment["XDG_STATE_HOME"] = str(home.parent.parent)
    environment["PYTHONUNBUFFERED"] = "1"
    return environment


def _check_package(name: str, home: Path) -> None:
    """What a running sandbox has not imported yet it can import no more once its environment is deleted."""
    package = (_read_entry(home) or {}).get("package", "")
    if package and not Path(package).is_dir():
        raise SandboxUnavailable(
            f"The sandbox {name!r} was started from {package}, which is gone, and cannot go on without it.",
            f"Start it from here, with its state: invoke sandbox.stop, then {_start_command(home)}",
        )


def _start_command(home: Path) -> str:
    """How to start a sandbox again; the port is named where it is one of its own, though it is kept."""
    port = former_port(home) or DEFAULT_PORT
    return "invoke sandbox.start" + f" --port {port}" * (port != DEFAULT_PORT)


_LEAST_FREE = 64 * 1024 * 1024


def _check_space(name: str, home: Path) -> None:
    """A sandbox without room for its state would lose it at the first change."""
    free = shutil.disk_usage(home).free
    if free < _LEAST_FREE:
        raise SandboxUnavailable(
            f"The sandbox {name!r} cannot start: {home} has {free // 1024 // 1024} MB free, and needs "
            f"{_LEAST_FREE // 1024 // 1024}.",
            "Make room, or set XDG_STATE_HOME to a folder on another disk.",
        )


def _check_port(name: str, port: int, compute: str) -> None:
    again = "invoke sandbox.start" + f" --compute {compute}" * bool(compute)
    match look_at(port):
        case PortIs.NO_PORT:
            raise InputError(f"{port} is not a port.", "Use a number from 1 to 65535.")
        case PortIs.PRIVILEGED:
            raise SandboxUnavailable(
                f"Port {port} needs privileges that this user does not have.",
                f"Choose one from 1024 on: {again} --port {DEFAULT_PORT}",
            )
        case PortIs.TAKEN:
            other = sandbox_on(port, state_dir(name).parent)
            same = again + f" --port {port}" * (port != DEFAULT_PORT)
            stop = (
                f"Stop that one: THE_SINK_SANDBOX={other} invoke sandbox.stop, and then: {same}. Or let it "
                "run and choose another port"
                if other
                else "Choose another"
            )
            by = f"the sandbox {other!r}" if other else "another program"
            raise SandboxUnavailable(
                f"The sandbox {name!r} cannot start: port {port} is taken by {by}.",
                f"{stop}: {again} --port {next_free(port)}",
            )


def _read_entry(home: Path) -> dict[str, Any] | None:
    try:
        entry = json.loads((home / "sandbox.json").read_text())
    except (OSError, ValueError):
        return None
    return (
        entry
        if isinstance(entry, dict) and {"pid", "port", "endpoint_url", "compute"} <= set(entry)
        else None
    )


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it ended without a word."
