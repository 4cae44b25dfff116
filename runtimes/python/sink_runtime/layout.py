"""Where things are in an image, or below SINK_ROOT where the same scripts run as plain processes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULTS = {"HOST": "0.0.0.0", "PORT": "8080", "PYTHONUNBUFFERED": "1"}  # noqa: S104 - inside a container
"""What the app's environment has where nobody says otherwise."""

ANY_HOSTS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - names, not used to listen
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class Refusal(Exception):
    """The app, its settings or the command line make it impossible; one sentence, never a secret."""


@dataclass(frozen=True)
class Layout:
    """The paths of one app.

    Attributes:
        app: Its sources, Procfile and .env.
        venv: Its dependencies.
        is_image: False where SINK_ROOT makes another folder stand for the root of an image.
    """

    app: Path
    venv: Path
    is_image: bool

    @property
    def src(self) -> Path:
        """What PYTHONPATH names: the app itself is never installed."""
        return self.app / "src"

    @property
    def shared(self) -> Path:
        """Where the file system is mounted that the tasks of the service share."""
        return self.app.parent / "mnt" / "shared"

    @property
    def env_file(self) -> Path:
        """The settings of the app as a file."""
        return self.app / ".env"


def read_layout(environ: Mapping[str, str]) -> Layout:
    """Return the paths that SINK_ROOT and SINK_VENV ask for."""
    root = environ.get("SINK_ROOT", "")
    venv = environ.get("SINK_VENV") or f"{root}/opt/venv"
    return Layout(app=Path(f"{root}/app"), venv=Path(venv), is_image=not root)


def say(text: str) -> None:
    """Write one line to the log; standard output belongs to the app."""
    print(f"{Path(sys.argv[0]).name}: {text}", file=sys.stderr, flush=True)


def run(body: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Run a command and return its exit code; a refusal is one line and 2."""
    try:
        return body(arguments)
    except Refusal as refusal:
        say(str(refusal))
        return 2
