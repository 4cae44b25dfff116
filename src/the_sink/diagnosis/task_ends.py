"""How a task ended, in words: what its exit code means beside ECS's reason (pure).

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

from __future__ import annotations

import re

from the_sink.models import Task

_TARGET_GROUP = re.compile(r" in \(target-group [^)]*\)")
"""An ARN in the middle of a sentence; a service of ours has one target group."""

_SIGNAL = 128
_MEANINGS = {
    0: "what serves must go on",
    126: "a program cannot be run",
    127: "a program was not found",
    _SIGNAL + 11: "it crashed, SIGSEGV",
    _SIGNAL + 15: "SIGTERM",
}


def describe_end(task: Task) -> str:
    """Return what became of a task, as the end of "task 0a1b …", without a full stop."""
    reason = " ".join((task.container_reason or task.stopped_reason or "stopped").split()).rstrip(".")
    reason = _TARGET_GROUP.sub("", reason)
    if task.has_failed_to_start:
        return f"did not start: {reason}"
    if task.exit_code is None:
        return f"ended: {reason}"
    meaning = _meaning(task)
    return f"ended with exit code {task.exit_code}{f' ({meaning})' if meaning else ''}: {reason}"


def _meaning(task: Task) -> str:
    if task.is_out_of_memory:
        return "killed, because it needed more memory than it has"
    if task.was_killed_while_stopping:
        return "killed, because it had not ended within its stop timeout after SIGTERM"
    if task.exit_code == 0 and not task.has_ended_itself:
        return ""
    if task.exit_code == _SIGNAL + 9:
        return "killed, SIGKILL"
    return _MEANINGS.get(task.exit_code or 0, "")
