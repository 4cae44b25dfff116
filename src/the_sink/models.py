"""What AWS holds and what a deploy reports, as frozen values (no I/O, no boto3).

The edge (``aws/``) turns answers of AWS into these, the verbs (``deploy/``) decide on them and yield
events made of them, ``report/`` turns them into text and JSON. A status is a type that answers
questions, so that no caller compares AWS's words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Clock:
    """Time as an argument.

    Attributes:
        now: Seconds that only grow, from any beginning.
        sleep: Lets so many of them pass.
        utc: What AWS's own times are compared with.
    """

    now: Callable[[], float]
    sleep: Callable[[float], None]
    utc: Callable[[], datetime]


# --- CloudFormation ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class StackStatus:
    """A stack's or a stack resource's status; the questions are those that decide what may happen next."""

    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def is_in_progress(self) -> bool:
        """Whether AWS is still changing the stack."""
        return self.name.endswith("_IN_PROGRESS") and self.name != "REVIEW_IN_PROGRESS"

    @property
    def is_success(self) -> bool:
        """Whether the last change was made as it was asked for."""
        return self.name in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}

    @property
    def is_failure(self) -> bool:
        """Whether the last change failed, rolled back or not."""
        return self.name.endswith("_FAILED") or (
            self.name.endswith("ROLLBACK_COMPLETE") and not self.name.startswith("IMPORT")
        )

    @property
    def is_never_created(self) -> bool:
        """Whether only an unexecuted change set stands behind the stack's name."""
        return self.name == "REVIEW_IN_PROGRESS"

    @property
    def must_be_deleted(self) -> bool:
        """Whether the stack's first creation failed: it can only be deleted, never updated.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
        """
        return self.name in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}

    @property
    def needs_continued_rollback(self) -> bool:
        """Whether a rollback stopped halfway and waits for someone to continue it."""
        return self.name == "UPDATE_ROLLBACK_FAILED"


@dataclass(frozen=True)
class Stack:
    """A CloudFormation stack as it stands."""

    name: str
    stack_id: str
    status: StackStatus
    reason: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StackEvent:
    """One line of a stack's history."""

    event_id: str
    stack_id: str
    stack_name: str
    logical_id: str
    physical_id: str
    resource_type: str
    status: StackStatus
    reason: str
    at: datetime

    @property
    def is_about_stack(self) -> bool:
        """Whether the event speaks of the stack that wrote it, not of one of its resources."""
        return self.physical_id == self.stack_id

    @property
    def is_nested_stack(self) -> bool:
        """Whether the event speaks of a stack inside this one."""
        return self.resource_type == "AWS::CloudFormation::Stack" and not self.is_about_stack


@dataclass(frozen=True)
class ResourceChange:
    """What a change set would do to one resource: Add, Modify, Remove, Import or Dynamic."""

    action: str
    logical_id: str
    resource_type: str
    replacement: bool = False


@dataclass(frozen=True)
class ChangeSet:
    """A change that CloudFormation has computed and not yet made."""

    change_set_id: str
    stack_id: str
    changes: tuple[ResourceChange, ...]


# --- S3, Secrets Manager, ECR -----------------------------------------------------------------------


@dataclass(frozen=True)
class StoredObject:
    """One version of an S3 object."""

    key: str
    version_id: str
    size: int
    sha256: str
    """Base64 of the object's SHA-256, "" where the object was stored without one."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    stored_at: datetime | None = None


@dataclass(frozen=True)
class Secret:
    """A secret without its value."""

    name: str
    arn: str
    is_scheduled_for_deletion: bool


@dataclass(frozen=True)
class Image:
    """One image of a registry."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime | None = None


# --- CodePipeline and CodeBuild ---------------------------------------------------------------------


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
    started_at: datetime | None = None
    updated_at: datetime | None = None
    artifacts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """What it put out: artifact name → bucket and key."""

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
    """A stage whose entry is closed, or an approval that someone must give."""

    stage: str
    action: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Pipeline:
    """A pipeline as it stands: what holds it up, and the stages in order."""

    name: str
    stages: tuple[str, ...]
    closed: tuple[Gate, ...] = ()
    waiting: tuple[Gate, ...] = ()


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


# --- ECS --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ServiceDeployment:
    """One deployment of an ECS service, as the service itself judges it."""

    arn: str
    status: str
    reason: str = ""
    created_at: datetime | None = None

    @property
    def is_in_progress(self) -> bool:
        """Whether the service is still replacing tasks."""
        return self.status in {"PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED"} or (
            self.status == "ROLLBACK_IN_PROGRESS"
        )

    @property
    def is_rolled_back(self) -> bool:
        """Whether the circuit breaker, an alarm or a person gave the new tasks up."""
        return self.status.startswith("ROLLBACK_") or self.status in {"STOPPED", "STOP_REQUESTED"}


@dataclass(frozen=True)
class Service:
    """An ECS service as it stands."""

    name: str
    cluster: str
    desired: int
    running: int
    pending: int
    task_definition: str
    rollout_state: str = ""
    """COMPLETED, IN_PROGRESS or FAILED, of the deployment that is primary now."""
    rollout_reason: str = ""
    events: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """One ECS task: one running (or stopped) copy of the app."""

    arn: str
    status: str
    task_definition: str
    digest: str = ""
    """The image digest of the app's container."""
    health: str = ""
    stopped_reason: str = ""
    exit_code: int | None = None
    container_reason: str = ""
    stopped_at: datetime | None = None

    @property
    def task_id(self) -> str:
        """The last part of the ARN, which is also the last part of its log stream's name."""
        return self.arn.rsplit("/", 1)[-1]


# --- What a verb tells while it works ---------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """Something that a watcher should see; ``report`` decides how."""


@dataclass(frozen=True)
class Said(Event):
    """One sentence about what was just done or is waited for."""

    text: str


@dataclass(frozen=True)
class Warned(Event):
    """One sentence about something that is not as it should be and does not stop the work."""

    text: str


@dataclass(frozen=True)
class ActionChanged(Event):
    """An action of the followed run began, ended, or says something new of itself."""

    name: str
    """Stage and action, as people call them."""
    status: str
    detail: str = ""
    elapsed_s: float = 0.0
    expected_s: float | None = None


@dataclass(frozen=True)
class PhaseChanged(Event):
    """A build entered or left a phase."""

    phase: str
    status: str
    duration_s: int = 0


@dataclass(frozen=True)
class ResourceChanged(Event):
    """CloudFormation began or ended work on one resource."""

    stack: str
    logical_id: str
    resource_type: str
    status: StackStatus
    reason: str = ""


@dataclass(frozen=True)
class TasksChanged(Event):
    """A service's tasks changed in number."""

    running: int
    pending: int
    desired: int


@dataclass(frozen=True)
class Evidence(Event):
    """Lines that show why something failed: the end of a log."""

    title: str
    lines: tuple[str, ...]


# --- Results ----------------------------------------------------------------------------------------


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
class EnvironmentStatus:
    """One line of ``status``: an environment's delivery and what it serves."""

    env: str
    is_bootstrapped: bool
    pipeline: str = ""
    execution: Execution | None = None
    stack_status: str = ""
    commit: str = ""
    """Of the last run that succeeded."""
    serving: Serving | None = None
    closed: tuple[Gate, ...] = ()
    waiting: tuple[Gate, ...] = ()


@dataclass(frozen=True)
class StackApplied:
    """The end of one change of a stack of ours."""

    stack: Stack
    action: str
    """created, updated or unchanged."""
