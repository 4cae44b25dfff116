"""The state machines of the service: pipelines, and the executions of pipelines, stages and actions.

Dictionaries are in them only where they are AWS's own shapes: a declaration, an action type, tags.
Times are seconds since the epoch. Whoever changes one holds the store's lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Of an execution, a stage execution or an action execution; the values are those of AWS's API.

    https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineExecution.html
    https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StageExecution.html
    https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionExecution.html
    """

    IN_PROGRESS = "InProgress"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    SUPERSEDED = "Superseded"
    ABANDONED = "Abandoned"
    """Of actions only."""

    @property
    def is_running(self) -> bool:
        """Whether it can still change by itself."""
        return self in (Status.IN_PROGRESS, Status.STOPPING)


@dataclass(frozen=True)
class Location:
    """Where an artifact lies."""

    bucket: str
    key: str


@dataclass(frozen=True)
class Trigger:
    """What started an execution, in the words of the API's ``trigger``."""

    type: str
    detail: str


@dataclass(frozen=True)
class SourceRevision:
    """What a source action fetched."""

    action: str
    artifact: str
    id: str
    summary: str
    created: float


@dataclass(frozen=True)
class ErrorDetails:
    """Why an action failed."""

    code: str
    message: str


@dataclass(frozen=True)
class Approval:
    """The answer of a person: ``Approved`` or ``Rejected``, and what they wrote."""

    status: str
    summary: str


@dataclass(eq=False)
class ActionExecution:
    """One execution of one action; a retry is another one."""

    id: str
    stage: str
    action: str
    type: Mapping[str, Any]
    """AWS's ``actionTypeId``."""
    configuration: Mapping[str, str]
    namespace: str
    role: str
    """The ARN of the action's own role, "" where it has none."""
    started: float
    updated: float
    status: Status = Status.IN_PROGRESS
    resolved: dict[str, str] = field(default_factory=dict)
    """The configuration with variables replaced."""
    inputs: dict[str, Location] = field(default_factory=dict)
    outputs: dict[str, Location] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    external_id: str = ""
    external_url: str = ""
    log_stream_arn: str = ""
    summary: str = ""
    error: ErrorDetails | None = None
    revision: SourceRevision | None = None
    token: str = ""
    """Of an approval: what its answer must name."""
    approval: Approval | None = None
    updated_by: str = ""
    is_retried: bool = False
    """Whether a retry of its stage runs the action again, so that this execution counts no more."""

    @property
    def is_approval(self) -> bool:
        """Whether it waits for a person and not for work."""
        return bool(self.type["category"] == "Approval")

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.status is Status.IN_PROGRESS

    @property
    def is_unanswered(self) -> bool:
        """Whether an approval takes an answer; one that has it is in progress for a moment longer."""
        return self.is_running and self.approval is None


@dataclass(frozen=True)
class StageExecution:
    """What a stage runs, or ran last."""

    execution_id: str
    status: Status


@dataclass(eq=False)
class Execution:
    """One execution of a pipeline, with the declaration that it began with."""

    id: str
    pipeline: str
    region: str
    declaration: Mapping[str, Any]
    """AWS's ``PipelineDeclaration``, complete."""
    trigger: Trigger
    revisions: dict[str, str]
    """Which object version a source action is to take, by action; the current one where it is not here."""
    token: str | None
    """The request's token, under which it was started."""
    cursor: str
    """The stage that it is in, or waits in front of."""
    started: float
    updated: float
    status: Status = Status.IN_PROGRESS
    summary: str = ""
    stop_reason: str = ""
    waiting: str | None = None
    """The stage in front of which it waits."""
    stages: dict[str, Status] = field(default_factory=dict)
    artifacts: dict[str, Location] = field(default_factory=dict)
    sources: list[SourceRevision] = field(default_factory=list)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    actions: list[ActionExecution] = field(default_factory=list)
    sequence: int = 0
    """Grows with each execution of the store."""

    @property
    def version(self) -> int:
        """The version of the declaration."""
        return int(self.declaration["version"])

    @property
    def mode(self) -> str:
        """SUPERSEDED or QUEUED."""
        return str(self.declaration["executionMode"])


@dataclass(frozen=True)
class DisabledTransition:
    """Why a stage takes no execution, who said so, and when."""

    reason: str
    by: str
    at: float


@dataclass(eq=False)
class Pipeline:
    """A pipeline as it is declared, and the state of its stages."""

    region: str
    arn: str
    declaration: Mapping[str, Any]
    """AWS's ``PipelineDeclaration``, complete, with its version."""
    created: float
    updated: float
    tags: list[dict[str, str]]
    transitions: dict[str, DisabledTransition] = field(default_factory=dict)
    """The inbound transitions that are disabled, by stage."""
    stages: dict[str, StageExecution] = field(default_factory=dict)
    """The latest execution of each stage that had one."""

    @property
    def name(self) -> str:
        """Unique in its region."""
        return str(self.declaration["name"])

    @property
    def version(self) -> int:
        """Grows with each update."""
        return int(self.declaration["version"])

    def find_stage(self, name: str) -> Mapping[str, Any] | None:
        """Return the declaration of a stage."""
        return next((stage for stage in self.declaration["stages"] if stage["name"] == name), None)
