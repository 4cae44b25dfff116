"""CodePipeline's JSON protocol: checks a request against the service model, calls the operation, answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sink_sandbox.client.lifecycle import ACCOUNT_ID
from sink_sandbox.services.codepipeline import declaration as declarations
from sink_sandbox.services.codepipeline import errors, views
from sink_sandbox.services.codepipeline.engine import Engine
from sink_sandbox.services.codepipeline.errors import ServiceError
from sink_sandbox.services.codepipeline.executions import Approval, DisabledTransition, Pipeline
from sink_sandbox.services.codepipeline.jobs import Observer, Worker, check_approval_result
from sink_sandbox.services.codepipeline.protocol import Record, check_request, page
from sink_sandbox.services.codepipeline.store import Store


class CodePipeline:
    """The service: its state, its engine, and the operations on them."""

    def __init__(self, worker: Worker, observer: Observer | None = None) -> None:
        self.store = Store()
        self.engine = Engine(self.store, worker, observer or Observer())
        self._operations: dict[str, Callable[[str, Record], Record]] = {
            "CreatePipeline": self._create_pipeline,
            "UpdatePipeline": self._update_pipeline,
            "DeletePipeline": self._delete_pipeline,
            "GetPipeline": self._get_pipeline,
            "ListPipelines": self._list_pipelines,
            "GetPipelineState": self._get_pipeline_state,
            "StartPipelineExecution": self._start_pipeline_execution,
            "StopPipelineExecution": self._stop_pipeline_execution,
            "GetPipelineExecution": self._get_pipeline_execution,
            "ListPipelineExecutions": self._list_pipeline_executions,
            "ListActionExecutions": self._list_action_executions,
            "RetryStageExecution": self._retry_stage_execution,
            "PutApprovalResult": self._put_approval_result,
            "EnableStageTransition": self._enable_stage_transition,
            "DisableStageTransition": self._disable_stage_transition,
            "ListTagsForResource": self._list_tags,
            "TagResource": self._tag,
            "UntagResource": self._untag,
        }

    def handle(self, target: str, body: bytes, region: str) -> tuple[int, Record]:
        """Answer one request: HTTP status and JSON content."""
        operation = target.rpartition(".")[2]
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            return 400, {"__type": "SerializationException", "message": "The request is not JSON."}
        try:
            call = self._operations.get(operation)
            if call is None:
                raise ServiceError(
                    "InvalidAction", f"The sandbox does not have CodePipeline's operation {operation}."
                )
            check_request(operation, request)
            with self.store.changed:
                return 200, call(region, request)
        except ServiceError as error:
            return 400, {"__type": error.code, "message": error.message}

    # Definitions

    def define(
        self,
        region: str,
        declaration: Record,
        *,
        tags: list[Record],
        closed: dict[str, str] | None = None,
        restart: bool = False,
    ) -> Pipeline:
        """Create the pipeline, or update the one of that name.

        A new pipeline starts by itself, as on AWS (see "Start a pipeline manually",
        https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-rerun-manually.html); an
        update ends what runs (status Cancelled).

        Args:
            region: Where the pipeline lives.
            declaration: The API's pipeline declaration.
            tags: The API's tag list.
            closed: Reasons of disabled inbound transitions by stage; None leaves them as they are.
            restart: Start the most recent revision again after an update.
        """
        check_request("CreatePipeline", {"pipeline": declaration})
        full = declarations.complete(declaration)
        declarations.check(full)
        name = full["name"]
        with self.store.changed:
            is_new = not self.store.has(region, name)
            if not is_new:
                self.engine.cancel_all(region, name)
            pipeline = self.store.put_pipeline(region, full, tags)
            if closed is not None:
                pipeline.transitions = {stage: self._disabled(reason) for stage, reason in closed.items()}
            if is_new or restart:
                self.engine.start(
                    region, name, trigger="CreatePipeline" if is_new else "StartPipelineExecution"
                )
            return pipeline

    def delete(self, region: str, name: str) -> None:
        """Delete the pipeline; one that does not exist is deleted already."""
        with self.store.changed:
            if self.store.has(region, name):
                self.engine.cancel_all(region, name)
                self.store.remove_pipeline(region, name)

    def _create_pipeline(self, region: str, request: Record) -> Record:
        name = request["pipeline"]["name"]
        if self.store.has(region, name):
            raise ServiceError(
                "PipelineNameInUseException", f"A pipeline with the name '{name}' already exists."
            )
        pipeline = self.define(region, request["pipeline"], tags=request.get("tags", []))
        return {"pipeline": pipeline.declaration, "tags": pipeline.tags}

    def _update_pipeline(self, region: str, request: Record) -> Record:
        known = self.store.pipeline(region, request["pipeline"]["name"])
        return {"pipeline": self.define(region, request["pipeline"], tags=known.tags).declaration}

    def _delete_pipeline(self, region: str, request: Record) -> Record:
        self.delete(region, request["name"])
        return {}

    def _get_pipeline(self, region: str, request: Record) -> Record:
        pipeline = self.store.pipeline(region, request["name"])
        wanted = request.get("version", pipeline.version)
        if wanted != pipeline.version:
            raise ServiceError(
                "PipelineVersionNotFoundException",
                f"The sandbox keeps only the latest version of {request['name']}.",
            )
        return {"pipeline": pipeline.declaration, "metadata": views.pipeline_metadata(pipeline)}

    def _list_pipelines(self, region: str, request: Record) -> Record:
        return page("pipelines", [views.pipeline_summary(p) for p in self.store.pipelines(region)], request)

    def _get_pipeline_state(self, region: str, request: Record) -> Record:
        pipeline = self.store.pipeline(region, request["name"])
        return views.pipeline_state(pipeline, self.store.executions(region, request["name"]))

    # Executions

    def _start_pipeline_execution(self, region: str, request: Record) -> Record:
        if request.get("variables"):
            raise ServiceError("ValidationException", "The sandbox does not play pipeline variables.")
        execution_id = self.engine.start(
            region,
            request["name"],
            trigger="StartPipelineExecution",
            detail=f"arn:aws:iam::{ACCOUNT_ID}:root",
            revisions=request.get("sourceRevisions"),
            token=request.get("clientRequestToken"),
        )
        return {"pipelineExecutionId": execution_id}

    def _stop_pipeline_execution(self, region: str, request: Record) -> Record:
        self.engine.stop(
            region,
            request["pipelineName"],
            request["pipelineExecutionId"],
            abandon=request.get("abandon", False),
            reason=request.get("reason", ""),
        )
        return {"pipelineExecutionId": request["pipelineExecutionId"]}

    def _get_pipeline_execution(self, region: str, request: Record) -> Record:
        execution = self.store.execution(region, request["pipelineName"], request["pipelineExecutionId"])
        return {"pipelineExecution": views.execution_detail(execution)}

    def _list_pipeline_executions(self, region: str, request: Record) -> Record:
        self.store.pipeline(region, request["pipelineName"])
        found = [
            views.execution_summary(execution)
            for execution in reversed(self.store.executions(region, request["pipelineName"]))
        ]
        return page("pipelineExecutionSummaries", found, request)

    def _list_action_executions(self, region: str, request: Record) -> Record:
        name = request["pipelineName"]
        self.store.pipeline(region, name)
        chosen = request.get("filter", {})
        wanted = chosen.get("pipelineExecutionId") or chosen.get("latestInPipelineExecution", {}).get(
            "pipelineExecutionId"
        )
        if wanted:
            executions = [self.store.execution(region, name, wanted)]
        else:
            executions = self.store.executions(region, name)
        found = [
            (action.started, execution, action) for execution in executions for action in execution.actions
        ]
        found.sort(key=lambda entry: entry[0], reverse=True)
        details = [views.action_detail(execution, action) for _, execution, action in found]
        return page("actionExecutionDetails", details, request)

    def _retry_stage_execution(self, region: str, request: Record) -> Record:
        self.engine.retry(
            region,
            request["pipelineName"],
            request["stageName"],
            request["pipelineExecutionId"],
            request["retryMode"],
        )
        return {"pipelineExecutionId": request["pipelineExecutionId"]}

    # Approvals and transitions

    def _put_approval_result(self, region: str, request: Record) -> Record:
        check_approval_result(request["result"])
        pipeline = self.store.pipeline(region, request["pipelineName"])
        stage = self._stage(pipeline, request["stageName"])
        if request["actionName"] not in [action["name"] for action in stage["actions"]]:
            raise ServiceError(
                "ActionNotFoundException", f"The stage {stage['name']} has no action {request['actionName']}."
            )
        asked = (request["stageName"], request["actionName"], request["token"])
        for execution in self.store.executions(region, request["pipelineName"]):
            for action in execution.actions:
                if (action.stage, action.action, action.token) == asked:
                    if action.approval is not None:
                        raise ServiceError(
                            "ApprovalAlreadyCompletedException",
                            "The approval action has already been answered.",
                        )
                    if not action.is_running:
                        break  # expired, or its execution was stopped
                    result = request["result"]
                    action.approval = Approval(result["status"], result["summary"])
                    self.store.changed.notify_all()
                    return {"approvedAt": self.store.clock()}
        raise ServiceError(
            "InvalidApprovalTokenException", "The approval token is not that of an open approval."
        )

    def _enable_stage_transition(self, region: str, request: Record) -> Record:
        pipeline = self._transition_of(region, request)
        pipeline.transitions.pop(request["stageName"], None)
        self.store.changed.notify_all()
        return {}

    def _disable_stage_transition(self, region: str, request: Record) -> Record:
        pipeline = self._transition_of(region, request)
        pipeline.transitions[request["stageName"]] = self._disabled(request["reason"])
        self.store.changed.notify_all()
        return {}

    def _transition_of(self, region: str, request: Record) -> Pipeline:
        pipeline = self.store.pipeline(region, request["pipelineName"])
        self._stage(pipeline, request["stageName"])
        if request["transitionType"] != "Inbound":
            raise ServiceError("ValidationException", "The sandbox plays inbound transitions only.")
        return pipeline

    def _disabled(self, reason: str) -> DisabledTransition:
        return DisabledTransition(reason, f"arn:aws:iam::{ACCOUNT_ID}:root", self.store.clock())

    def _stage(self, pipeline: Pipeline, name: str) -> Mapping[str, Any]:
        stage = pipeline.find_stage(name)
        if stage is None:
            raise errors.stage_not_found(pipeline.name, name)
        return stage

    # Tags

    def _tagged(self, region: str, arn: str) -> Pipeline:
        name = arn.rpartition(":")[2]
        if not self.store.has(region, name):
            raise ServiceError("ResourceNotFoundException", f"There is no pipeline with the ARN {arn}.")
        return self.store.pipeline(region, name)

    def _list_tags(self, region: str, request: Record) -> Record:
        return {"tags": self._tagged(region, request["resourceArn"]).tags}

    def _tag(self, region: str, request: Record) -> Record:
        pipeline = self._tagged(region, request["resourceArn"])
        merged = {tag["key"]: tag["value"] for tag in [*pipeline.tags, *request["tags"]]}
        pipeline.tags = [{"key": key, "value": value} for key, value in merged.items()]
        return {}

    def _untag(self, region: str, request: Record) -> Record:
        pipeline = self._tagged(region, request["resourceArn"])
        pipeline.tags = [tag for tag in pipeline.tags if tag["key"] not in request["tagKeys"]]
        return {}
