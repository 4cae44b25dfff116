"""Runs the actions of one stage for one execution, by run order, and records how each went."""

from __future__ import annotations

import logging
import threading
import uuid
from typing import Any

from sink_sandbox.client.lifecycle import ACCOUNT_ID
from sink_sandbox.services.codepipeline.action_execution import (
    ActionFailed,
    ActionRun,
    Cancelled,
    Location,
    Observer,
    Outcome,
    Player,
)
from sink_sandbox.services.codepipeline.store import Record, Store
from sink_sandbox.services.codepipeline.variables import Unresolved, resolve_variables

logger = logging.getLogger(__name__)

_APPROVAL_TIMEOUT_MIN = 7 * 24 * 60
"""https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html"""


class StageWork:
    """The actions of stages."""

    def __init__(self, store: Store, player: Player, observer: Observer, ended: threading.Event) -> None:
        self._store = store
        self._changed = store.changed
        self._player = player
        self._observer = observer
        self._ended = ended
        self._cancels: dict[str, threading.Event] = {}

    def run(self, execution: Record, stage: Record) -> str:
        """Run what is left of the stage; returns its status."""
        for order in sorted({action["runOrder"] for action in stage["actions"]}):
            with self._changed:
                if execution["status"] == "Stopping":
                    return "Stopped"
            records = [
                self._begin(execution, stage["name"], action)
                for action in stage["actions"]
                if action["runOrder"] == order
            ]
            self._await(records)
            statuses = {record["status"] for record in records}
            if "Failed" in statuses:
                return "Failed"
            if statuses != {"Succeeded"}:
                return "Stopped"
        return "Succeeded"

    def abandon(self, execution: Record) -> None:
        """Leave the actions at work to themselves."""
        for record in execution["actions"]:
            if record["status"] == "InProgress":
                record.update(status="Abandoned", updated=self._store.clock())
                self._cancel(record)

    def release_approvals(self, execution: Record) -> None:
        """An open approval is not work to wait for: it ends when its execution stops."""
        for record in execution["actions"]:
            if record["status"] == "InProgress" and record["type"]["category"] == "Approval":
                record.update(status="Abandoned", updated=self._store.clock())

    def cancel_everything(self) -> None:
        """Tell every action at work to return."""
        with self._changed:
            for cancelled in self._cancels.values():
                cancelled.set()

    def _cancel(self, record: Record) -> None:
        cancelled = self._cancels.get(record["id"])
        if cancelled is not None:
            cancelled.set()

    def _await(self, records: list[Record]) -> None:
        with self._changed:
            while not self._ended.is_set() and any(record["status"] == "InProgress" for record in records):
                self._changed.wait(1.0)

    def _begin(self, execution: Record, stage: str, action: Record) -> Record:
        with self._changed:
            for known in execution["actions"]:
                if known["stage"] == stage and known["action"] == action["name"] and not known.get("stale"):
                    if known["status"] == "InProgress":  # an approval, open since before a restart
                        self._work_on(execution, action, known)
                    return known
            now = self._store.clock()
            record: Record = {
                "id": str(uuid.uuid4()),
                "stage": stage,
                "action": action["name"],
                "type": action["actionTypeId"],
                "status": "InProgress",
                "started": now,
                "updated": now,
                "configuration": action["configuration"],
                "resolved": {},
                "inputs": [],
                "outputs": [],
                "variables": {},
                "external_id": "",
                "external_url": "",
                "summary": "",
                "error": None,
                "namespace": action.get("namespace", ""),
                "role": action.get("roleArn", ""),
            }
            if action["actionTypeId"]["category"] == "Approval":
                record["token"] = str(uuid.uuid4())
                self._observer.approval_opened(execution, record)
            execution["actions"].append(record)
            self._work_on(execution, action, record)
            return record

    def _work_on(self, execution: Record, action: Record, record: Record) -> None:
        self._changed.notify_all()
        cancelled = threading.Event()
        self._cancels[record["id"]] = cancelled
        work = self._await_approval if action["actionTypeId"]["category"] == "Approval" else self._play
        threading.Thread(
            target=work,
            args=(execution, action, record, cancelled),
            name=f"action-{record['action']}",
            daemon=True,
        ).start()

    def _play(self, execution: Record, action: Record, record: Record, cancelled: threading.Event) -> None:
        try:
            outcome = self._player(self._prepare(execution, action, record, cancelled))
        except ActionFailed as failure:
            self._end(record, "Failed", error={"code": failure.code, "message": failure.message})
        except Cancelled:
            self._end(record, "Abandoned")
        except Exception as error:
            logger.exception("The action %s ended with a defect of the sandbox.", record["action"])
            message = f"The sandbox could not play this action: {type(error).__name__}: {error}"
            self._end(record, "Failed", error={"code": "InternalError", "message": message})
        else:
            self._succeed(execution, record, outcome)
        finally:
            self._cancels.pop(record["id"], None)

    def _prepare(
        self, execution: Record, action: Record, record: Record, cancelled: threading.Event
    ) -> ActionRun:
        with self._changed:
            namespaces = {
                **execution["namespaces"],
                "codepipeline": {"PipelineExecutionId": execution["id"]},
            }
            try:
                resolved = {
                    key: resolve_variables(value, namespaces)
                    for key, value in action["configuration"].items()
                }
                if "commands" in action:
                    # https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Commands.html
                    commands = [resolve_variables(command, namespaces) for command in action["commands"]]
                    action = {**action, "commands": commands}
            except Unresolved as error:
                raise ActionFailed("InvalidActionConfiguration", str(error)) from error
            inputs = {
                artifact["name"]: Location(**execution["artifacts"][artifact["name"]])
                for artifact in action["inputArtifacts"]
            }
            record["resolved"] = resolved
            record["inputs"] = [
                {"name": name, "bucket": location.bucket, "key": location.key}
                for name, location in inputs.items()
            ]

        def report(**seen: Any) -> None:
            with self._changed:
                record.update({**seen, "updated": self._store.clock()})
                self._changed.notify_all()

        return ActionRun(
            pipeline=execution["pipeline"],
            region=action.get("region") or execution["region"],
            execution_id=execution["id"],
            stage=record["stage"],
            action=action,
            configuration=resolved,
            artifact_store=_artifact_bucket(
                execution["declaration"], action.get("region") or execution["region"]
            ),
            role=action.get("roleArn") or execution["declaration"]["roleArn"],
            through=execution["declaration"]["roleArn"] if action.get("roleArn") else "",
            inputs=inputs,
            revisions={source["artifact"]: source["id"] for source in execution["sources"]},
            source_revision=execution["revisions"].get(action["name"]),
            cancelled=cancelled,
            report=report,
        )

    def _succeed(self, execution: Record, record: Record, outcome: Outcome) -> None:
        with self._changed:
            if record["status"] != "InProgress":
                return
            record["variables"] = outcome.variables
            record["outputs"] = [
                {"name": name, "bucket": location.bucket, "key": location.key}
                for name, location in outcome.artifacts.items()
            ]
            for name, location in outcome.artifacts.items():
                execution["artifacts"][name] = {"bucket": location.bucket, "key": location.key}
            if record["namespace"]:
                execution["namespaces"][record["namespace"]] = outcome.variables
            if outcome.revision is not None:
                record["revision"] = {
                    "action": record["action"],
                    "artifact": next(iter(outcome.artifacts), ""),
                    "id": outcome.revision.revision_id,
                    "summary": outcome.revision.summary,
                    "created": outcome.revision.created,
                }
                execution["sources"].append(record["revision"])
            self._end(record, "Succeeded", summary=outcome.summary or record["summary"])

    def _await_approval(
        self, _execution: Record, action: Record, record: Record, cancelled: threading.Event
    ) -> None:
        timeout_min = action.get("timeoutInMinutes") or _APPROVAL_TIMEOUT_MIN
        # By the calendar: a sandbox that is stopped and started again keeps nobody waiting for longer.
        deadline = record["started"] + timeout_min * 60
        with self._changed:
            while record["status"] == "InProgress" and "approval" not in record:
                if self._ended.is_set() or cancelled.is_set():
                    return
                if self._store.clock() > deadline:
                    message = f"Nobody approved or rejected within {timeout_min} minutes."
                    self._end(record, "Failed", error={"code": "TimeoutError", "message": message})
                    return
                self._changed.wait(1.0)
            if record["status"] != "InProgress":
                return
            result = record["approval"]
            if result["status"] == "Approved":
                self._end(record, "Succeeded", summary=result["summary"])
            else:
                message = f"The approval was rejected: {result['summary']}"
                self._end(
                    record,
                    "Failed",
                    summary=result["summary"],
                    error={"code": "ApprovalRejected", "message": message},
                )
            record["updated_by"] = f"arn:aws:iam::{ACCOUNT_ID}:root"

    def _end(self, record: Record, status: str, **more: Any) -> None:
        with self._changed:
            if record["status"] != "InProgress" or self._ended.is_set():
                return  # abandoned meanwhile, or the sandbox is ending: recover() says what became of it
            record.update({**more, "status": status, "updated": self._store.clock()})
            self._changed.notify_all()


def _artifact_bucket(declaration: Record, region: str) -> str:
    store = declaration.get("artifactStore") or (declaration.get("artifactStores") or {}).get(region)
    if not store:
        raise ActionFailed("InvalidActionConfiguration", f"The pipeline has no artifact store in {region}.")
    return str(store["location"])
