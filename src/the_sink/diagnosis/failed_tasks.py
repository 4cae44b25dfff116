"""The task of a service that failed, with what it wrote last.

Looked for while a stack is being made, and kept: a first creation that fails is rolled back, which deletes
the cluster and the log group before anybody can ask for the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from the_sink.aws.session import Aws
from the_sink.diagnosis.exceptions import LoggedException, find_exception, find_logged_error
from the_sink.diagnosis.runtime_words import find_runtime_sentence
from the_sink.models import Task
from the_sink.naming import Names

LOG_LINES = 20
"""How many lines of its log are kept and shown."""

_READ_LINES = 1000
"""How many are read: an app that talks a lot hides what its start script said before."""


@dataclass(frozen=True)
class FailedTask:
    """A task that has stopped, or that the load balancer does not take.

    Attributes:
        task: As ECS tells of it.
        log_group: Where its log is, or was.
        log: Its last lines, none where there is no log (yet, or any more).
        fault: What container-init said of it last, without a full stop; "" where it named no fault.
        exception: What it raised or logged last, None where its log tells of none.
        error: Without one, the message that it logged last as an error; the migrations of a new app do, and
            end. "" for none.
    """

    task: Task
    log_group: str = ""
    log: tuple[str, ...] = ()
    fault: str = ""
    exception: LoggedException | None = None
    error: str = ""


def find_failed_task(
    aws: Aws, names: Names, since: datetime | None, until: datetime | None = None
) -> FailedTask | None:
    """Return the task that says most about a failure: one that ended by itself, if any.

    Args:
        aws: The environment's account.
        names: Of the app there.
        since: Tasks that stopped before this moment belong to earlier releases.
        until: Tasks that stopped after it, to later ones; None while the release is on its way.
    """
    stopped = [
        task
        for task in _find_stopped_tasks(aws, names, since)
        if until is None or task.stopped_at is None or task.stopped_at <= until
    ]
    if not stopped:
        return None
    return describe_log(aws, names, max(stopped, key=_telling))


def describe_log(aws: Aws, names: Names, task: Task) -> FailedTask:
    """Return a task, which may still run, with what it and its container-init said last."""
    group, prefix = aws.services.log_streams(task.task_definition, names.container)
    if not group or not prefix:
        return FailedTask(task)
    lines = aws.logs.last_lines(group, f"{prefix}{task.task_id}", _READ_LINES)
    exception = find_exception(lines)
    error = "" if exception else find_logged_error(lines)
    return FailedTask(task, group, lines[-LOG_LINES:], find_runtime_sentence(lines), exception, error)


def count_ending_tasks(aws: Aws, names: Names) -> int:
    """Return how many of the service's tasks have been told to end and have not."""
    tasks = aws.services.tasks(names.cluster, names.service, names.container, "STOPPED")
    return sum(1 for task in tasks if task.status != "STOPPED")


def find_deaf_tasks(aws: Aws, names: Names, since: datetime) -> list[Task]:
    """Return the service's tasks that had to be killed since a moment, for they did not end when told to.

    ECS may still be stopping others.
    """
    return [task for task in _find_stopped_tasks(aws, names, since) if task.was_killed_while_stopping]


def _find_stopped_tasks(aws: Aws, names: Names, since: datetime | None) -> list[Task]:
    return [
        task
        for task in aws.services.tasks(names.cluster, names.service, names.container, "STOPPED")
        if since is None or task.stopped_at is None or task.stopped_at >= since
    ]


def _telling(task: Task) -> tuple[int, str]:
    """A task that failed tells more than one that the load balancer refused, and that more than any other."""
    return 2 * (task.has_ended_itself or task.has_failed_to_start) + task.has_failed_checks, task.arn


def say_more(found: FailedTask | None, kept: FailedTask | None) -> FailedTask | None:
    """Return the one that explains more: lines count, then what was found last."""
    if found is None or (kept is not None and kept.log and not found.log):
        return kept
    return found
