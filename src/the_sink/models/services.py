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

    @property
    def has_ended_itself(self) -> bool:
        """Whether its process failed, and was not told to stop (143 is SIGTERM)."""
        return self.exit_code not in {None, 0, 143} and not self.has_failed_checks

    @property
    def task_id(self) -> str:
        """The last part of the ARN, which is also the last part of its log stream's name."""
        return self.arn.rsplit("/", 1)[-1]
