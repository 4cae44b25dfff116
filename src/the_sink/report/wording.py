"""Models and events as sentences (pure; no terminal, no colours)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from the_sink.models import (
    ActionChanged,
    Deployed,
    EnvironmentStatus,
    Event,
    Evidence,
    PhaseChanged,
    ResourceChanged,
    Said,
    StackApplied,
    TasksChanged,
    Warned,
)

_QUIET_PHASES = frozenset({"SUBMITTED", "QUEUED", "COMPLETED"})


def render_event(event: Event) -> str:
    """Return the one line for an event, "" for one that is no news in a log."""
    match event:
        case Said(text):
            return text
        case Warned(text):
            return f"Warning: {text}"
        case ActionChanged():
            return _render_action(event)
        case PhaseChanged(phase, status, duration_s):
            if phase in _QUIET_PHASES or not status or status == "IN_PROGRESS":
                return ""
            return f"    {phase.lower()}: {status.lower()} ({format_duration(duration_s)})"
        case ResourceChanged():
            return _render_resource(event)
        case Evidence(title, shown):
            return "\n".join([f"  {title}:", *(f"    | {line}" for line in shown)])
        case TasksChanged(running, pending, desired):
            waiting = f", {pending} starting" if pending else ""
            return f"    tasks: {running} of {desired} running{waiting}"
    return ""


def _render_action(event: ActionChanged) -> str:
    detail = f": {_shorten_arns(event.detail)}" if event.detail else ""
    if event.status == "InProgress":
        usual = (
            f" (usually {format_duration(event.expected_s)})"
            if event.expected_s and event.expected_s >= 1
            else ""
        )
        return f"  {event.name} …{usual}{detail}"
    word = {"Succeeded": "done", "Failed": "FAILED", "Abandoned": "abandoned"}.get(event.status, event.status)
    return f"  {event.name} {word} in {format_duration(event.elapsed_s)}{detail if word != 'done' else ''}"


def _render_resource(event: ResourceChanged) -> str:
    status = event.status
    if status.is_in_progress and "ROLLBACK" not in status.name:
        return ""
    # AWS gives a reason for what failed; the sandbox also for what it only recorded.
    reason = f": {_shorten_arns(event.reason.strip())}" if event.reason else ""
    kind = event.resource_type.removeprefix("AWS::")
    return f"    {status.name.lower().replace('_', ' ')}: {event.logical_id} ({kind}){reason}"


def _shorten_arns(text: str) -> str:
    """What AWS says, with stacks called by their name."""
    return re.sub(r"arn:aws[\w-]*:cloudformation:[^\s/]*stack/([^\s/]+)/[\w-]+", r"\1", text)


def render_applied(applied: StackApplied) -> str:
    """Return what became of a stack."""
    if applied.action == "unchanged":
        return f"Stack {applied.stack.name} is up to date."
    return f"Stack {applied.stack.name} is {applied.action}."


def render_deployed(deployed: Deployed) -> str:
    """Return the one line that says what serves where: commit, digest, tasks, address, time."""
    serving = deployed.serving
    verb = "already serves" if deployed.was_serving_already else "serves"
    release = deployed.release
    if serving.desired == 0:
        return (
            f"{release.app} {deployed.env} is stopped (InstancesCount is 0): {release.short} is deployed, "
            f"and nothing serves, {format_duration(deployed.duration_s)}."
        )
    address = f", {serving.url}" if serving.url else ""
    return (
        f"{release.app} {deployed.env} {verb} {release.short} ({shorten_digest(serving.digest)}), "
        f"{serving.running}/{serving.desired} tasks{address}, {format_duration(deployed.duration_s)}."
    )


def render_status(app: str, environments: Iterable[EnvironmentStatus], flags: str = "") -> str:
    """Return a paragraph per environment; ``flags`` end a command that it names."""
    return "\n\n".join(_render_environment(app, each, flags) for each in environments)


def _render_environment(app: str, status: EnvironmentStatus, flags: str) -> str:
    if not status.is_bootstrapped:
        return f"{app} {status.env}: not bootstrapped"
    told = [f"{app} {status.env}"]
    run = status.execution
    if run is None:
        told.append("  last run: none yet")
    else:
        when = f", {format_time(run.updated_at)}" if run.updated_at else ""
        told.append(f"  last run: {run.status} {_shorten_summary(run.summary)}{when} ({run.execution_id})")
    told += [f"  closed: the way into {gate.stage} ({gate.reason})" for gate in status.closed]
    if waiting := status.waiting_for_approval:
        since = f", since {format_time(waiting.since)}" if waiting.since else ""
        told.append(f"  waits for approval: {waiting}{since} (invoke approve --env {status.env}{flags})")
    if status.stack_status:
        told.append(f"  stack: {status.stack_status}")
    serving = status.serving
    if serving is None:
        told.append("  serves: nothing yet")
        return "\n".join(told)
    if serving.digests:
        digests = " and ".join(shorten_digest(each) for each in serving.digests)
        told.append(f"  serves: {status.commit[:8] or 'an unknown commit'} ({digests})")
        if status.released_by or status.approved_by:
            released = f"by {status.released_by}" if status.released_by else "nobody says by whom"
            approved = f", approved by {status.approved_by}" if status.approved_by else ""
            told.append(f"  released: {released}{approved}")
    else:
        told.append("  serves: nothing, no task runs")
    told.append(f"  tasks: {serving.running} of {serving.desired} running")
    if not serving.is_settled:
        told.append(f"  last deployment of the service: {serving.note.rstrip('.')}")
    if serving.url:
        told.append(f"  address: {serving.url}")
    if status.log_group:
        told.append(f"  log: {status.log_group} (CloudWatch Logs)")
    return "\n".join(told)


def _shorten_summary(summary: str) -> str:
    """A revision's summary with its commit as people quote it."""
    head, _, subject = summary.partition(" ")
    return f"{head[:8]} {subject}".strip() if len(head) == 40 else summary


def render_steps(steps: Iterable[object]) -> str:
    """Return a plan as ``--dry-run`` prints it."""
    listed = [f"  {number}. {step}" for number, step in enumerate(steps, 1)]
    return "\n".join(["Nothing was changed. This would be done:", *listed]) if listed else "Nothing to do."


def shorten_digest(digest: str) -> str:
    """Return a digest as people quote it: the algorithm and twelve digits."""
    algorithm, _, value = digest.partition(":")
    return f"{algorithm}:{value[:12]}" if value else digest


def format_time(moment: datetime) -> str:
    """Return a moment in UTC, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def format_duration(seconds: float) -> str:
    """Return seconds as people say them: ``0.4 s``, ``42 s``, ``3 min 5 s``, ``1 h 2 min``."""
    if seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
