"""What can go wrong, as one type: its text is one line of the log, and diagnosis reads it there."""

from __future__ import annotations


class CommandFailed(Exception):
    """A command of ``sink-build`` did not do what it is for.

    Args:
        message: One sentence: what happened, to which resource, why. Never holds a secret.
        hint: The next step, a sentence; "" where there is none.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return the one line of the log."""
        return " ".join(filter(None, (self.message, self.hint)))
