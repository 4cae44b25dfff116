"""Releases, what serves, and what the verbs return."""

from __future__ import annotations

from dataclasses import dataclass

from the_sink.models.pipelines import Execution, Gate, WaitingRelease


@dataclass(frozen=True)
class Release:
    """A commit of an app, as its archive and its summary name it."""

    app: str
    commit: str
    subject: str

    @property
    def short(self) -> str:
        """The commit as people quote it."""
        return self.commit[:8]

    @property
    def summary(self) -> str:
        """What CodePipeline shows for this release: the full commit, then its subject."""
        return f"{self.commit} {self.subject}".strip()


@dataclass(frozen=True)
class Serving:
    """What an environment runs now.

    Attributes:
        digests: The image digests of its running tasks: one, unless tasks are being replaced.
        running: How many tasks run.
        desired: How many are meant to.
        is_settled: Whether the service's latest deployment has completed.
        note: What the service says of it where it has not.
        url: The address of the load balancer, "" where the stack has none.
    """

    digests: tuple[str, ...]
    running: int
    desired: int
    is_settled: bool
    note: str = ""
    url: str = ""

    @property
    def digest(self) -> str:
        """The one digest that every task runs, "" where there is none or more than one."""
        return self.digests[0] if len(self.digests) == 1 else ""


@dataclass(frozen=True)
class Deployed:
    """A deploy that ended with its release serving, and was seen to."""

    env: str
    release: Release
    serving: Serving
    execution_id: str
    duration_s: float
    was_serving_already: bool = False


@dataclass(frozen=True)
class Aborted:
    """A deploy that was ended before its release served.

    Attributes:
        env: The environment.
        execution_id: Of the pipeline.
        commit: That it carried, "" where nothing names it.
        release: What people call it: short commit and subject.
        serving: What the environment runs then; None where it has no service.
        serving_commit: The commit of that, by the ledger; "" where that does not know it.
        next_release: The release that goes on now, having stood behind it; "" for none.
    """

    env: str
    execution_id: str
    commit: str
    release: str
    serving: Serving | None
    serving_commit: str = ""
    next_release: str = ""


@dataclass(frozen=True)
class EnvironmentStatus:
    """One line of ``status``: an environment's delivery and what it serves."""

    env: str
    is_bootstrapped: bool
    pipeline: str = ""
    execution: Execution | None = None
    stack_status: str = ""
    commit: str = ""
    """Of the image that every task runs; "" where tasks differ or the image's tags name none."""
    serving: Serving | None = None
    released_by: str = ""
    """Who released that image, as their client claimed it; "" where the ledger has no record of it."""
    approved_by: str = ""
    """Who let it pass, as CodePipeline reports it; "" where nobody was asked."""
    closed: tuple[Gate, ...] = ()
    waiting_for_approval: WaitingRelease | None = None
    log_group: str = ""
    """Of the service's tasks; "" where there is no service."""
