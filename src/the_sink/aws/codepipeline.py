"""CodePipeline: finding the run that carries a release, and reading what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from the_sink.aws.target import Target
from the_sink.aws.translation import error_code, translated
from the_sink.models import ActionRun, Execution, Gate, OpenApproval, Pipeline

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient

SOURCE_ACTION = "Source"
"""The name of the Source action in every pipeline of ours."""

_RECENT = 100
"""The most executions that one answer holds; ``deploy`` never needs an older one.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ListPipelineExecutions.html
"""


@translated("CodePipeline")
class Pipelines:
    """The pipelines of an account and region."""

    def __init__(self, client: CodePipelineClient, target: Target) -> None:
        self._client = client
        self._target = target

    def describe(self, name: str) -> Pipeline | None:
        """Return a pipeline with what holds it up, or None if there is none."""
        try:
            state = self._client.get_pipeline_state(name=name)
        except ClientError as error:
            if error_code(error) == "PipelineNotFoundException":
                return None
            raise
        stages = state.get("stageStates", [])
        return Pipeline(
            name=name,
            stages=tuple(stage.get("stageName", "") for stage in stages),
            closed=tuple(gate for stage in stages for gate in _closed_entry(stage)),
            waiting=tuple(gate for stage in stages for gate in _open_approvals(stage)),
        )

    def executions(self, name: str, limit: int | None = _RECENT) -> tuple[Execution, ...]:
        """Return a pipeline's executions, newest first.

        Args:
            name: The pipeline's.
            limit: How many at most. None for all that AWS keeps, those of the last twelve months
                (https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html).
        """
        page_size = min(limit or _RECENT, _RECENT)
        pages = self._client.get_paginator("list_pipeline_executions").paginate(
            pipelineName=name,
            PaginationConfig={"PageSize": page_size, **({} if limit is None else {"MaxItems": limit})},
        )
        return tuple(_execution(each) for page in pages for each in page["pipelineExecutionSummaries"])

    def execution(self, name: str, execution_id: str) -> Execution:
        """Return one run as it stands, without its times."""
        answer = self._client.get_pipeline_execution(pipelineName=name, pipelineExecutionId=execution_id)
        run = answer["pipelineExecution"]
        source = _source(run.get("artifactRevisions", []), "name")
        return Execution(
            execution_id=execution_id,
            status=run.get("status", ""),
            revision=source.get("revisionId", ""),
            summary=source.get("revisionSummary", ""),
            trigger=run.get("trigger", {}).get("triggerType", ""),
            status_summary=run.get("statusSummary", ""),
        )

    def actions(self, name: str, execution_id: str) -> tuple[ActionRun, ...]:
        """Return the actions of one run that have begun, in the order in which they began."""
        pages = self._client.get_paginator("list_action_executions").paginate(
            pipelineName=name, filter={"pipelineExecutionId": execution_id}
        )
        found = [_action(each) for page in pages for each in page["actionExecutionDetails"]]
        return tuple(reversed(found))

    def start(self, name: str, version_id: str, request_id: str) -> str:
        """Start a run of exactly one version of the archive; return the run's id.

        Two requests with the same ``request_id`` start one run.
        """
        answer = self._client.start_pipeline_execution(
            name=name,
            clientRequestToken=request_id,
            sourceRevisions=[
                {
                    "actionName": SOURCE_ACTION,
                    "revisionType": "S3_OBJECT_VERSION_ID",
                    "revisionValue": version_id,
                }
            ],
        )
        return answer["pipelineExecutionId"]

    def stop(self, name: str, execution_id: str, reason: str, *, abandon: bool = True) -> bool:
        """Stop an execution; return False if it had ended already, or is stopping.

        Args:
            name: The pipeline's.
            execution_id: The execution.
            reason: Why; AWS shows it.
            abandon: Whether actions at work are left to themselves; else it is "Stopping" until they
                have ended
                (https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-stop.html).
        """
        try:
            self._client.stop_pipeline_execution(
                pipelineName=name, pipelineExecutionId=execution_id, abandon=abandon, reason=reason
            )
        except ClientError as error:
            if error_code(error) in {
                "PipelineExecutionNotStoppableException",
                "DuplicatedStopRequestException",
            }:
                return False
            raise
        return True

    def answer(self, name: str, approval: OpenApproval, message: str, *, is_approved: bool) -> bool:
        """Answer an approval; return False if it is no longer open.

        Args:
            name: The pipeline's.
            approval: As :meth:`describe` returned it.
            message: Why; AWS keeps it with the answer and cuts nothing: at most 512 characters
                (https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ApprovalResult.html).
            is_approved: Whether the run goes on.
        """
        try:
            self._client.put_approval_result(
                pipelineName=name,
                stageName=approval.stage,
                actionName=approval.action,
                result={"summary": message, "status": "Approved" if is_approved else "Rejected"},
                token=approval.token,
            )
        except ClientError as error:
            if error_code(error) in {"ApprovalAlreadyCompletedException", "InvalidApprovalTokenException"}:
                return False
            raise
        return True


def _execution(run: Any) -> Execution:
    source = _source(run.get("sourceRevisions", []), "actionName")
    return Execution(
        execution_id=run.get("pipelineExecutionId", ""),
        status=run.get("status", ""),
        started_at=run.get("startTime"),
        updated_at=run.get("lastUpdateTime"),
        revision=source.get("revisionId", ""),
        summary=source.get("revisionSummary", ""),
        trigger=run.get("trigger", {}).get("triggerType", ""),
        status_summary=run.get("statusSummary", ""),
        stop_reason=run.get("stopTrigger", {}).get("reason", ""),
    )


def _source(revisions: list[Any], key: str) -> Any:
    """Our pipelines have one source; ``key`` is there to prefer it if an app adds others."""
    named = [each for each in revisions if str(each.get(key, "")).startswith(SOURCE_ACTION)]
    return (named or revisions or [{}])[0]


def _action(detail: Any) -> ActionRun:
    result = detail.get("output", {}).get("executionResult", {})
    error = result.get("errorDetails", {})
    # arn:aws:logs:<region>:<account>:log-group:<group>:log-stream:<stream>
    group, _, stream = result.get("logStreamARN", "").partition(":log-stream:")
    return ActionRun(
        run_id=detail.get("actionExecutionId", ""),
        stage=detail.get("stageName", ""),
        action=detail.get("actionName", ""),
        status=detail.get("status", ""),
        summary=result.get("externalExecutionSummary", ""),
        error=error.get("message", ""),
        external_id=result.get("externalExecutionId", ""),
        provider=detail.get("input", {}).get("actionTypeId", {}).get("provider", ""),
        log_group=group.partition(":log-group:")[2],
        log_stream=stream,
        started_at=detail.get("startTime"),
        updated_at=detail.get("lastUpdateTime"),
        updated_by=detail.get("updatedBy", ""),
        artifacts={
            each.get("name", ""): (
                each.get("s3location", {}).get("bucket", ""),
                each.get("s3location", {}).get("key", ""),
            )
            for each in detail.get("output", {}).get("outputArtifacts", [])
        },
        variables=dict(detail.get("output", {}).get("outputVariables", {})),
    )


def _closed_entry(stage: Any) -> list[Gate]:
    entry = stage.get("inboundTransitionState", {})
    if entry.get("enabled", True):
        return []
    return [Gate(stage.get("stageName", ""), reason=entry.get("disabledReason", ""))]


def _open_approvals(stage: Any) -> list[OpenApproval]:
    # Only an approval that waits for someone has a token while it is in progress.
    return [
        OpenApproval(
            stage=stage.get("stageName", ""),
            action=action.get("actionName", ""),
            execution_id=stage.get("latestExecution", {}).get("pipelineExecutionId", ""),
            since=action["latestExecution"].get("lastStatusChange"),
            token=action["latestExecution"]["token"],
        )
        for action in stage.get("actionStates", [])
        if action.get("latestExecution", {}).get("status") == "InProgress"
        and action.get("latestExecution", {}).get("token")
    ]
