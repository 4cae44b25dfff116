"""The app on this laptop: ``app/.venv`` from its lock, ``app/.env`` from its example.

Made when they are missing and again when what they were made from has changed; a stamp inside the
environment says from what.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from the_sink.config import procfile
from the_sink.config.files import Folder
from the_sink.config.problems import refusal
from the_sink.errors import InputError
from the_sink.local import uv
from the_sink.local.process import with_path_first

LOCK = "requirements-dev.lock"
_STAMP = ".the-sink"


def prepare(root: Path, runtime: str, say: Callable[[str], None]) -> Path:
    """Return the app's virtual environment, made or brought up to date where it has to be.

    Args:
        root: The app's root.
        runtime: The Python that the app runs on in stage; taken if it is on this machine.
        say: Told what is done and why.

    Raises:
        InputError: there is no lock.
        SinkError: uv could not make it.
    """
    environment, lock = root / "app" / ".venv", root / "app" / LOCK
    if not lock.is_file():
        raise InputError(f"There is no app/{LOCK}.", f"Make it: {uv.LOCK_COMMAND}.")
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    stamp = environment / _STAMP
    made_from = stamp.read_text().split() if stamp.is_file() else []
    # A link to an interpreter that was removed since is no file either.
    if len(made_from) != 2 or made_from[1] != runtime or not (environment / "bin" / "python").is_file():
        python = uv.find_python(runtime, root) or _own_python(runtime, say)
        say(f"Making app/.venv with {python}")
        uv.make_environment(environment, python)
        made_from = []
    if made_from[:1] != [wanted]:
        say(f"Installing app/{LOCK}")
        stamp.unlink(missing_ok=True)
        uv.install_locked(environment, lock)
        stamp.write_text(f"{wanted} {runtime}\n")
    return environment


def prepare_env_file(root: Path, say: Callable[[str], None]) -> None:
    """Make ``app/.env`` from ``app/.env.example`` if it is missing; never touch one that is there."""
    env_file, example = root / "app" / ".env", root / "app" / ".env.example"
    if not env_file.exists() and example.is_file():
        shutil.copyfile(example, env_file)
        env_file.chmod(0o600)
        say("Made app/.env from app/.env.example")


def environment_variables(root: Path, environment: Path) -> dict[str, str]:
    """Return what a process of the app sees: its environment's programs first, its source importable."""
    env = with_path_first(environment / "bin")
    env["PYTHONPATH"] = str(root / "app" / "src")
    return env


def read_procfile(root: Path) -> dict[str, str]:
    """Return the commands of ``app/Procfile`` by process type.

    Raises:
        ConfigError: it is missing, or the runtime would refuse it.
    """
    text, problems = Folder(root).read(procfile.FILE)
    commands: dict[str, str] = {}
    if not problems:
        commands, problems = procfile.parse_procfile(text)
    if problems:
        raise refusal(problems)
    return commands


def _own_python(runtime: str, say: Callable[[str], None]) -> Path:
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    say(f"Python {runtime}, which the app's tasks run on, is not on this machine: {own} stands in for it.")
    return Path(os.path.realpath(sys.executable))
