"""What can go wrong for a person, as types: one sentence and the next step.

Everything below the tasks raises these; the task decorator prints the message and the hint to
standard error and exits with ``exit_code``. Ctrl-C is told the same way. Anything else that reaches it is a
bug and keeps its traceback.
"""

from __future__ import annotations


class SinkError(Exception):
    """Something the platform was asked to do did not happen.

    Args:
        message: One line: what happened, to which resource, why. Never holds a secret.
        hint: The next command or edit, or "" where there is none.
    """

    exit_code = 1
    """1: the thing failed, is behind, or is in conflict."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(SinkError):
    """What was typed, edited or lost makes the request impossible; nothing was changed."""

    exit_code = 2


class ConfigError(InputError):
    """A file of the app does not say what the platform needs; the message names file and key."""


class AccessError(InputError):
    """Credentials are missing, expired, refused, or belong to another account."""


class NotFound(InputError):
    """A resource that the request needs does not exist (no pipeline, no stack, no platform)."""


class SandboxUnavailable(InputError):
    """The sandbox is not running, was killed, or its port is taken."""


class DeployFailed(SinkError):
    """A pipeline execution ended without its release serving; the message is the cause."""


class TimedOut(SinkError):
    """What was watched did not end within ``--timeout`` seconds; it goes on without the watcher."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, where there is something to say of it: what was left, what goes on, how to take it up again.

    A KeyboardInterrupt, so that nothing that handles errors on its way takes it for one.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
