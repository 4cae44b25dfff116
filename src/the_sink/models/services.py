"""ECS: services, their deployments and tasks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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
    target_groups: tuple[str, ...] = ()
    """ARNs of the load balancer's groups that its tasks join."""
    grace_s: int = 0
    """How long a new task may fail the load balancer's checks before that counts against it."""
    health_reason: str = ""
    """Why the load balancer turned a task down last, as the service's events tell it."""


@dataclass(frozen=True)
class UnhealthyTarget:
    """A task that a load balancer has asked and not taken.

    Attributes:
        address: Of the task.
        port: That was asked.
        path: That was asked for.
        reason: The load balancer's own word for it: Target.FailedHealthChecks, Target.Timeout, …
        description: The same in AWS's words; may be "".
    """

    address: str
    port: int
    path: str
    reason: str
    description: str = ""

    def __str__(self) -> str:
        """Return what was asked and what came of it, without a full stop."""
        said = f", {self.description.rstrip('.')}" if self.description else ""
        return (
            f"the load balancer asks {self.address} on port {self.port} for {self.path}: {self.reason}{said}"
        )


@dataclass(frozen=True)
class TargetsHealth:
    """What a load balancer thinks of the tasks in one of its groups.

    Attributes:
        unhealthy: Those that fail its checks.
        healthy: The addresses of those that pass them.
    """

    unhealthy: tuple[UnhealthyTarget, ...] = ()
    healthy: frozenset[str] = frozenset()


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
    has_failed_checks: bool = False
    """Whether it was stopped because the load balancer did not take it."""
    stop_code: str = ""
    """Who or what ended it, in the word of ECS; "" where that is not known (any more)."""

    @property
    def has_ended_itself(self) -> bool:
        """Whether its process ended, with whatever code, and was not told to stop.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
        """
        if self.has_failed_checks:
            return False
        if self.stop_code:
            return self.stop_code == "EssentialContainerExited"
        return self.exit_code not in {None, 0, 143}  # 143 is SIGTERM

    @property
    def has_failed_to_start(self) -> bool:
        """Whether nothing of it ever ran: no image, no secret, no network."""
        return self.stop_code == "TaskFailedToStart"

    @property
    def is_out_of_memory(self) -> bool:
        """Whether it was killed for its memory.

        https://repost.aws/knowledge-center/ecs-resolve-outofmemory-errors
        """
        return self.container_reason.startswith("OutOfMemory")

    @property
    def was_killed_while_stopping(self) -> bool:
        """Whether it was told to stop and did not: 137 is SIGKILL, which follows SIGTERM."""
        return self.exit_code == 137 and not self.has_ended_itself and not self.is_out_of_memory

    @property
    def task_id(self) -> str:
        """The last part of the ARN, which is also the last part of its log stream's name."""
        return self.arn.rsplit("/", 1)[-1]
