"""Which Python of this machine stands for a version that is asked for.

The sandbox starts an image's tasks with it, and the app's tasks on a laptop run on it, so both see the same
one. Nothing is ever downloaded: a version that is not here is replaced by the Python that runs the platform,
and whoever asked says so in one line.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sink_host.home import passwd_home
from sink_host.uv import find_uv

_PROBE_TIMEOUT_S = 30


@dataclass(frozen=True)
class Interpreter:
    """One Python of this machine.

    Attributes:
        path: The executable.
        version: In full, such as ``3.13.0``.
        wanted: The version that was asked for.
    """

    path: Path
    version: str
    wanted: str

    @property
    def notice(self) -> str:
        """What to tell where the version is not the one that was asked for, else ""."""
        if not self.wanted or self.version.startswith(f"{self.wanted}."):
            return ""
        return f"Python {self.wanted} is not on this machine; Python {self.version} is used instead."

    @property
    def minor(self) -> str:
        """The version without its patch number, such as ``3.13``."""
        return ".".join(self.version.split(".")[:2])


@functools.lru_cache
def find_python(wanted: str) -> Interpreter:
    """Return this machine's Python of a minor version; its own where there is none or none is asked for."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    if wanted not in ("", own):
        for candidate in (*_pyenv_pythons(wanted), *_uv_pythons(wanted)):
            if version := _probe(candidate):
                return Interpreter(candidate, version, wanted)
    # The interpreter below a virtual environment: programs that are started from a scratch folder must
    # not see the platform's packages.
    base = Path(getattr(sys, "_base_executable", None) or sys.executable)
    return Interpreter(base, ".".join(map(str, sys.version_info[:3])), wanted)


def _pyenv_pythons(wanted: str) -> list[Path]:
    # uv asks pyenv's shims, which refuse every version that is not the current one.
    found = (_pyenv_root() / "versions").glob(f"{wanted}.*/bin/python{wanted}")
    return sorted(found, key=_patch_number, reverse=True)


def _pyenv_root() -> Path:
    """Return pyenv's folder, the same one whether the sandbox asks or a build, whose HOME is its own."""
    if root := os.environ.get("PYENV_ROOT"):
        return Path(root)
    command = shutil.which("pyenv")
    home = passwd_home()
    if command and not (home and (home / ".pyenv").is_dir()):
        return Path(command).resolve().parent.parent
    return (home or Path("/nonexistent")) / ".pyenv"


def _patch_number(path: Path) -> int:
    match = re.match(r"\d+\.\d+\.(\d+)", path.parent.parent.name)
    return int(match[1]) if match else -1


def _uv_pythons(wanted: str) -> list[Path]:
    options = ["--system", "--no-project", "--no-config", "--no-python-downloads"]
    try:
        answer = subprocess.run(
            [find_uv(), "python", "find", *options, wanted],
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [Path(answer.stdout.strip())] if answer.returncode == 0 and answer.stdout.strip() else []


def _probe(candidate: Path) -> str:
    """Return the version that an executable reports, or "" if it does not run."""
    code = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
    try:
        answer = subprocess.run(
            [str(candidate), "-I", "-S", "-c", code],
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()
