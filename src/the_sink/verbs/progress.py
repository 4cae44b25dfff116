"""How far a deploy has come: what is true of it when somebody interrupts the command.

Ctrl-C may come between any two calls, and inside one. What it leaves behind is told from what was reached,
never assumed: before the release nothing has been started, after it nothing that was started is stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from the_sink.models import Release


@dataclass
class Progress:
    """What a deploy has reached; the verb moves it on, and whoever is interrupted reads it.

    Args:
        env: The environment's name.
        release: What is deployed.
        start: The command that deploys it, with every choice that was made.
        resume: The command that watches it, once it is released.

    Attributes:
        sentence: What has happened and what has not.
        hint: The command to go on with.
    """

    env: str
    release: Release
    start: str
    resume: str
    sentence: str = field(init=False)
    hint: str = field(init=False)

    def __post_init__(self) -> None:
        self.before_release()

    def before_release(self, *done: str) -> None:
        """Nothing is released; ``done`` are sentences on what was prepared for it."""
        nothing = f"Interrupted before {self.release.short} was released: {self.env} stays as it is."
        self.sentence = " ".join((nothing, *done))
        self.hint = f"Deploy it: {self.start}"

    def releasing(self) -> None:
        """The request that releases it is on its way, and an interruption may be before or after it."""
        self.sentence = (
            f"Interrupted at the moment when {self.release.short} was being released to {self.env}: it may "
            "be on its way, or not."
        )
        self.hint = f"This finds out, and goes on from there: {self.start}"

    def released(self) -> None:
        """It is released, and its run has not been seen."""
        self.sentence = (
            f"Stopped watching before the run began: {self.release.short} is released to {self.env}, and AWS "
            "starts the run by itself."
        )
        self.hint = f"Watch it, and start it should nothing have: {self.resume}"

    def followed(self, execution_id: str) -> None:
        """Its run is under way."""
        self.sentence = f"Stopped watching; the run {execution_id} of {self.release.short} goes on."
        self.hint = f"Watch again: {self.resume}"

    def failed(self, execution_id: str) -> None:
        """Its run does not bring it to serve, and the cause is being looked for."""
        self.sentence = f"The run {execution_id} of {self.release.short} failed; its cause was not found yet."
        self.hint = f"This says why, and deploys it again: {self.resume}"

    def succeeded(self, execution_id: str) -> None:
        """Its run has ended well, and the service is being looked at."""
        self.sentence = (
            f"The run {execution_id} of {self.release.short} succeeded; that every task runs the release was "
            "not seen yet."
        )
        self.hint = f"Look at it: {self.resume}"

    def looking(self) -> None:
        """Nothing was started, because it serves already."""
        self.sentence = f"Interrupted while looking at what serves in {self.env}; nothing was started."
        self.hint = f"Look again: {self.resume}"
