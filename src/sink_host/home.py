"""This user's home folder, for users who have none: containers and CI run as numbers without an entry."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sink_host.errors import InputError


def find_home(env: Mapping[str, str] | None = None) -> Path | None:
    """Return the home folder that HOME names, else the user's entry in passwd; None where neither does.

    Args:
        env: The environment that is asked (default: this process's).
    """
    if home := (os.environ if env is None else env).get("HOME"):
        return Path(home)
    return passwd_home()


def passwd_home() -> Path | None:
    """Return the home folder of the user's entry in passwd, None where there is no entry."""
    import pwd

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None


def home(way_out: str) -> Path:
    """Return the home folder.

    Args:
        way_out: The variable that makes it unnecessary.

    Raises:
        InputError: there is none.
    """
    found = find_home()
    if found is None:
        raise InputError(
            f"This user (uid {os.getuid()}) has no home folder: HOME is not set, and passwd has no entry.",
            f"Set HOME, or {way_out}.",
        )
    return found
