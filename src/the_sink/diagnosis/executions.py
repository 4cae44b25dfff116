"""What was seen of an execution: how it ended, and which one took its place."""

from __future__ import annotations

from dataclasses import dataclass

from the_sink.aws.session import Aws
from the_sink.diagnosis.failed_tasks import FailedTask
from the_sink.models import ActionRun, Execution, UnhealthyTarget
from the_sink.models.summaries import name_of
from the_sink.naming import Names


@dataclass(frozen=True)
class Followed:
    """A run that was followed to its end.

    Attributes:
        execution: As it ended.
        actions: Its actions, oldest first.
        unhealthy: The target that the load balancer turned down last, unless it has taken it since. A stack
            that rolls back takes its load balancer along, so this cannot be asked for afterwards.
        failed_task: The task that failed while the stack was made or changed, for the same reason.
    """

    execution: Execution
    actions: tuple[ActionRun, ...]
    unhealthy: UnhealthyTarget | None = None
    failed_task: FailedTask | None = None


def explain_superseded(aws: Aws, names: Names, execution_id: str) -> str:
    """Return which release took a run's place: AWS names none, it is the next newer one."""
    runs = aws.pipelines.executions(names.pipeline)
    position = next((i for i, run in enumerate(runs) if run.execution_id == execution_id), 0)
    return name_of(runs[position - 1].summary) if position else "a newer one"
