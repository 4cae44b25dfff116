"""The virtual environments of images: made once per Python and lock file, shared by all that need them.

In a container the dependencies are a layer of the image. Here they are a folder of the sandbox's state,
because a virtual environment names the folder it was made in and a process cannot be given another root.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from sink_sandbox.containers.locks import exclusive

VENV_LABEL = "the-sink.sandbox.venv"
"""Set by the sandbox's ``docker build`` on an image whose dependencies are installed: the key."""

# What app-init may install from: the lock file, or what apps of the legacy platform have.
_EARLIER = ("requirements.lock", "pyproject.toml", "requirements.txt")
_SOURCES = ("requirements.lock", *(f"app/server/{name}" for name in _EARLIER))


def environment_key(python_version: str, app: Path) -> str:
    """Return the key of the virtual environment that the app in this folder needs."""
    seal = hashlib.sha256(python_version.encode())
    for name in _SOURCES:
        if (app / name).is_file():
            seal.update(b"\0" + name.encode() + b"\0" + (app / name).read_bytes())
    return seal.hexdigest()[:32]


class Environments:
    """The virtual environments of one sandbox."""

    def __init__(self, state_dir: Path) -> None:
        self._root = state_dir / "venvs"

    def path(self, key: str) -> Path:
        """Return the folder of an environment, made or not."""
        return self._root / key

    def is_complete(self, key: str) -> bool:
        """Whether the environment was made to its end and its Python is still on this machine."""
        return (self.path(key) / ".complete").is_file() and (self.path(key) / "bin" / "python").exists()

    def ensure(self, key: str, make: Callable[[Path], None]) -> bool:
        """Have ``make`` fill the environment's folder unless it is complete; True if it was.

        One process at a time makes an environment; what ``make`` raises leaves no environment behind.
        """
        with exclusive(self._root / f".{key}.lock"):
            if self.is_complete(key):
                return True
            shutil.rmtree(self.path(key), ignore_errors=True)
            try:
                make(self.path(key))
            except BaseException:
                shutil.rmtree(self.path(key), ignore_errors=True)
                raise
            (self.path(key) / ".complete").touch()
            return False
