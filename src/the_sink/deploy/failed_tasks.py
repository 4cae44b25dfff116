"""The task of a service that failed, with what it wrote last.

Looked for while a stack is being made, and kept: a first creation that fails is rolled back, which deletes
the cluster and the log group before anybody can ask for the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from the_sink.aws.session import Aws
from the_sink.models import Task
from the_sink.naming import Names

LOG_LINES = 20
"""How many lines of its log are kept and shown."""


@dataclass(frozen=True)
class FailedTask:
    """A task that has stopped.

    Attributes:
        task: As ECS tells of it.
        log_group: Where its log is, or was.
        log: Its last lines, none where there is no log (yet, or any more).
    """

    task: Task
    log_group: str = ""
    log: tuple[str, ...] = ()


def find_failed_task(aws: Aws, names: Names, since: datetime | None) -> FailedTask | None:
    """Return the task that says most about a failure since a moment: one that ended by itself, if any."""
    stopped = [
        task
        for task in aws.services.tasks(names.cluster, names.service, names.container, "STOPPED")
        if since is None or task.stopped_at is None or task.stopped_at >= since
    ]
    if not stopped:
        return None
    task = max(stopped, key=lambda task: (task.has_ended_itself, task.arn))
    group, prefix = aws.services.log_streams(task.task_definition, names.container)
    if not group or not prefix:
        return FailedTask(task)
    return FailedTask(task, group, aws.logs.last_lines(group, f"{prefix}{task.task_id}", LOG_LINES))


def say_more(found: FailedTask | None, kept: FailedTask | None) -> FailedTask | None:
    """Return the one that explains more: lines count, then what was found last."""
    if found is None or (kept is not None and kept.log and not found.log):
        return kept
    return found
