"""What can go wrong between a person and AWS, as types: one sentence and the next step.

Everything below the tasks raises these or the errors of :mod:`sink_host.errors`, which they extend.
"""

from __future__ import annotations

from sink_host.errors import InputError, Interrupted, SinkError

__all__ = [
    "AccessError",
    "ConfigError",
    "DeployFailed",
    "EndpointUnavailable",
    "InputError",
    "Interrupted",
    "NotFound",
    "SinkError",
    "TimedOut",
]


class ConfigError(InputError):
    """A file of the app does not say what the platform needs; the message names file and key."""


class AccessError(InputError):
    """Credentials are missing, expired, refused, or belong to another account."""


class NotFound(InputError):
    """A resource that the request needs does not exist (no pipeline, no stack, no platform)."""


class EndpointUnavailable(InputError):
    """Nobody answers at the endpoint; that of a sandbox, as a rule, which was stopped or killed."""


class DeployFailed(SinkError):
    """A pipeline execution ended without its release serving; the message is the cause."""


class TimedOut(SinkError):
    """What was watched did not end within ``--timeout`` seconds; it goes on without the watcher."""
