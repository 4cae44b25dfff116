"""Executions that wait, at an approval, in line or before a closed transition: who goes on, who does not."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from .helpers import Pipelines, approval, commands, stage, wait_for


def pass_gate(pipelines: Pipelines, name: str, execution_id: str, *, approve: bool = True) -> None:
    """Answer the open approval of an execution."""
    token = wait_for(lambda: open_token(pipelines, name, execution_id), "the approval")
    pipelines.api.put_approval_result(
        pipelineName=name,
        stageName="Gate",
        actionName="Approve",
        result={"summary": "looks good", "status": "Approved" if approve else "Rejected"},
        token=token,
    )


def open_token(pipelines: Pipelines, name: str, execution_id: str) -> str | None:
    for found in pipelines.api.get_pipeline_state(name=name)["stageStates"]:
        latest = found.get("latestExecution", {})
        if found["stageName"] == "Gate" and latest.get("pipelineExecutionId") == execution_id:
            return found["actionStates"][0].get("latestExecution", {}).get("token")
    return None


def inbound(pipelines: Pipelines, name: str, stage_name: str) -> list[str]:
    for found in pipelines.api.get_pipeline_state(name=name)["stageStates"]:
        if found["stageName"] == stage_name:
            return [entry["pipelineExecutionId"] for entry in found.get("inboundExecutions", [])]
    raise AssertionError(stage_name)


def test_an_approval_holds_the_execution_until_it_is_answered(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Gate", approval()), stage("Build", commands("Run", "true"))])
    pipelines.upload({"a": ""})
    approved, rejected = pipelines.start("shop"), ""
    pass_gate(pipelines, "shop", approved)
    assert pipelines.ended("shop", approved) == "Succeeded"

    rejected = pipelines.start("shop")
    pass_gate(pipelines, "shop", rejected, approve=False)
    assert pipelines.ended("shop", rejected) == "Failed"

    result = pipelines.actions("shop", approved)["Approve"]["output"]["executionResult"]
    assert result["externalExecutionSummary"] == "looks good"
    assert "rejected: looks good" in pipelines.error("shop", rejected, "Approve")["message"]
    with pytest.raises(ClientError, match="InvalidApprovalTokenException"):
        pipelines.api.put_approval_result(
            pipelineName="shop",
            stageName="Gate",
            actionName="Approve",
            result={"summary": "", "status": "Approved"},
            token="00000000-0000-0000-0000-000000000000",
        )


def test_superseded_mode_lets_the_newest_take_the_place_of_who_waits(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Gate", approval())])
    pipelines.upload({"a": ""})
    first = pipelines.start("shop")
    wait_for(lambda: open_token(pipelines, "shop", first), "the first approval")
    second = pipelines.start("shop")
    wait_for(lambda: inbound(pipelines, "shop", "Gate") == [second], "the second to wait")
    third = pipelines.start("shop")

    assert pipelines.ended("shop", second) == "Superseded"
    wait_for(lambda: inbound(pipelines, "shop", "Gate") == [third], "the third to wait")
    pass_gate(pipelines, "shop", first)
    pass_gate(pipelines, "shop", third)
    assert [pipelines.ended("shop", which) for which in (first, third)] == ["Succeeded", "Succeeded"]


def test_queued_mode_keeps_the_order_and_supersedes_nobody(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Gate", approval())], ExecutionMode="QUEUED")
    pipelines.upload({"a": ""})
    first = pipelines.start("shop")
    wait_for(lambda: open_token(pipelines, "shop", first), "the first approval")
    second = pipelines.start("shop")
    wait_for(lambda: inbound(pipelines, "shop", "Gate") == [second], "the second to wait")
    third = pipelines.start("shop")
    wait_for(lambda: inbound(pipelines, "shop", "Gate") == [second, third], "the third to wait")

    for which in (first, second, third):
        pass_gate(pipelines, "shop", which)
        assert pipelines.ended("shop", which) == "Succeeded"


def test_a_closed_transition_holds_executions_and_says_why(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Build", commands("Run", "true"))])
    pipelines.upload({"a": ""})
    which = {"pipelineName": "shop", "stageName": "Build", "transitionType": "Inbound"}
    pipelines.api.disable_stage_transition(**which, reason="a freeze")
    execution_id = pipelines.start("shop")
    wait_for(lambda: inbound(pipelines, "shop", "Build") == [execution_id], "the execution to wait")

    state = pipelines.api.get_pipeline_state(name="shop")["stageStates"][1]["inboundTransitionState"]
    assert (state["enabled"], state["disabledReason"]) == (False, "a freeze")
    pipelines.api.enable_stage_transition(**which)
    assert pipelines.ended("shop", execution_id) == "Succeeded"


def test_changing_the_definition_cancels_what_runs(pipelines: Pipelines) -> None:
    pipelines.create("shop", [stage("Gate", approval())])
    pipelines.upload({"a": ""})
    execution_id = pipelines.start("shop")
    wait_for(lambda: open_token(pipelines, "shop", execution_id), "the approval")

    pipelines.create("shop", [stage("Gate", approval()), stage("Build", commands("Run", "true"))])

    assert pipelines.ended("shop", execution_id) == "Cancelled"
    assert pipelines.api.get_pipeline(name="shop")["pipeline"]["version"] == 2
    assert len(pipelines.api.list_pipeline_executions(pipelineName="shop")["pipelineExecutionSummaries"]) == 2
