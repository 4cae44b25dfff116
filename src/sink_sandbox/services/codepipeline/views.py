"""Pipelines and executions in the shapes of AWS's API (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sink_sandbox.services.codepipeline.executions import (
    ActionExecution,
    DisabledTransition,
    Execution,
    Location,
    Pipeline,
    StageExecution,
    Status,
)

Answer = dict[str, Any]
"""A member of AWS's API."""


def pipeline_summary(pipeline: Pipeline) -> Answer:
    """One entry of ListPipelines."""
    declaration = pipeline.declaration
    return {
        "name": pipeline.name,
        "version": pipeline.version,
        "pipelineType": declaration["pipelineType"],
        "executionMode": declaration["executionMode"],
        "created": pipeline.created,
        "updated": pipeline.updated,
    }


def pipeline_metadata(pipeline: Pipeline) -> Answer:
    """The metadata of GetPipeline."""
    return {
        "pipelineArn": pipeline.arn,
        "created": pipeline.created,
        "updated": pipeline.updated,
    }


def execution_summary(execution: Execution) -> Answer:
    """One entry of ListPipelineExecutions."""
    return _without_empty(
        {
            "pipelineExecutionId": execution.id,
            "status": execution.status,
            "statusSummary": execution.summary,
            "startTime": execution.started,
            "lastUpdateTime": execution.updated,
            "sourceRevisions": [
                {
                    "actionName": source.action,
                    "revisionId": source.id,
                    "revisionSummary": source.summary,
                }
                for source in execution.sources
            ],
            "trigger": _trigger(execution),
            "stopTrigger": {"reason": execution.stop_reason} if execution.stop_reason else None,
            "executionMode": execution.mode,
            "executionType": "STANDARD",
        }
    )


def execution_detail(execution: Execution) -> Answer:
    """The answer of GetPipelineExecution."""
    return _without_empty(
        {
            "pipelineName": execution.pipeline,
            "pipelineVersion": execution.version,
            "pipelineExecutionId": execution.id,
            "status": execution.status,
            "statusSummary": execution.summary,
            "artifactRevisions": [
                {
                    "name": source.artifact,
                    "revisionId": source.id,
                    "revisionSummary": source.summary,
                    "created": source.created,
                }
                for source in execution.sources
            ],
            "trigger": _trigger(execution),
            "executionMode": execution.mode,
            "executionType": "STANDARD",
        }
    )


def action_detail(execution: Execution, action: ActionExecution) -> Answer:
    """One entry of ListActionExecutions."""
    return _without_empty(
        {
            "pipelineExecutionId": execution.id,
            "actionExecutionId": action.id,
            "pipelineVersion": execution.version,
            "stageName": action.stage,
            "actionName": action.action,
            "startTime": action.started,
            "lastUpdateTime": action.updated,
            "updatedBy": action.updated_by,
            "status": action.status,
            "input": _without_empty(
                {
                    "actionTypeId": action.type,
                    "configuration": action.configuration,
                    "resolvedConfiguration": action.resolved,
                    "roleArn": action.role,
                    "region": execution.region,
                    "inputArtifacts": _artifacts(action.inputs),
                    "namespace": action.namespace,
                }
            ),
            "output": {
                "outputArtifacts": _artifacts(action.outputs),
                "executionResult": _without_empty(
                    {
                        "externalExecutionId": action.external_id,
                        "externalExecutionSummary": action.summary,
                        "externalExecutionUrl": action.external_url,
                        "logStreamARN": action.log_stream_arn,
                        "errorDetails": _error(action),
                    }
                ),
                "outputVariables": action.variables,
            },
        }
    )


def pipeline_state(pipeline: Pipeline, executions: list[Execution]) -> Answer:
    """The answer of GetPipelineState; ``executions`` are the pipeline's, oldest first."""
    return {
        "pipelineName": pipeline.name,
        "pipelineVersion": pipeline.version,
        "created": pipeline.created,
        "updated": pipeline.updated,
        "stageStates": [
            _stage_state(pipeline, stage, executions, is_first=index == 0)
            for index, stage in enumerate(pipeline.declaration["stages"])
        ],
    }


def _stage_state(
    pipeline: Pipeline, stage: Mapping[str, Any], executions: list[Execution], *, is_first: bool
) -> Answer:
    name = stage["name"]
    latest = pipeline.stages.get(name)
    waiting = [
        _stage_execution(StageExecution(execution.id, Status.IN_PROGRESS))
        for execution in executions
        if execution.waiting == name and execution.status.is_running
    ]
    return _without_empty(
        {
            "stageName": name,
            "inboundExecution": waiting[0] if waiting else None,
            "inboundExecutions": waiting,
            "inboundTransitionState": None if is_first else _transition(pipeline.transitions.get(name)),
            "latestExecution": _stage_execution(latest) if latest else None,
            "actionStates": [_action_state(name, action["name"], executions) for action in stage["actions"]],
        }
    )


def _stage_execution(latest: StageExecution) -> Answer:
    return {"pipelineExecutionId": latest.execution_id, "status": latest.status, "type": "STANDARD"}


def _transition(disabled: DisabledTransition | None) -> Answer:
    if disabled is None:
        return {"enabled": True}
    return {
        "enabled": False,
        "disabledReason": disabled.reason,
        "lastChangedBy": disabled.by,
        "lastChangedAt": disabled.at,
    }


def _action_state(stage: str, name: str, executions: list[Execution]) -> Answer:
    found = [
        action
        for execution in executions
        for action in execution.actions
        if (action.stage, action.action) == (stage, name)
    ]
    if not found:
        return {"actionName": name}
    latest = max(found, key=lambda action: action.started)
    revision = latest.revision
    return _without_empty(
        {
            "actionName": name,
            "currentRevision": {
                "revisionId": revision.id,
                "revisionChangeId": revision.id,
                "created": revision.created,
            }
            if revision
            else None,
            "latestExecution": _without_empty(
                {
                    "actionExecutionId": latest.id,
                    "status": latest.status,
                    "summary": latest.summary,
                    "lastStatusChange": latest.updated,
                    "token": latest.token if latest.is_unanswered else None,
                    "lastUpdatedBy": latest.updated_by,
                    "externalExecutionId": latest.external_id,
                    "externalExecutionUrl": latest.external_url,
                    "errorDetails": _error(latest),
                }
            ),
        }
    )


def _error(action: ActionExecution) -> Answer | None:
    return {"code": action.error.code, "message": action.error.message} if action.error else None


def _trigger(execution: Execution) -> Answer:
    return {"triggerType": execution.trigger.type, "triggerDetail": execution.trigger.detail}


def _artifacts(artifacts: Mapping[str, Location]) -> list[Answer]:
    return [
        {"name": name, "s3location": {"bucket": location.bucket, "key": location.key}}
        for name, location in artifacts.items()
    ]


def _without_empty(entry: dict[str, Any]) -> Answer:
    """AWS leaves out what it has not; an empty list is still an answer."""
    return {key: value for key, value in entry.items() if value is not None and value != ""}
