"""What can go wrong for a person, whichever package finds it: one sentence and the next step.

The base of the project's errors, because the other packages import this one: ``the_sink.errors`` and
``sink_sandbox.errors`` add their own. The task decorator prints the message and the hint to standard error
and exits with ``exit_code``. Anything else that reaches it is a bug and keeps its traceback.
"""

from __future__ import annotations


class SinkError(Exception):
    """Something that was asked for did not happen.

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


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, where there is something to say of it: what was left, what goes on, how to resume.

    A KeyboardInterrupt, so that nothing that handles errors on its way takes it for one.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
