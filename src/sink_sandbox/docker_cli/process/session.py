"""What every ``docker`` command of one sandbox shares: the image store, the registry, who is logged in."""

from __future__ import annotations

import json
import os
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sink_sandbox.containers.locks import exclusive, write_atomically
from sink_sandbox.containers.process.images.store import ImageStore
from sink_sandbox.containers.references import Reference
from sink_sandbox.errors import AccessError

if TYPE_CHECKING:
    from sink_sandbox.containers.registry_client import Registry


class Session:
    """One command's view of the sandbox.

    Logins are remembered in ``DOCKER_CONFIG`` where it is set, else in the sandbox's state: the registry's
    name with the token that ECR gave, which is worth nothing outside this sandbox.
    """

    def __init__(self, state_dir: Path, endpoint_url: str) -> None:
        self.state_dir = state_dir
        self.endpoint_url = endpoint_url
        self._config = Path(os.environ.get("DOCKER_CONFIG") or state_dir / "docker") / "logins.json"

    @cached_property
    def store(self) -> ImageStore:
        """The images of this machine."""
        return ImageStore(self.state_dir)

    @cached_property
    def registry(self) -> Registry:
        """The sandbox's registry."""
        # A third of a command's time goes into importing HTTP, and most commands do not speak it.
        from sink_sandbox.containers.registry_client import Registry

        return Registry(self.store, self.endpoint_url, lambda host: self.logins().get(host, ""))

    def remember_login(self, host: str, token: str) -> None:
        """Note that ``docker login`` succeeded with ``token``, or ``docker logout``, with ""."""
        with exclusive(self._config.with_suffix(".lock")):
            logins = {known: kept for known, kept in self.logins().items() if known != host}
            if token:
                logins[host] = token
            write_atomically(self._config, json.dumps(logins, sort_keys=True).encode(), mode=0o600)

    def require_login(self, reference: Reference) -> None:
        """Refuse what a registry refuses to strangers.

        Raises:
            AccessError: nobody logged in to the reference's registry.
        """
        if reference.is_ecr and reference.host not in self.logins():
            raise AccessError(
                f"{reference.host}: no basic auth credentials.",
                "Pipe `aws ecr get-login-password` into `docker login --username AWS --password-stdin`.",
            )

    def logins(self) -> dict[str, str]:
        """Return who is logged in: from a registry's name to the token."""
        try:
            return dict(json.loads(self._config.read_bytes()))
        except (OSError, ValueError):
            return {}


def say(line: str) -> None:
    """Print a line of progress."""
    print(line, flush=True)


def say_aside(line: str) -> None:
    """Print a line that is no result, to standard error."""
    print(line, file=sys.stderr, flush=True)
