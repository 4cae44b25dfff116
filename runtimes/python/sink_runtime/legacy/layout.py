"""Where the Dockerfile of an app of the legacy platform puts things."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sink_runtime.layout import Layout

HOME = "/home/smartlabuser"
"""The folder that such apps know as theirs; in an image it is a link to ours."""

USER = "smartlabuser"


@dataclass(frozen=True)
class LegacyApp:
    """The paths of one app.

    Attributes:
        root: ``/``, or the folder that stands for it.
        home: What the app knows as ``/home/smartlabuser``.
        venv: Its dependencies.
        is_image: False where another folder stands for the root of an image.
    """

    root: Path
    home: Path
    venv: Path
    is_image: bool

    @property
    def server(self) -> Path:
        """The service: pyproject.toml, src/, migrations/ and the .env that Build wrote."""
        return self.home / "app" / "server"

    @property
    def client(self) -> Path:
        """The built pages; an app may have none."""
        return self.home / "app" / "client" / "build"

    @property
    def sources(self) -> Path:
        """The folder with the app's packages."""
        return self.server / "src" if (self.server / "src").is_dir() else self.server

    @property
    def app_boot(self) -> Path:
        """What runs before the service serves: migrations, for example."""
        return self.root / "usr" / "bin" / "app-boot"

    @property
    def programs(self) -> Path:
        """The folder of supervisor's ``*.ini``."""
        return self.root / "etc" / "supervisord.d"

    @property
    def shared(self) -> Path:
        """The files that every task of the app shares."""
        return self.root / "mnt" / "shared"

    def place(self, path: str) -> str:
        """Return where a path of the image is, where another folder stands for the image's root."""
        if self.is_image or not path.startswith("/"):
            return path
        inside = self.home / path[len(HOME) + 1 :] if path.startswith(f"{HOME}/") else self.root / path[1:]
        return str(inside) if inside.exists() else path


def find_legacy(layout: Layout) -> LegacyApp | None:
    """Return the app if it is one of the legacy platform: ``app/server``, and no Procfile."""
    root = layout.app.parent
    if (layout.app / "Procfile").exists():
        return None
    # A Dockerfile that names the home by its path finds no link where nothing but layers was unpacked.
    for home in (layout.app, root / HOME[1:]):
        if (home / "app" / "server").is_dir():
            return LegacyApp(root, home, layout.venv, layout.is_image)
    return None
