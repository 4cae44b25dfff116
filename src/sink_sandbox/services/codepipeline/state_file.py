"""Pipelines and executions as JSON, and back; what 1.0.0 has written is read too.

The keys are those that the first version wrote, so a state goes back to an earlier version as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sink_sandbox.services.codepipeline.executions import (
    ActionExecution,
    Approval,
    DisabledTransition,
    ErrorDetails,
    Execution,
    Location,
    Pipeline,
    SourceRevision,
    StageExecution,
    Status,
    Trigger,
)

Data = dict[str, Any]


def pipeline_to_data(pipeline: Pipeline) -> Data:
    """Return a pipeline as plain data."""
    return {
        **asdict(pipeline),
        "transitions": {
            stage: {"enabled": False, **asdict(transition)}
            for stage, transition in pipeline.transitions.items()
        },
        "stages": {
            stage: {"executionId": latest.execution_id, "status": latest.status}
            for stage, latest in pipeline.stages.items()
        },
    }


def pipeline_from_data(data: Data) -> Pipeline:
    """Return the pipeline of :func:`pipeline_to_data`."""
    return Pipeline(
        **{
            **data,
            "transitions": {
                stage: DisabledTransition(entry["reason"], entry["by"], entry["at"])
                for stage, entry in data["transitions"].items()
                if not entry["enabled"]
            },
            "stages": {
                stage: StageExecution(entry["executionId"], Status(entry["status"]))
                for stage, entry in data["stages"].items()
            },
        }
    )


def execution_to_data(execution: Execution) -> Data:
    """Return an execution and those of its actions as plain data."""
    return {
        **asdict(execution),
        "version": execution.version,
        "mode": execution.mode,
        "actions": [_action_to_data(action) for action in execution.actions],
    }


def execution_from_data(data: Data) -> Execution:
    """Return the execution of :func:`execution_to_data`."""
    known = {key: value for key, value in data.items() if key not in ("version", "mode")}
    return Execution(
        **{
            **known,
            "status": Status(data["status"]),
            "trigger": Trigger(**data["trigger"]),
            "stages": {stage: Status(status) for stage, status in data["stages"].items()},
            "artifacts": {name: Location(**entry) for name, entry in data["artifacts"].items()},
            "sources": [SourceRevision(**entry) for entry in data["sources"]],
            "actions": [_action_from_data(entry) for entry in data["actions"]],
        }
    )


_RENAMED = {"stale": "is_retried"}

_WHERE_THERE_IS_ONE = ("token", "approval", "updated_by", "revision", "log_stream_arn", "stale")
"""Keys that are written only with a value."""


def _action_to_data(action: ActionExecution) -> Data:
    data = asdict(action)
    for key, name in _RENAMED.items():
        data[key] = data.pop(name)
    data |= {"inputs": _artifacts_to_data(action.inputs), "outputs": _artifacts_to_data(action.outputs)}
    return {key: value for key, value in data.items() if value or key not in _WHERE_THERE_IS_ONE}


def _action_from_data(data: Data) -> ActionExecution:
    def read(kind: Any, key: str) -> Any:
        return kind(**data[key]) if data.get(key) else None

    known = {_RENAMED.get(key, key): value for key, value in data.items()}
    return ActionExecution(
        **{
            **known,
            "status": Status(data["status"]),
            "inputs": _artifacts_from_data(data["inputs"]),
            "outputs": _artifacts_from_data(data["outputs"]),
            "error": read(ErrorDetails, "error"),
            "revision": read(SourceRevision, "revision"),
            "approval": read(Approval, "approval"),
        }
    )


def _artifacts_to_data(artifacts: Mapping[str, Location]) -> list[Data]:
    return [{"name": name, **asdict(location)} for name, location in artifacts.items()]


def _artifacts_from_data(entries: list[Data]) -> dict[str, Location]:
    return {entry["name"]: Location(entry["bucket"], entry["key"]) for entry in entries}
