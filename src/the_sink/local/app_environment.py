"""The app on this laptop: ``app/.venv`` from its lock, ``app/.env`` from its example.

Made when they are missing and again when what they were made from has changed; a stamp inside the
environment says from what.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from sink_host import uv
from sink_host.process import with_path_first
from sink_host.pythons import find_python
from the_sink.config import procfile
from the_sink.config.files import Folder
from the_sink.config.problems import refusal
from the_sink.errors import InputError

LOCK = "requirements-dev.lock"
_STAMP = ".the-sink"


def prepare(root: Path, runtime: str, say: Callable[[str], None]) -> Path:
    """Return the app's virtual environment, made or brought up to date where it has to be.

    Args:
        root: The app's root.
        runtime: The Python that the app runs on in stage, such as ``3.13``; another stands in for one that is
            not on this machine, and is said.
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
    installed = stamp.read_text().split()[:1] if stamp.is_file() else []
    python = find_python(runtime)
    if python.notice:
        # Each time: what passes on another Python may fail on the one that it is deployed with.
        say(python.notice)
    # A link to an interpreter that was removed since is no file either.
    if _minor_of(environment) != python.minor or not (environment / "bin" / "python").is_file():
        say(f"Making app/.venv with Python {python.version} ({python.path})")
        uv.make_environment(environment, python.path)
        installed = []
    if installed != [wanted]:
        say(f"Installing app/{LOCK}")
        stamp.unlink(missing_ok=True)
        uv.install_locked(environment, lock)
        stamp.write_text(f"{wanted}\n")
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


def _minor_of(environment: Path) -> str:
    """The Python that a virtual environment was made with, such as ``3.13``; "" if that is not known."""
    settings = environment / "pyvenv.cfg"
    text = settings.read_text(encoding="utf-8") if settings.is_file() else ""
    # uv writes version_info, the standard library version.
    match = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+)", text, re.MULTILINE)
    return match[1] if match else ""
