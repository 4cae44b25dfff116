"""Moves executions through the stages of their pipeline, one thread each.

The rules are those of https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html:
a stage holds one execution at a time; in SUPERSEDED mode one execution waits in front of a stage and a
more recent one takes its place; in QUEUED mode they wait in the order in which they started; a failure
frees the stage. Waiting executions and open approvals survive a restart; an action that was at work
does not, and its execution says so.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Mapping
from typing import Any

from sink_sandbox.services.codepipeline.errors import ServiceError, stage_not_found
from sink_sandbox.services.codepipeline.executions import (
    ErrorDetails,
    Execution,
    StageExecution,
    Status,
    Trigger,
)
from sink_sandbox.services.codepipeline.jobs import Observer, Worker
from sink_sandbox.services.codepipeline.stage_runner import StageRunner
from sink_sandbox.services.codepipeline.store import Store

logger = logging.getLogger(__name__)

_EVENT_STATES = {Status.CANCELLED: "CANCELED"}
"""Where an event's state is not the status in capitals."""

INTERRUPTED = "The sandbox ended while this action ran; start the pipeline again or retry the stage."


class Engine:
    """Starts, stops and retries executions."""

    def __init__(self, store: Store, worker: Worker, observer: Observer) -> None:
        self._store = store
        self._changed = store.changed
        self._observer = observer
        self._ended = threading.Event()
        self._stages = StageRunner(store, worker, observer, self._ended)

    def start(
        self,
        region: str,
        pipeline: str,
        *,
        trigger: str,
        detail: str = "",
        revisions: list[dict[str, Any]] | None = None,
        token: str | None = None,
    ) -> str:
        """Start an execution and return its id; the same request token means the same execution."""
        with self._changed:
            known = self._store.pipeline(region, pipeline)
            if token:
                for earlier in self._store.executions(region, pipeline):
                    if earlier.token == token:
                        return earlier.id
            declaration = known.declaration
            now = self._store.clock()
            execution = Execution(
                id=str(uuid.uuid4()),
                pipeline=pipeline,
                region=region,
                declaration=declaration,
                trigger=Trigger(trigger, detail),
                revisions=_overrides(declaration, revisions or []),
                token=token,
                cursor=declaration["stages"][0]["name"],
                started=now,
                updated=now,
            )
            self._store.add_execution(execution)
            self._observer.execution_changed(execution, "STARTED")
            self._spawn(execution)
            return execution.id

    def stop(self, region: str, pipeline: str, execution_id: str, *, abandon: bool, reason: str) -> None:
        """Let the actions at work finish and stop, or abandon them at once."""
        with self._changed:
            execution = self._store.execution(region, pipeline, execution_id)
            if not execution.status.is_running:
                raise ServiceError(
                    "PipelineExecutionNotStoppableException",
                    f"The pipeline execution {execution_id} is {execution.status} and cannot be stopped.",
                )
            if execution.status is Status.STOPPING and not abandon:
                raise ServiceError(
                    "DuplicatedStopRequestException",
                    f"The pipeline execution {execution_id} is already stopping.",
                )
            execution.status = Status.STOPPING
            execution.stop_reason = reason
            self._touch(execution)
            if abandon:
                self._stages.abandon(execution)
            else:
                self._stages.release_approvals(execution)
            self._changed.notify_all()

    def cancel_all(self, region: str, pipeline: str) -> None:
        """End what runs because the definition changes: AWS calls those executions Cancelled."""
        with self._changed:
            for execution in self._store.executions(region, pipeline):
                if execution.status.is_running:
                    self._stages.abandon(execution)
                    self._end_stages(execution, Status.CANCELLED)
                    self._finish(execution, Status.CANCELLED)

    def retry(self, region: str, pipeline: str, stage: str, execution_id: str, mode: str) -> None:
        """Run a failed stage again: its failed actions, or all of them."""
        with self._changed:
            known = self._store.pipeline(region, pipeline)
            execution = self._store.execution(region, pipeline, execution_id)
            if known.find_stage(stage) is None:
                raise stage_not_found(pipeline, stage)
            latest = known.stages.get(stage)
            if latest is None or latest.execution_id != execution_id:
                raise ServiceError(
                    "NotLatestPipelineExecutionException",
                    f"The pipeline execution {execution_id} is not the latest one of the stage {stage}.",
                )
            is_ended_early = latest.status in (Status.FAILED, Status.STOPPED)
            if not is_ended_early or execution.version != known.version:
                raise ServiceError(
                    "StageNotRetryableException",
                    f"The stage {stage} of {pipeline} cannot be retried: it is {latest.status}.",
                )
            for action in execution.actions:
                if action.stage == stage and (mode == "ALL_ACTIONS" or action.status is not Status.SUCCEEDED):
                    action.is_retried = True
            execution.status = Status.IN_PROGRESS
            execution.stop_reason = ""
            execution.cursor = stage
            self._touch(execution)
            self._observer.execution_changed(execution, "RESUMED")
            self._spawn(execution)

    def recover(self) -> None:
        """Take up what a restart left: waiting executions go on, interrupted ones fail."""
        with self._changed:
            for execution in self._store.all_executions():
                if not execution.status.is_running:
                    continue
                at_work = [action for action in execution.actions if action.is_running]
                interrupted = [action for action in at_work if not action.is_approval]
                if not interrupted and execution.status is Status.IN_PROGRESS:
                    self._spawn(execution)
                    continue
                status = Status.FAILED if interrupted else Status.STOPPED
                for action in at_work:
                    action.status = Status.ABANDONED if action.is_approval else Status.FAILED
                    action.updated = self._store.clock()
                    if not action.is_approval:
                        action.error = ErrorDetails("JobFailed", INTERRUPTED)
                self._end_stages(execution, status)
                self._finish(execution, status)

    def forget(self) -> None:
        """Drop everything: what runs is told to return."""
        self._stages.cancel_everything()
        self._store.clear()

    def shut_down(self) -> None:
        """End the threads; what waits stays as it is and is taken up by ``recover``."""
        self._ended.set()
        with self._changed:
            self._changed.notify_all()
        self._stages.cancel_everything()

    def _spawn(self, execution: Execution) -> None:
        threading.Thread(
            target=self._run, args=(execution,), name=f"pipeline-{execution.id[:8]}", daemon=True
        ).start()

    def _run(self, execution: Execution) -> None:
        try:
            self._advance(execution)
        except Exception:
            logger.exception("The execution %s ended with a defect of the sandbox.", execution.id)
            with self._changed:
                self._end_stages(execution, Status.FAILED)
                self._finish(execution, Status.FAILED)

    def _advance(self, execution: Execution) -> None:
        stages = execution.declaration["stages"]
        first = next(index for index, stage in enumerate(stages) if stage["name"] == execution.cursor)
        for stage in stages[first:]:
            if not self._enter(execution, stage["name"]):
                return
            status = self._stages.run(execution, stage)
            with self._changed:
                if self._ended.is_set() or not self._is_alive(execution):
                    return
                self._set_stage(execution, stage["name"], status)
                if status is not Status.SUCCEEDED:
                    self._finish(execution, status)
                    return
        with self._changed:
            if self._is_alive(execution):
                self._finish(execution, Status.SUCCEEDED)

    def _enter(self, execution: Execution, stage: str) -> bool:
        """Wait in front of the stage until this execution may lock it; False when it never may."""
        with self._changed:
            pipeline = self._store.pipeline(execution.region, execution.pipeline)
            if pipeline.stages.get(stage) == StageExecution(execution.id, Status.IN_PROGRESS):
                return True  # taken up after a restart inside the stage
            execution.waiting = stage
            execution.cursor = stage
            self._supersede(execution, stage)
            self._changed.notify_all()
            while True:
                if self._ended.is_set() or not self._is_alive(execution):
                    return False
                if execution.status is Status.STOPPING:
                    self._finish(execution, Status.STOPPED)
                    return False
                if self._may_enter(execution, stage):
                    execution.waiting = None
                    self._set_stage(execution, stage, Status.IN_PROGRESS)
                    return True
                self._changed.wait(1.0)

    def _supersede(self, execution: Execution, stage: str) -> None:
        if execution.mode != "SUPERSEDED":
            return
        for other in self._waiting(execution, stage):
            older = min(other, execution, key=lambda each: each.sequence)
            if other is not execution and older.status is Status.IN_PROGRESS:
                self._finish(older, Status.SUPERSEDED)

    def _may_enter(self, execution: Execution, stage: str) -> bool:
        pipeline = self._store.pipeline(execution.region, execution.pipeline)
        latest = pipeline.stages.get(stage)
        if (latest is not None and latest.status.is_running) or stage in pipeline.transitions:
            return False
        first = min(self._waiting(execution, stage), key=lambda each: each.sequence)
        return first is execution

    def _waiting(self, execution: Execution, stage: str) -> list[Execution]:
        return [
            other
            for other in self._store.executions(execution.region, execution.pipeline)
            if other.waiting == stage and other.status.is_running
        ]

    def _is_alive(self, execution: Execution) -> bool:
        """Whether the execution still runs: not finished by another thread, its pipeline not deleted."""
        known = self._store.executions(execution.region, execution.pipeline)
        return execution.status.is_running and any(other is execution for other in known)

    def _set_stage(self, execution: Execution, stage: str, status: Status) -> None:
        execution.stages[stage] = status
        pipeline = self._store.pipeline(execution.region, execution.pipeline)
        pipeline.stages[stage] = StageExecution(execution.id, status)
        self._touch(execution)
        self._changed.notify_all()

    def _finish(self, execution: Execution, status: Status) -> None:
        execution.status = status
        execution.waiting = None
        self._touch(execution)
        self._observer.execution_changed(execution, _EVENT_STATES.get(status, status.value.upper()))
        self._changed.notify_all()

    def _end_stages(self, execution: Execution, status: Status) -> None:
        for stage, current in execution.stages.items():
            if current.is_running:
                self._set_stage(execution, stage, status)

    def _touch(self, execution: Execution) -> None:
        execution.updated = self._store.clock()


def _overrides(declaration: Mapping[str, Any], revisions: list[dict[str, Any]]) -> dict[str, str]:
    """The source revisions to use, by action.

    Raises:
        ServiceError: one names no source action, or a kind of revision that its source has not.
    """
    sources = {action["name"]: action for action in declaration["stages"][0]["actions"]}
    chosen = {}
    for revision in revisions:
        action = revision["actionName"]
        if action not in sources:
            raise ServiceError(
                "ValidationException", f"The source revision names no source action: {action}."
            )
        if revision["revisionType"] not in ("S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY"):
            raise ServiceError(
                "ValidationException",
                f"The revision type {revision['revisionType']} does not fit the source {action}.",
            )
        if revision["revisionType"] == "S3_OBJECT_KEY":
            raise ServiceError("ValidationException", "The sandbox does not play S3_OBJECT_KEY overrides.")
        chosen[action] = revision["revisionValue"]
    return chosen
