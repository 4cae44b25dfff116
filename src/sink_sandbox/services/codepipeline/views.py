"""The service's records in the shapes of AWS's API (pure)."""

from __future__ import annotations

from typing import Any

from sink_sandbox.services.codepipeline.store import Record


def pipeline_summary(pipeline: Record) -> Record:
    """One entry of ListPipelines."""
    declaration = pipeline["declaration"]
    return {
        "name": declaration["name"],
        "version": declaration["version"],
        "pipelineType": declaration["pipelineType"],
        "executionMode": declaration["executionMode"],
        "created": pipeline["created"],
        "updated": pipeline["updated"],
    }


def pipeline_metadata(pipeline: Record) -> Record:
    """The metadata of GetPipeline."""
    return {
        "pipelineArn": pipeline["arn"],
        "created": pipeline["created"],
        "updated": pipeline["updated"],
    }


def execution_summary(execution: Record) -> Record:
    """One entry of ListPipelineExecutions."""
    return _without_empty(
        {
            "pipelineExecutionId": execution["id"],
            "status": execution["status"],
            "statusSummary": execution["summary"],
            "startTime": execution["started"],
            "lastUpdateTime": execution["updated"],
            "sourceRevisions": [
                {
                    "actionName": source["action"],
                    "revisionId": source["id"],
                    "revisionSummary": source["summary"],
                }
                for source in execution["sources"]
            ],
            "trigger": _trigger(execution),
            "stopTrigger": {"reason": execution["stop_reason"]} if execution["stop_reason"] else None,
            "executionMode": execution["mode"],
            "executionType": "STANDARD",
        }
    )


def execution_detail(execution: Record) -> Record:
    """The answer of GetPipelineExecution."""
    return _without_empty(
        {
            "pipelineName": execution["pipeline"],
            "pipelineVersion": execution["version"],
            "pipelineExecutionId": execution["id"],
            "status": execution["status"],
            "statusSummary": execution["summary"],
            "artifactRevisions": [
                {
                    "name": source["artifact"],
                    "revisionId": source["id"],
                    "revisionSummary": source["summary"],
                    "created": source["created"],
                }
                for source in execution["sources"]
            ],
            "trigger": _trigger(execution),
            "executionMode": execution["mode"],
            "executionType": "STANDARD",
        }
    )


def action_detail(execution: Record, record: Record) -> Record:
    """One entry of ListActionExecutions."""
    return _without_empty(
        {
            "pipelineExecutionId": execution["id"],
            "actionExecutionId": record["id"],
            "pipelineVersion": execution["version"],
            "stageName": record["stage"],
            "actionName": record["action"],
            "startTime": record["started"],
            "lastUpdateTime": record["updated"],
            "updatedBy": record.get("updated_by"),
            "status": record["status"],
            "input": _without_empty(
                {
                    "actionTypeId": record["type"],
                    "configuration": record["configuration"],
                    "resolvedConfiguration": record["resolved"],
                    "roleArn": record["role"],
                    "region": execution["region"],
                    "inputArtifacts": _artifacts(record["inputs"]),
                    "namespace": record["namespace"],
                }
            ),
            "output": {
                "outputArtifacts": _artifacts(record["outputs"]),
                "executionResult": _without_empty(
                    {
                        "externalExecutionId": record["external_id"],
                        "externalExecutionSummary": record["summary"],
                        "externalExecutionUrl": record["external_url"],
                        "logStreamARN": record.get("log_stream_arn"),
                        "errorDetails": record["error"],
                    }
                ),
                "outputVariables": record["variables"],
            },
        }
    )


def pipeline_state(pipeline: Record, executions: list[Record]) -> Record:
    """The answer of GetPipelineState; ``executions`` are the pipeline's, oldest first."""
    return {
        "pipelineName": pipeline["declaration"]["name"],
        "pipelineVersion": pipeline["declaration"]["version"],
        "created": pipeline["created"],
        "updated": pipeline["updated"],
        "stageStates": [
            _stage_state(pipeline, stage, executions, is_first=index == 0)
            for index, stage in enumerate(pipeline["declaration"]["stages"])
        ],
    }


def _stage_state(pipeline: Record, stage: Record, executions: list[Record], *, is_first: bool) -> Record:
    name = stage["name"]
    latest = pipeline["stages"].get(name)
    waiting = [
        _stage_execution(execution["id"], "InProgress")
        for execution in executions
        if execution["waiting"] == name and execution["status"] in ("InProgress", "Stopping")
    ]
    return _without_empty(
        {
            "stageName": name,
            "inboundExecution": waiting[0] if waiting else None,
            "inboundExecutions": waiting,
            "inboundTransitionState": None if is_first else _transition(pipeline["transitions"].get(name)),
            "latestExecution": _stage_execution(latest["executionId"], latest["status"]) if latest else None,
            "actionStates": [_action_state(name, action, executions) for action in stage["actions"]],
        }
    )


def _stage_execution(execution_id: str, status: str) -> Record:
    return {"pipelineExecutionId": execution_id, "status": status, "type": "STANDARD"}


def _transition(state: Record | None) -> Record:
    if state is None or state["enabled"]:
        return {"enabled": True}
    return {
        "enabled": False,
        "disabledReason": state["reason"],
        "lastChangedBy": state["by"],
        "lastChangedAt": state["at"],
    }


def _action_state(stage: str, action: Record, executions: list[Record]) -> Record:
    records = [
        record
        for execution in executions
        for record in execution["actions"]
        if record["stage"] == stage and record["action"] == action["name"]
    ]
    if not records:
        return {"actionName": action["name"]}
    record = max(records, key=lambda record: record["started"])
    revision = record.get("revision")
    return _without_empty(
        {
            "actionName": action["name"],
            "currentRevision": {
                "revisionId": revision["id"],
                "revisionChangeId": revision["id"],
                "created": revision["created"],
            }
            if revision
            else None,
            "latestExecution": _without_empty(
                {
                    "actionExecutionId": record["id"],
                    "status": record["status"],
                    "summary": record["summary"],
                    "lastStatusChange": record["updated"],
                    "token": record.get("token") if _is_unanswered(record) else None,
                    "lastUpdatedBy": record.get("updated_by"),
                    "externalExecutionId": record["external_id"],
                    "externalExecutionUrl": record["external_url"],
                    "errorDetails": record["error"],
                }
            ),
        }
    )


def _trigger(execution: Record) -> Record:
    return {"triggerType": execution["trigger"]["type"], "triggerDetail": execution["trigger"]["detail"]}


def _artifacts(entries: list[Record]) -> list[Record]:
    return [
        {"name": entry["name"], "s3location": {"bucket": entry["bucket"], "key": entry["key"]}}
        for entry in entries
    ]


def _without_empty(entry: dict[str, Any]) -> Record:
    """AWS leaves out what it has not; an empty list is still an answer."""
    return {key: value for key, value in entry.items() if value is not None and value != ""}


def _is_unanswered(record: Record) -> bool:
    """An approval that has its answer is for a moment still in progress, and takes no other."""
    return record["status"] == "InProgress" and "approval" not in record
