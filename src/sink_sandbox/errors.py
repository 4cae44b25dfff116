"""What can go wrong with a sandbox, its registry or a build's ``docker``: one sentence and the next step."""

from __future__ import annotations

from sink_host.errors import InputError, SinkError

__all__ = ["AccessError", "InputError", "NotFound", "SandboxUnavailable", "SinkError"]


class SandboxUnavailable(InputError):
    """The sandbox is not running, was killed, or its port is taken."""


class AccessError(InputError):
    """The registry refuses the credentials, or was given none."""


class NotFound(InputError):
    """An image, a container or a program that was named does not exist."""
