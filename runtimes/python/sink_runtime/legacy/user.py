"""Whom the service of an app of the legacy platform runs as."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from sink_runtime.legacy.layout import USER
from sink_runtime.signals import give_back_signals


@dataclass(frozen=True)
class Service:
    """The user without rights that a service runs as; only root can become another.

    Attributes:
        uid: None where this process is not root: it stays who it is.
    """

    uid: int | None = None
    gid: int | None = None
    home: str = ""

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return an environment with this user's home."""
        return {**environ, "HOME": self.home, "USER": USER} if self.home else dict(environ)


def find_service_user() -> Service:
    """Return whom a service runs as."""
    if os.geteuid() != 0:
        return Service()
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:  # no image: a process of somebody who is root here
        return Service()
    return Service(entry.pw_uid, entry.pw_gid, entry.pw_dir)


def become(argv: Sequence[str], folder: Path, environ: Mapping[str, str], user: Service) -> NoReturn:
    """Let a program take this process's place, as that user."""
    os.chdir(folder)
    if user.uid is not None and user.gid is not None:
        os.setgroups([user.gid])
        os.setgid(user.gid)
        os.setuid(user.uid)
    give_back_signals()
    os.execve(argv[0], list(argv), user.environment(environ))  # noqa: S606 - no shell, on purpose
