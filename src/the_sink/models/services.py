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
