"""The settings of an app for a task that works on the layout of generated apps alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from the_sink.config import Settings


def load_own_app(task: str) -> Settings:
    """Return the settings of the app that this folder is in.

    Raises:
        ConfigError: outside an app, or ``sink.toml`` is malformed.
        InputError: the app has the legacy platform's layout.
    """
    from the_sink.config import load_app
    from the_sink.config.files import Folder
    from the_sink.config.legacy import require_own_layout

    settings = load_app()
    require_own_layout(Folder(settings.root), task)
    return settings
