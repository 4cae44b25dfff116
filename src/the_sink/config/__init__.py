"""What an app's files say, and what is wrong with them: ``sink.toml`` and everything under ``aws/``.

Reads files, runs nothing, knows nothing of AWS. The tasks load :class:`Settings` first of all.
"""

from __future__ import annotations

from the_sink.config.problems import Problem
from the_sink.config.settings import (
    Environment,
    Package,
    PlatformSettings,
    Settings,
    find_app,
    load_app,
    load_platform,
)

__all__ = [
    "Environment",
    "Package",
    "PlatformSettings",
    "Problem",
    "Settings",
    "find_app",
    "load_app",
    "load_platform",
]
