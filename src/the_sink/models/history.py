"""One line of an environment's history: a release that was sent there, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Outcome = Literal["succeeded", "failed", "superseded", "stopped", "cancelled", "waiting", "running"]
"""What became of a release; ``waiting`` is for an approval, or before a disabled transition."""


@dataclass(frozen=True)
class HistoryEntry:
    """A release that was sent to an environment.

    Attributes:
        execution_id: Of the pipeline.
        commit: 40 hexadecimal digits, "" where nothing names it.
        subject: The commit message's first line.
        outcome: What became of it.
        cause: Why it did not serve, or what it waits for, in one sentence; "" of one that succeeded.
        is_serving: Whether the environment runs it now.
        released_by: As the client claimed it; "" where it did not.
        approved_by: As CodePipeline reports it; "" where nobody was asked, or has answered yet.
        started_at: When the execution began.
        finished_at: When it served, or failed; None while it is on its way.
        digest: Of the image that served, "" where the ledger has no record of it.
        rolled_back_from: The commit whose place it took by ``rollback``; "" of every other release.
    """

    execution_id: str
    commit: str
    subject: str
    outcome: Outcome
    cause: str = ""
    is_serving: bool = False
    released_by: str = ""
    approved_by: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    digest: str = ""
    rolled_back_from: str = ""

    @property
    def duration_s(self) -> float | None:
        """Seconds from its begin to its end; None while it has none."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max((self.finished_at - self.started_at).total_seconds(), 0.0)
