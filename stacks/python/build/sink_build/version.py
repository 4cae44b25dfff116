"""Which ``sink-build`` this is."""

from __future__ import annotations

import pkgutil


def read_version() -> str:
    """Return the platform's version that this zip was made at, "unpublished" for the sources themselves."""
    try:
        content = pkgutil.get_data("sink_build", "VERSION")
    except OSError:
        content = None
    return content.decode().strip() if content else "unpublished"
