"""CodePipeline and CodeBuild: runs, their actions, builds, and what holds a pipeline up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Execution:
    """One run of a pipeline."""

    execution_id: str
    status: str
    started_at: datetime | None = None
    updated_at: datetime | None = None
    revision: str = ""
    """The object version that the Source action read, "" before it has."""
    summary: str = ""
    """The revision's summary: commit and subject, from the archive's metadata."""
    trigger: str = ""
    status_summary: str = ""
    stop_reason: str = ""
    """Why somebody stopped it; only the list of executions tells."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen in this run."""
        return self.status in {"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"}

    @property
    def is_success(self) -> bool:
        """Whether every action of the run succeeded."""
        return self.status == "Succeeded"

    @property
    def is_self_started(self) -> bool:
        """Whether AWS started it because the pipeline was created, not because of a release.

        https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ExecutionTrigger.html
        """
        return self.trigger == "CreatePipeline"


@dataclass(frozen=True)
class ActionRun:
    """One action of one run of a pipeline; an action that is retried has several."""

    run_id: str
    stage: str
    action: str
    status: str
    """InProgress, Succeeded, Failed or Abandoned."""
    summary: str = ""
    error: str = ""
    external_id: str = ""
    """What the action's provider calls its work: a build id, a stack ARN, a deployment id."""
    provider: str = ""
    log_group: str = ""
    """Of an action that CodePipeline itself runs commands for; of others their providers know."""
    log_stream: str = ""
    started_at: datetime | None = None
    updated_at: datetime | None = None
    updated_by: str = ""
    """Who changed it last, of an approval who answered: an ARN."""
    artifacts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """What it put out: artifact name → bucket and key."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What it put out for later actions; of an S3 source ``BucketName``, ``ObjectKey`` and ``VersionId``."""

    @property
    def is_over(self) -> bool:
        """Whether the action has ended."""
        return self.status != "InProgress"

    @property
    def name(self) -> str:
        """Stage and action as people call them: one word where both are the same."""
        return self.action if self.action == self.stage else f"{self.stage}/{self.action}"

    @property
    def duration_s(self) -> float:
        """Seconds between its start and the last that is known of it."""
        if self.started_at is None or self.updated_at is None:
            return 0.0
        return max((self.updated_at - self.started_at).total_seconds(), 0.0)


@dataclass(frozen=True)
class Gate:
    """A stage whose entry somebody has closed."""

    stage: str
    reason: str = ""


@dataclass(frozen=True)
class OpenApproval:
    """An approval that waits for an answer.

    Attributes:
        stage: Where it stands.
        action: What it is called there.
        execution_id: The run that it holds.
        since: When it began to wait.
        token: What an answer must name; it is good for this one wait.
    """

    stage: str
    action: str
    execution_id: str
    since: datetime | None
    token: str = field(repr=False)


@dataclass(frozen=True)
class WaitingRelease:
    """A release that waits for an approval.

    Attributes:
        commit: Of the release; "" where its archive names none.
        subject: Its commit message's first line.
        since: When it began to wait.
        execution_id: Its run.
    """

    commit: str
    subject: str
    since: datetime | None
    execution_id: str

    def __str__(self) -> str:
        """Return the release as people quote it."""
        return f"{self.commit[:8]} {self.subject!r}" if self.commit else self.execution_id


@dataclass(frozen=True)
class Pipeline:
    """A pipeline as it stands: what holds it up, and the stages in order."""

    name: str
    stages: tuple[str, ...]
    closed: tuple[Gate, ...] = ()
    waiting: tuple[OpenApproval, ...] = ()


@dataclass(frozen=True)
class BuildPhase:
    """One phase of a build."""

    name: str
    status: str
    duration_s: int = 0
    message: str = ""


@dataclass(frozen=True)
class Build:
    """One CodeBuild build."""

    build_id: str
    status: str
    current_phase: str
    phases: tuple[BuildPhase, ...] = ()
    log_group: str = ""
    log_stream: str = ""
