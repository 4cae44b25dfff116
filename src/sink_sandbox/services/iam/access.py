"""What was asked for under roles, and whether it was allowed; what roles hand out, and how they refuse."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Credentials:
    """Those of a role's session; the sandbox knows them, nobody else does."""

    role: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)

    def as_environment(self) -> dict[str, str]:
        """Return the variables that AWS's clients read."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }


class RoleRefused(Exception):
    """A service may not act under a role, or the role may not do something; the message is AWS's."""


class Roles(Protocol):
    """Lets the sandbox's services act under roles."""

    def assume(self, role: str, service: str, region: str, through: str = "") -> Credentials:
        """Return a session of the role with the ARN ``role`` for ``service``, ``codebuild.amazonaws.com``.

        Args:
            role: Its ARN.
            service: Who acts under it.
            region: Where.
            through: The ARN of the role that the service assumes first, and that then assumes ``role``.

        Raises:
            RoleRefused: there is no such role, or it does not trust the service or the role before it, or
                that one may not assume it.
        """

    def check(
        self,
        credentials: Credentials,
        action: str,
        resource: str,
        region: str,
        context: dict[str, Any] | None = None,
    ) -> None:
        """Refuse what the role's policies do not allow; for what a service does that is no request here.

        Raises:
            RoleRefused: they do not.
        """

    def check_reach(self, credentials: Credentials, actions: Sequence[str], resource: str) -> None:
        """Refuse where the role's policies allow none of the actions on anything, whatever the request.

        Args:
            credentials: A session of the role.
            actions: One at least; the refusal is about the first.
            resource: What it calls the resource, of which nothing is known yet but its kind.

        Raises:
            RoleRefused: they do not.
        """


@dataclass(frozen=True)
class Access:
    """A role asked to do something to a resource."""

    role: str
    """Its ARN, with the path."""
    action: str
    resource: str
    allowed: bool


_KEPT = 10_000
"""Artifacts and log streams have ever new names, and a sandbox may live for months."""


class AccessLog:
    """Each access once, in the order of its latest time; safe to share between threads."""

    def __init__(self) -> None:
        self._seen: dict[Access, None] = {}
        self._lock = threading.Lock()

    def record(self, access: Access) -> None:
        """Note an access."""
        with self._lock:
            self._seen.pop(access, None)
            self._seen[access] = None
            if len(self._seen) > _KEPT:
                del self._seen[next(iter(self._seen))]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._seen.clear()

    def as_data(self) -> list[dict[str, Any]]:
        """Return the accesses as JSON holds them."""
        with self._lock:
            return [asdict(access) for access in self._seen]
