"""Find the files that travel with the package: ``stacks/`` and ``runtimes/``.

In an editable checkout they are the repository's own folders; in a wheel they lie in
``the_sink/_resources`` (see ``force-include`` in ``pyproject.toml``).
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_path(relative: str) -> Path:
    """Return the path of a shipped file or folder, for example ``stacks/python/pipeline.yml``.

    Raises:
        FileNotFoundError: the installation is broken; nothing a user can cause.
    """
    for root in (_PACKAGE / "_resources", _PACKAGE.parent.parent):
        if (root / relative).exists():
            return root / relative
    raise FileNotFoundError(f"{relative} is neither in the wheel nor beside src/")


def platform_version() -> str:
    """Return the version of the installed package, which is also that of the stacks it carries."""
    return version("the-sink")
