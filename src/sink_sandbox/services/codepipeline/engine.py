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
from typing import Any

from sink_sandbox.services.codepipeline.action_execution import Observer, Player
from sink_sandbox.services.codepipeline.errors import ServiceError, stage_not_found
from sink_sandbox.services.codepipeline.stage_runner import StageWork
from sink_sandbox.services.codepipeline.store import Record, Store

logger = logging.getLogger(__name__)

RUNNING = ("InProgress", "Stopping")

_EVENT_STATES = {"Cancelled": "CANCELED"}
"""Where an event's state is not the status in capitals."""

INTERRUPTED = "The sandbox ended while this action ran; start the pipeline again or retry the stage."


class Engine:
    """Starts, stops and retries executions."""

    def __init__(self, store: Store, player: Player, observer: Observer) -> None:
        self._store = store
        self._changed = store.changed
        self._observer = observer
        self._ended = threading.Event()
        self._work = StageWork(store, player, observer, self._ended)

    def start(
        self,
        region: str,
        pipeline: str,
        *,
        trigger: str,
        detail: str = "",
        revisions: list[Record] | None = None,
        token: str | None = None,
    ) -> str:
        """Start an execution and return its id; the same request token means the same execution."""
        with self._changed:
            known = self._store.pipeline(region, pipeline)
            if token:
                for earlier in self._store.executions(region, pipeline):
                    if earlier["token"] == token:
                        return str(earlier["id"])
            declaration = known["declaration"]
            now = self._store.clock()
            execution: Record = {
                "id": str(uuid.uuid4()),
                "pipeline": pipeline,
                "region": region,
                "version": declaration["version"],
                "mode": declaration["executionMode"],
                "declaration": declaration,
                "status": "InProgress",
                "summary": "",
                "started": now,
                "updated": now,
                "trigger": {"type": trigger, "detail": detail},
                "revisions": _overrides(declaration, revisions or []),
                "token": token,
                "stop_reason": "",
                "waiting": None,
                "cursor": declaration["stages"][0]["name"],
                "stages": {},
                "artifacts": {},
                "sources": [],
                "namespaces": {},
                "actions": [],
            }
            self._store.add_execution(region, pipeline, execution)
            self._observer.execution_changed(execution, "STARTED")
            self._spawn(execution)
            return str(execution["id"])

    def stop(self, region: str, pipeline: str, execution_id: str, *, abandon: bool, reason: str) -> None:
        """Let the actions at work finish and stop, or abandon them at once."""
        with self._changed:
            execution = self._store.execution(region, pipeline, execution_id)
            if execution["status"] not in RUNNING:
                raise ServiceError(
                    "PipelineExecutionNotStoppableException",
                    f"The pipeline execution {execution_id} is {execution['status']} and cannot be stopped.",
                )
            if execution["status"] == "Stopping" and not abandon:
                raise ServiceError(
                    "DuplicatedStopRequestException",
                    f"The pipeline execution {execution_id} is already stopping.",
                )
            execution["status"] = "Stopping"
            execution["stop_reason"] = reason
            self._touch(execution)
            if abandon:
                self._work.abandon(execution)
            else:
                self._work.release_approvals(execution)
            self._changed.notify_all()

    def cancel_all(self, region: str, pipeline: str) -> None:
        """End what runs because the definition changes: AWS calls those executions Cancelled."""
        with self._changed:
            for execution in self._store.executions(region, pipeline):
                if execution["status"] in RUNNING:
                    self._work.abandon(execution)
                    for stage, status in execution["stages"].items():
                        if status in RUNNING:
                            self._set_stage(execution, stage, "Cancelled")
                    self._finish(execution, "Cancelled")

    def retry(self, region: str, pipeline: str, stage: str, execution_id: str, mode: str) -> None:
        """Run a failed stage again: its failed actions, or all of them."""
        with self._changed:
            known = self._store.pipeline(region, pipeline)
            execution = self._store.execution(region, pipeline, execution_id)
            if stage not in [entry["name"] for entry in known["declaration"]["stages"]]:
                raise stage_not_found(pipeline, stage)
            latest = known["stages"].get(stage, {})
            if latest.get("executionId") != execution_id:
                raise ServiceError(
                    "NotLatestPipelineExecutionException",
                    f"The pipeline execution {execution_id} is not the latest one of the stage {stage}.",
                )
            if (
                latest.get("status") not in ("Failed", "Stopped")
                or execution["version"] != known["declaration"]["version"]
            ):
                raise ServiceError(
                    "StageNotRetryableException",
                    f"The stage {stage} of {pipeline} cannot be retried: it is {latest.get('status')}.",
                )
            for record in execution["actions"]:
                if record["stage"] == stage and (mode == "ALL_ACTIONS" or record["status"] != "Succeeded"):
                    record["stale"] = True
            execution.update(status="InProgress", stop_reason="", cursor=stage)
            self._touch(execution)
            self._observer.execution_changed(execution, "RESUMED")
            self._spawn(execution)

    def recover(self) -> None:
        """Take up what a restart left: waiting executions go on, interrupted ones fail."""
        with self._changed:
            for execution in self._store.all_executions():
                if execution["status"] not in RUNNING:
                    continue
                at_work = [record for record in execution["actions"] if record["status"] == "InProgress"]
                interrupted = [record for record in at_work if record["type"]["category"] != "Approval"]
                if not interrupted and execution["status"] == "InProgress":
                    self._spawn(execution)
                    continue
                status = "Failed" if interrupted else "Stopped"
                for record in at_work:
                    record.update(status="Failed" if record in interrupted else "Abandoned")
                    record.update(updated=self._store.clock())
                    if record in interrupted:
                        record["error"] = {"code": "JobFailed", "message": INTERRUPTED}
                for stage, state in execution["stages"].items():
                    if state in RUNNING:
                        self._set_stage(execution, stage, status)
                self._finish(execution, status)

    def forget(self) -> None:
        """Drop everything: what runs is told to return."""
        self._work.cancel_everything()
        self._store.clear()

    def shut_down(self) -> None:
        """End the threads; what waits stays as it is and is taken up by ``recover``."""
        self._ended.set()
        with self._changed:
            self._changed.notify_all()
        self._work.cancel_everything()

    def _spawn(self, execution: Record) -> None:
        threading.Thread(
            target=self._run, args=(execution,), name=f"pipeline-{execution['id'][:8]}", daemon=True
        ).start()

    def _run(self, execution: Record) -> None:
        try:
            self._advance(execution)
        except Exception:
            logger.exception("The execution %s ended with a defect of the sandbox.", execution["id"])
            with self._changed:
                for stage, status in execution["stages"].items():
                    if status in RUNNING:
                        self._set_stage(execution, stage, "Failed")
                self._finish(execution, "Failed")

    def _advance(self, execution: Record) -> None:
        stages = execution["declaration"]["stages"]
        first = next(index for index, stage in enumerate(stages) if stage["name"] == execution["cursor"])
        for stage in stages[first:]:
            if not self._enter(execution, stage["name"]):
                return
            status = self._work.run(execution, stage)
            with self._changed:
                if self._ended.is_set() or not self._is_alive(execution):
                    return
                self._set_stage(execution, stage["name"], status)
                if status != "Succeeded":
                    self._finish(execution, status)
                    return
        with self._changed:
            if self._is_alive(execution):
                self._finish(execution, "Succeeded")

    def _enter(self, execution: Record, stage: str) -> bool:
        """Wait in front of the stage until this execution may lock it; False when it never may."""
        with self._changed:
            pipeline = self._store.pipeline(execution["region"], execution["pipeline"])
            if pipeline["stages"].get(stage, {}).get("executionId") == execution["id"] and (
                execution["stages"].get(stage) == "InProgress"
            ):
                return True  # taken up after a restart inside the stage
            execution["waiting"] = stage
            execution["cursor"] = stage
            self._supersede(execution, stage)
            self._changed.notify_all()
            while True:
                if self._ended.is_set() or not self._is_alive(execution):
                    return False
                if execution["status"] == "Stopping":
                    self._finish(execution, "Stopped")
                    return False
                if self._may_enter(execution, stage):
                    execution["waiting"] = None
                    self._set_stage(execution, stage, "InProgress")
                    return True
                self._changed.wait(1.0)

    def _supersede(self, execution: Record, stage: str) -> None:
        if execution["mode"] != "SUPERSEDED":
            return
        for other in self._waiting(execution, stage):
            older = min(other, execution, key=lambda record: record["sequence"])
            if other is not execution and older["status"] == "InProgress":
                self._finish(older, "Superseded")

    def _may_enter(self, execution: Record, stage: str) -> bool:
        pipeline = self._store.pipeline(execution["region"], execution["pipeline"])
        if pipeline["stages"].get(stage, {}).get("status") in RUNNING:
            return False
        if not pipeline["transitions"].get(stage, {}).get("enabled", True):
            return False
        first = min(self._waiting(execution, stage), key=lambda record: record["sequence"])
        return first is execution

    def _waiting(self, execution: Record, stage: str) -> list[Record]:
        return [
            other
            for other in self._store.executions(execution["region"], execution["pipeline"])
            if other["waiting"] == stage and other["status"] in RUNNING
        ]

    def _is_alive(self, execution: Record) -> bool:
        """Whether the execution still runs: not finished by another thread, its pipeline not deleted."""
        known = self._store.executions(execution["region"], execution["pipeline"])
        return execution["status"] in RUNNING and any(record is execution for record in known)

    def _set_stage(self, execution: Record, stage: str, status: str) -> None:
        execution["stages"][stage] = status
        pipeline = self._store.pipeline(execution["region"], execution["pipeline"])
        pipeline["stages"][stage] = {"executionId": execution["id"], "status": status}
        self._touch(execution)
        self._changed.notify_all()

    def _finish(self, execution: Record, status: str) -> None:
        execution["status"] = status
        execution["waiting"] = None
        self._touch(execution)
        self._observer.execution_changed(execution, _EVENT_STATES.get(status, status.upper()))
        self._changed.notify_all()

    def _touch(self, execution: Record) -> None:
        execution["updated"] = self._store.clock()


def _overrides(declaration: Record, revisions: list[Record]) -> dict[str, Any]:
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
