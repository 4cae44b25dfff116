"""Find the platform's own files: ``stacks/`` and ``runtimes/``, and the version that they are at.

Three places hold them. In a wheel they lie in ``the_sink/_resources`` (see ``force-include`` in
``pyproject.toml``), in an editable checkout at its root: those are *shipped*, and what an app's tasks use.
The platform's own tasks act on the checkout that they are run in, whichever package runs them, and name it.
"""

from __future__ import annotations

import json
import tomllib
from importlib.metadata import distribution, version
from pathlib import Path

from the_sink.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent
_PROJECT = "the-sink"


def find_checkout(folder: Path) -> Path | None:
    """Return the checkout of the platform that ``folder`` is in, itself included; None outside of one.

    A checkout has a ``copier.yml``, ``stacks/`` and a ``pyproject.toml`` of the project ``the-sink``.
    """
    folder = folder.resolve()
    return next((each for each in (folder, *folder.parents) if _is_checkout(each)), None)


def resource_path(relative: str, checkout: Path | None = None) -> Path:
    """Return the path of a file or folder of the platform, for example ``stacks/python/pipeline.yml``.

    Args:
        relative: Below the repository's root.
        checkout: The checkout to take it from; None for what is shipped with the installed package.

    Raises:
        ConfigError: the checkout lacks it.
        FileNotFoundError: the installation is broken; nothing a user can cause.
    """
    if checkout is not None:
        if not (checkout / relative).exists():
            raise ConfigError(
                f"{checkout} has no {relative}.", f"Restore it: git checkout HEAD -- {relative}."
            )
        return checkout / relative
    for root in (_PACKAGE / "_resources", _PACKAGE.parent.parent):
        if (root / relative).exists():
            return root / relative
    raise FileNotFoundError(f"{relative} is neither in the wheel nor beside src/")


def platform_version(checkout: Path | None = None) -> str:
    """Return the version of a checkout, or of the installed package: also that of the stacks in it.

    Args:
        checkout: What :func:`find_checkout` found; its ``pyproject.toml`` may be ahead of what is installed.

    Raises:
        ConfigError: the checkout's ``pyproject.toml`` names no version.
    """
    if checkout is None:
        return version(_PROJECT)
    found = _project(checkout).get("version")
    if not isinstance(found, str) or not found:
        raise ConfigError("pyproject.toml: [project] has no version.", 'Add, for example: version = "1.1.0".')
    return found


def installed_commit() -> str:
    """Return the commit that the installed package was taken from, "" where it came from no repository.

    Installers write it down: https://packaging.python.org/en/latest/specifications/direct-url/
    """
    origin = json.loads(distribution(_PROJECT).read_text("direct_url.json") or "{}")
    return str(origin.get("vcs_info", {}).get("commit_id", ""))


def _is_checkout(folder: Path) -> bool:
    if not (folder / "copier.yml").is_file() or not (folder / "stacks").is_dir():
        return False
    return _project(folder).get("name") == _PROJECT


def _project(folder: Path) -> dict[str, object]:
    try:
        document = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{folder / 'pyproject.toml'}: it is not TOML: {error}.", "Mend that line."
        ) from error
    project = document.get("project")
    return project if isinstance(project, dict) else {}
