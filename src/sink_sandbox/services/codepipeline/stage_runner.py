"""Runs the actions of one stage for one execution, by run order, and records how each went."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Mapping
from typing import Any

from sink_sandbox.client.lifecycle import ACCOUNT_ID
from sink_sandbox.services.codepipeline.executions import (
    ActionExecution,
    ErrorDetails,
    Execution,
    SourceRevision,
    Status,
)
from sink_sandbox.services.codepipeline.jobs import (
    ActionFailed,
    ActionJob,
    Cancelled,
    Observer,
    Outcome,
    Worker,
)
from sink_sandbox.services.codepipeline.store import Store
from sink_sandbox.services.codepipeline.variables import Unresolved, resolve_variables

logger = logging.getLogger(__name__)

_APPROVAL_TIMEOUT_MIN = 7 * 24 * 60
"""https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html"""


Declared = Mapping[str, Any]
"""A stage or an action in AWS's shape."""


class StageRunner:
    """Runs stages."""

    def __init__(self, store: Store, worker: Worker, observer: Observer, ended: threading.Event) -> None:
        self._store = store
        self._changed = store.changed
        self._worker = worker
        self._observer = observer
        self._ended = ended
        self._cancels: dict[str, threading.Event] = {}

    def run(self, execution: Execution, stage: Declared) -> Status:
        """Run what is left of the stage; returns its status."""
        for order in sorted({declared["runOrder"] for declared in stage["actions"]}):
            with self._changed:
                if execution.status is Status.STOPPING:
                    return Status.STOPPED
            actions = [
                self._begin(execution, stage["name"], declared)
                for declared in stage["actions"]
                if declared["runOrder"] == order
            ]
            self._await(actions)
            statuses = {action.status for action in actions}
            if Status.FAILED in statuses:
                return Status.FAILED
            if statuses != {Status.SUCCEEDED}:
                return Status.STOPPED
        return Status.SUCCEEDED

    def abandon(self, execution: Execution) -> None:
        """Leave the actions at work to themselves."""
        for action in execution.actions:
            if action.is_running:
                self._abandon(action)
                self._cancel(action)

    def release_approvals(self, execution: Execution) -> None:
        """An open approval is not work to wait for: it ends when its execution stops."""
        for action in execution.actions:
            if action.is_running and action.is_approval:
                self._abandon(action)

    def cancel_everything(self) -> None:
        """Tell every action at work to return."""
        with self._changed:
            for cancelled in self._cancels.values():
                cancelled.set()

    def _abandon(self, action: ActionExecution) -> None:
        action.status = Status.ABANDONED
        action.updated = self._store.clock()

    def _cancel(self, action: ActionExecution) -> None:
        cancelled = self._cancels.get(action.id)
        if cancelled is not None:
            cancelled.set()

    def _await(self, actions: list[ActionExecution]) -> None:
        with self._changed:
            while not self._ended.is_set() and any(action.is_running for action in actions):
                self._changed.wait(1.0)

    def _begin(self, execution: Execution, stage: str, declared: Declared) -> ActionExecution:
        with self._changed:
            for known in execution.actions:
                if (known.stage, known.action) == (stage, declared["name"]) and not known.is_retried:
                    if known.is_running:  # an approval, open since before a restart
                        self._work_on(execution, declared, known)
                    return known
            now = self._store.clock()
            action = ActionExecution(
                id=str(uuid.uuid4()),
                stage=stage,
                action=declared["name"],
                type=declared["actionTypeId"],
                configuration=declared["configuration"],
                namespace=declared.get("namespace", ""),
                role=declared.get("roleArn", ""),
                started=now,
                updated=now,
            )
            if action.is_approval:
                action.token = str(uuid.uuid4())
                self._observer.approval_opened(execution, action)
            execution.actions.append(action)
            self._work_on(execution, declared, action)
            return action

    def _work_on(self, execution: Execution, declared: Declared, action: ActionExecution) -> None:
        self._changed.notify_all()
        cancelled = threading.Event()
        self._cancels[action.id] = cancelled
        threading.Thread(
            target=self._await_approval if action.is_approval else self._run_job,
            args=(execution, declared, action, cancelled),
            name=f"action-{action.action}",
            daemon=True,
        ).start()

    def _run_job(
        self, execution: Execution, declared: Declared, action: ActionExecution, cancelled: threading.Event
    ) -> None:
        try:
            outcome = self._worker(self._prepare(execution, declared, action, cancelled))
        except ActionFailed as failure:
            self._end(action, Status.FAILED, error=ErrorDetails(failure.code, failure.message))
        except Cancelled:
            self._end(action, Status.ABANDONED)
        except Exception as error:
            logger.exception("The action %s ended with a defect of the sandbox.", action.action)
            message = f"The sandbox could not run this action: {type(error).__name__}: {error}"
            self._end(action, Status.FAILED, error=ErrorDetails("InternalError", message))
        else:
            self._succeed(execution, action, outcome)
        finally:
            self._cancels.pop(action.id, None)

    def _prepare(
        self, execution: Execution, declared: Declared, action: ActionExecution, cancelled: threading.Event
    ) -> ActionJob:
        with self._changed:
            namespaces = {**execution.namespaces, "codepipeline": {"PipelineExecutionId": execution.id}}
            try:
                resolved = {
                    key: resolve_variables(value, namespaces)
                    for key, value in declared["configuration"].items()
                }
                if "commands" in declared:
                    # https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Commands.html
                    commands = [resolve_variables(command, namespaces) for command in declared["commands"]]
                    declared = {**declared, "commands": commands}
            except Unresolved as error:
                raise ActionFailed("InvalidActionConfiguration", str(error)) from error
            inputs = {
                artifact["name"]: execution.artifacts[artifact["name"]]
                for artifact in declared["inputArtifacts"]
            }
            action.resolved = resolved
            action.inputs = inputs

        def report(*, external_id: str = "", summary: str = "", log_stream_arn: str = "") -> None:
            with self._changed:
                action.external_id = external_id or action.external_id
                action.summary = summary or action.summary
                action.log_stream_arn = log_stream_arn or action.log_stream_arn
                action.updated = self._store.clock()
                self._changed.notify_all()

        region = declared.get("region") or execution.region
        pipeline_role = execution.declaration["roleArn"]
        return ActionJob(
            pipeline=execution.pipeline,
            region=region,
            execution_id=execution.id,
            stage=action.stage,
            action=declared,
            configuration=resolved,
            artifact_store=_artifact_bucket(execution.declaration, region),
            role=action.role or pipeline_role,
            through=pipeline_role if action.role else "",
            inputs=inputs,
            revisions={source.artifact: source.id for source in execution.sources},
            source_revision=execution.revisions.get(action.action),
            cancelled=cancelled,
            report=report,
        )

    def _succeed(self, execution: Execution, action: ActionExecution, outcome: Outcome) -> None:
        with self._changed:
            if not action.is_running:
                return
            action.variables = outcome.variables
            action.outputs = outcome.artifacts
            execution.artifacts.update(outcome.artifacts)
            if action.namespace:
                execution.namespaces[action.namespace] = outcome.variables
            if outcome.revision is not None:
                action.revision = SourceRevision(
                    action=action.action,
                    artifact=next(iter(outcome.artifacts), ""),
                    id=outcome.revision.revision_id,
                    summary=outcome.revision.summary,
                    created=outcome.revision.created,
                )
                execution.sources.append(action.revision)
            self._end(action, Status.SUCCEEDED, summary=outcome.summary)

    def _await_approval(
        self, _execution: Execution, declared: Declared, action: ActionExecution, cancelled: threading.Event
    ) -> None:
        timeout_min = declared.get("timeoutInMinutes") or _APPROVAL_TIMEOUT_MIN
        # By the calendar: a sandbox that is stopped and started again keeps nobody waiting for longer.
        deadline = action.started + timeout_min * 60
        with self._changed:
            while action.is_unanswered:
                if self._ended.is_set() or cancelled.is_set():
                    return
                if self._store.clock() > deadline:
                    message = f"Nobody approved or rejected within {timeout_min} minutes."
                    self._end(action, Status.FAILED, error=ErrorDetails("TimeoutError", message))
                    return
                self._changed.wait(1.0)
            if not action.is_running or action.approval is None:
                return
            summary = action.approval.summary
            if action.approval.status == "Approved":
                self._end(action, Status.SUCCEEDED, summary=summary)
            else:
                error = ErrorDetails("ApprovalRejected", f"The approval was rejected: {summary}")
                self._end(action, Status.FAILED, summary=summary, error=error)
            action.updated_by = f"arn:aws:iam::{ACCOUNT_ID}:root"

    def _end(
        self,
        action: ActionExecution,
        status: Status,
        *,
        summary: str = "",
        error: ErrorDetails | None = None,
    ) -> None:
        with self._changed:
            if not action.is_running or self._ended.is_set():
                return  # abandoned meanwhile, or the sandbox is ending: recover() says what became of it
            action.status = status
            action.summary = summary or action.summary
            action.error = error
            action.updated = self._store.clock()
            self._changed.notify_all()


def _artifact_bucket(declaration: Declared, region: str) -> str:
    store = declaration.get("artifactStore") or (declaration.get("artifactStores") or {}).get(region)
    if not store:
        raise ActionFailed("InvalidActionConfiguration", f"The pipeline has no artifact store in {region}.")
    return str(store["location"])
