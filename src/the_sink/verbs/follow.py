"""Find the run of a pipeline that carries one version of an archive, and tell what it does until it ends.

The run is told by its source revision, so two people who deploy at once each follow their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, timedelta

from the_sink.aws.session import Aws, Target
from the_sink.diagnosis.build_log import shorten_message
from the_sink.diagnosis.executions import Followed
from the_sink.diagnosis.failed_tasks import FailedTask, describe_log, find_failed_task, say_more
from the_sink.diagnosis.stack_events import StackFollower
from the_sink.errors import AccessError, DeployFailed, SinkError
from the_sink.models import (
    ActionChanged,
    ActionRun,
    Event,
    Execution,
    PhaseChanged,
    Said,
    Service,
    TasksChanged,
    UnhealthyTarget,
    Warned,
)
from the_sink.models.summaries import name_of
from the_sink.naming import Names
from the_sink.verbs.archives import summary_of
from the_sink.verbs.poller import Pace
from the_sink.verbs.stacks import resource_events

_START_IT_OURSELVES_S = 60.0
"""EventBridge needs seconds as a rule, and some five minutes after it is switched on for a bucket:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-event-notifications-eventbridge.html"""

_GATES_EVERY = 3
"""Looks at a pipeline that shows nothing new, for each look at what may hold it up."""

_CLOCK_SKEW = timedelta(seconds=2)


@dataclass(frozen=True)
class Awaited:
    """The version of an archive whose run is looked for."""

    bucket: str
    key: str
    version: str
    is_fresh: bool
    """Whether this command made it just now; else it may have waited for long."""


def find_execution(aws: Aws, names: Names, archive: Awaited, pace: Pace) -> Generator[Event, None, str]:
    """Return the id of the run that carries a version of an archive, starting it if nobody else does.

    Args:
        aws: The environment's account.
        names: Of the app there.
        archive: The version.
        pace: How long and how often to look.

    Raises:
        DeployFailed: another archive took this one's place before it was begun.
    """
    deadline = aws.clock.now() + _START_IT_OURSELVES_S - _waited_s(aws, archive)
    yield Said(f"Waiting for pipeline {names.pipeline} to begin.")
    while True:
        for run in aws.pipelines.executions(names.pipeline):
            if run.revision == archive.version and not run.is_self_started:
                return run.execution_id
        if aws.clock.now() >= deadline:
            newest = aws.objects.describe(archive.bucket, archive.key)
            if newest is not None and newest.version_id != archive.version:
                raise DeployFailed(
                    "Before the pipeline began, another release took this one's place: "
                    f"{name_of(summary_of(newest))}.",
                    "If this one is meant, deploy it again.",
                )
            yield tell_unstarted(aws.target)
            # The same version always makes the same request, so two watchers start one run.
            token = hashlib.sha256(archive.version.encode()).hexdigest()
            return aws.pipelines.start(names.pipeline, archive.version, token)
        pace.wait()


def tell_unstarted(target: Target) -> Event:
    """Return what to say of a pipeline that no event has started; in the sandbox none is late."""
    said = "Nothing has started it within a minute, so this command does."
    if not target.is_sandbox:
        return Said(said)
    return Warned(
        f"{said} On AWS nothing would either: `invoke sandbox.access` lists what EventRole was refused."
    )


def _waited_s(aws: Aws, archive: Awaited) -> float:
    """How long an archive has been waiting for its run: what was stored long ago needs no more patience."""
    stored = None if archive.is_fresh else aws.objects.describe(archive.bucket, archive.key, archive.version)
    if stored is None or stored.stored_at is None:
        return 0.0
    return max((aws.clock.utc() - stored.stored_at).total_seconds(), 0.0)


def follow(aws: Aws, names: Names, execution_id: str, pace: Pace) -> Generator[Event, None, Followed]:
    """Tell what a run does until it has ended, or until its service has given the new tasks up."""
    watcher = _Watcher(aws, names, _usual_durations(aws, names))
    quiet = 0
    while True:
        # In this order: a run that has ended here has all its actions in the list that is read next.
        execution = aws.pipelines.execution(names.pipeline, execution_id)
        actions = aws.pipelines.actions(names.pipeline, execution_id)
        events = list(watcher.look(actions))
        yield from events
        if execution.is_over or watcher.is_given_up(actions):
            return Followed(execution, actions, watcher.unhealthy, watcher.failed_task)
        quiet = 0 if events else quiet + 1
        # An approval that has just opened is told at once: nothing moves before somebody has heard of it.
        has_opened = bool(events) and any(run.provider == "Manual" and not run.is_over for run in actions)
        if has_opened or (quiet and quiet % _GATES_EVERY == 0):
            yield from watcher.look_at_gates(execution)
        pace.wait(changed=bool(events))


@dataclass
class _Watcher:
    """Remembers what was told of a run, so that only news is."""

    aws: Aws
    names: Names
    usual_s: dict[str, float]
    unhealthy: UnhealthyTarget | None = None
    failed_task: FailedTask | None = None
    _told: dict[str, tuple[str, str]] = field(default_factory=dict)
    _phases: dict[str, str] = field(default_factory=dict)
    _stack: StackFollower | None = None
    _tasks: tuple[int, int, int] | None = None
    _gates: set[str] = field(default_factory=set)

    def look(self, actions: tuple[ActionRun, ...]) -> Iterator[Event]:
        """Yield what is new in a run's actions, and in what the one at work is doing."""
        for run in actions:
            before = self._told.get(run.run_id)
            if before is None:
                yield self._changed(run, "InProgress")
            if before is None or run.status == "InProgress" or before[0] != run.status:
                yield from self._look_inside(run)
            if run.is_over and (before is None or before[0] != run.status):
                yield self._changed(run, run.status)
            self._told[run.run_id] = (run.status, run.summary)

    def is_given_up(self, actions: tuple[ActionRun, ...]) -> bool:
        """Whether the service has rolled back while the pipeline still waits for it.

        https://github.com/aws/containers-roadmap/issues/1399
        """
        run = actions[-1] if actions else None
        if run is None or run.provider != "ECS" or run.is_over or run.started_at is None:
            return False
        deployments = self.aws.services.deployments(self.names.cluster, self.names.service)
        since = run.started_at - _CLOCK_SKEW
        return any(
            each.is_rolled_back
            for each in deployments[:1]
            if each.created_at is None or each.created_at >= since
        )

    def look_at_gates(self, ours: Execution) -> Iterator[Event]:
        """Yield what holds a run up: a closed transition, an approval of it or of one before it."""
        state = self.aws.pipelines.describe(self.names.pipeline)
        if state is None:
            return
        for gate in state.closed:
            yield from self._once(
                f"The way into stage {gate.stage} is closed: {gate.reason or 'no reason given'} "
                f"(open it: aws codepipeline enable-stage-transition --pipeline-name {self.names.pipeline} "
                f"--stage-name {gate.stage} --transition-type Inbound)."
            )
        for approval in state.waiting:
            others = approval.execution_id != ours.execution_id
            whose = (
                self.aws.pipelines.execution(self.names.pipeline, approval.execution_id) if others else ours
            )
            flags = f"--env {self.names.env}{self.aws.target.flags}"
            since = f", since {approval.since.astimezone(UTC):%H:%M} UTC" if approval.since else ""
            yield from self._once(
                f"Stage {approval.stage} waits for an approval of {name_of(whose.summary)}"
                f"{', which is ahead of this release' if others else ''}{since}. "
                f"In another terminal: invoke approve {flags} (or: invoke reject {flags})"
            )

    def _once(self, text: str) -> Iterator[Event]:
        if text not in self._gates:
            self._gates.add(text)
            yield Said(text)

    def _changed(self, run: ActionRun, status: str) -> ActionChanged:
        elapsed = run.duration_s
        if status == "InProgress" and run.started_at is not None:
            elapsed = max((self.aws.clock.utc() - run.started_at).total_seconds(), 0.0)
        detail = shorten_message(run.error or run.summary) if status == "Failed" else ""
        return ActionChanged(run.name, status, detail, elapsed, self.usual_s.get(run.name))

    def _look_inside(self, run: ActionRun) -> Iterator[Event]:
        match run.provider:
            case "CodeBuild":
                yield from self._look_at_build(run)
            case "CloudFormation":
                yield from self._look_at_stack(run)
                yield from self._look_at_targets(self._service())
                self._look_at_failures(run)
            case "ECS":
                yield from self._look_at_service()

    def _look_at_build(self, run: ActionRun) -> Iterator[Event]:
        build = self.aws.builds.describe(run.external_id) if run.external_id else None
        for phase in build.phases if build else ():
            status = phase.status or "IN_PROGRESS"
            if self._phases.get(phase.name) != status:
                self._phases[phase.name] = status
                yield PhaseChanged(phase.name, status, phase.duration_s)

    def _look_at_stack(self, run: ActionRun) -> Iterator[Event]:
        if self._stack is None:
            since = run.started_at - _CLOCK_SKEW if run.started_at else None
            self._stack = StackFollower(self.aws, self.names.app_stack, since)
        yield from resource_events(self._stack.poll())

    def _look_at_failures(self, run: ActionRun) -> None:
        since = run.started_at - _CLOCK_SKEW if run.started_at else None
        with suppress(SinkError):  # nobody has asked yet, and a rollback may be deleting what is looked at
            found = find_failed_task(self.aws, self.names, since)
            self.failed_task = say_more(found, self.failed_task)

    def _look_at_service(self) -> Iterator[Event]:
        service = self._service()
        if service is None:
            return
        counts = (service.running, service.pending, service.desired)
        if counts != self._tasks:
            self._tasks = counts
            yield TasksChanged(*counts)
        yield from self._look_at_targets(service)

    def _look_at_targets(self, service: Service | None) -> Iterator[Event]:
        """Yield what the load balancer has against new tasks, long before ECS gives them up for it."""
        if service is None:
            return
        for arn in service.target_groups:
            try:
                found = self.aws.target_groups.health(arn)
            except AccessError as error:  # a role that is older than this question
                yield from self._once(f"    what the load balancer says is not shown: {error.message}")
                return
            if self.unhealthy is not None and self.unhealthy.address in found.healthy:
                self.unhealthy = None  # it has recovered: what fails later fails for another reason
            for target in found.unhealthy:
                self.unhealthy = target
                patience = f" (a task has {service.grace_s} s to become healthy)" if service.grace_s else ""
                yield from self._once(f"    target is unhealthy: {target}{patience}.")
            if found.unhealthy:
                yield from self._look_at_faults(service)

    def _look_at_faults(self, service: Service) -> Iterator[Event]:
        """Yield what the runtime in the new tasks knows of the reason."""
        cluster, container = self.names.cluster, self.names.container
        with suppress(SinkError):  # nobody has asked
            for task in self.aws.services.tasks(cluster, self.names.service, container):
                if task.task_definition == service.task_definition:
                    fault = describe_log(self.aws, self.names, task).fault
                    if fault:
                        yield from self._once(f"    task {task.task_id} says: {fault}.")

    def _service(self) -> Service | None:
        return self.aws.services.describe(self.names.cluster, self.names.service)


def _usual_durations(aws: Aws, names: Names) -> dict[str, float]:
    """How long each action took the last time that all of them went well."""
    for run in aws.pipelines.executions(names.pipeline):
        if run.is_success:
            return {
                each.name: each.duration_s for each in aws.pipelines.actions(names.pipeline, run.execution_id)
            }
    return {}
