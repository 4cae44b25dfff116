"""Manual approvals of the sandbox's CodePipeline: tokens, answers, refusals, and time that passes.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutApprovalResult.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sink_sandbox.client import lifecycle
from sink_sandbox.server.clients import Clients
from the_sink.aws.session import Target, connect
from the_sink.diagnosis.causes import describe_failure
from the_sink.models import Clock
from the_sink.naming import Names

from .helpers import Pipelines, approval, commands, stage, wait_for

NOBODYS = "00000000-0000-0000-0000-000000000000"


def gate(pipelines: Pipelines, name: str = "Gate") -> dict[str, Any]:
    """The state of the stage that holds an approval."""
    stages = pipelines.api.get_pipeline_state(name="shop")["stageStates"]
    return next(found for found in stages if found["stageName"] == name)


def latest(pipelines: Pipelines, name: str = "Gate") -> dict[str, Any]:
    """What the state says of the approval's newest run."""
    found: dict[str, Any] = gate(pipelines, name)["actionStates"][0].get("latestExecution", {})
    return found


def opened(pipelines: Pipelines, name: str = "Gate") -> str:
    """Wait for an open approval and return its token."""
    return str(wait_for(lambda: latest(pipelines, name).get("token"), "the approval"))


def answer(
    pipelines: Pipelines,
    token: str,
    status: str = "Approved",
    summary: str = "fine",
    stage_name: str = "Gate",
) -> dict[str, Any]:
    """Answer an approval."""
    answered: dict[str, Any] = pipelines.api.put_approval_result(
        pipelineName="shop",
        stageName=stage_name,
        actionName="Approve",
        result={"summary": summary, "status": status},
        token=token,
    )
    return answered


@pytest.fixture
def shop(pipelines: Pipelines) -> Pipelines:
    """A pipeline that asks before it builds, with an archive."""
    pipelines.create(
        "shop", [stage("Gate", approval()), stage("Build", commands("Run", "true"))], ExecutionMode="QUEUED"
    )
    pipelines.upload({"a": ""})
    return pipelines


def test_an_open_approval_has_a_token_and_the_time_since_when(shop: Pipelines) -> None:
    execution_id = shop.start("shop")
    token = opened(shop)

    waiting = latest(shop)
    assert waiting["status"] == "InProgress"
    assert waiting["lastStatusChange"].tzinfo is not None
    assert gate(shop)["latestExecution"] == {
        "pipelineExecutionId": execution_id,
        "status": "InProgress",
        "type": "STANDARD",
    }
    assert shop.actions("shop", execution_id)["Approve"]["status"] == "InProgress"
    assert "approvedAt" in answer(shop, token)
    assert shop.ended("shop", execution_id) == "Succeeded"
    assert "token" not in latest(shop)


def test_an_answer_is_kept_with_who_gave_it(shop: Pipelines) -> None:
    execution_id = shop.start("shop")
    answer(shop, opened(shop), "Rejected", "not on a Friday")

    assert shop.ended("shop", execution_id) == "Failed"
    told = latest(shop)
    assert (told["status"], told["summary"]) == ("Failed", "not on a Friday")
    assert told["lastUpdatedBy"] == "arn:aws:iam::000000000000:root"
    assert "not on a Friday" in told["errorDetails"]["message"]
    assert shop.actions("shop", execution_id)["Approve"]["updatedBy"] == told["lastUpdatedBy"]
    assert gate(shop)["latestExecution"]["status"] == "Failed"
    assert "Run" not in shop.actions("shop", execution_id)


def test_of_two_answers_at_once_one_counts(shop: Pipelines) -> None:
    execution_id = shop.start("shop")
    token = opened(shop)

    def give(status: str) -> str:
        try:
            answer(shop, token, status)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return status

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(give, ["Approved", "Rejected"]))

    (counted,) = [each for each in results if each in {"Approved", "Rejected"}]
    assert "ApprovalAlreadyCompletedException" in results
    assert shop.ended("shop", execution_id) == {"Approved": "Succeeded", "Rejected": "Failed"}[counted]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"token": NOBODYS}, "InvalidApprovalTokenException"),
        ({"stage_name": "Second"}, "InvalidApprovalTokenException"),
        ({"stage_name": "Nowhere"}, "StageNotFoundException"),
        ({"status": "Maybe"}, "ValidationException"),
        ({"summary": "x" * 513}, "ValidationException"),
    ],
)
def test_an_answer_that_fits_no_open_approval_is_refused(
    pipelines: Pipelines, change: dict[str, str], code: str
) -> None:
    pipelines.create("shop", [stage("Gate", approval()), stage("Second", approval())])
    pipelines.upload({"a": ""})
    pipelines.start("shop")
    token = opened(pipelines)

    with pytest.raises(ClientError) as refused:
        answer(pipelines, **{"token": token, **change})

    assert refused.value.response["Error"]["Code"] == code
    assert latest(pipelines)["status"] == "InProgress"


def test_the_token_of_a_stopped_run_is_worth_nothing(shop: Pipelines) -> None:
    execution_id = shop.start("shop")
    token = opened(shop)
    shop.api.stop_pipeline_execution(pipelineName="shop", pipelineExecutionId=execution_id, reason="enough")
    assert shop.ended("shop", execution_id) == "Stopped"

    with pytest.raises(shop.api.exceptions.InvalidApprovalTokenException):
        answer(shop, token)


def test_an_answer_to_the_first_does_not_answer_who_queues_behind_it(shop: Pipelines) -> None:
    first = shop.start("shop")
    token = opened(shop)
    second = shop.start("shop")
    wait_for(
        lambda: [each["pipelineExecutionId"] for each in gate(shop).get("inboundExecutions", [])] == [second],
        "the second to wait",
    )

    answer(shop, token)

    assert shop.ended("shop", first) == "Succeeded"
    other = wait_for(
        lambda: gate(shop)["latestExecution"]["pipelineExecutionId"] == second and latest(shop).get("token"),
        "the second approval",
    )
    assert other != token
    with pytest.raises(shop.api.exceptions.ApprovalAlreadyCompletedException):
        answer(shop, token)
    assert shop.execution("shop", second)["status"] == "InProgress"


def test_a_rejected_run_is_asked_about_again_when_its_stage_is_retried(shop: Pipelines) -> None:
    execution_id = shop.start("shop")
    token = opened(shop)
    answer(shop, token, "Rejected")
    assert shop.ended("shop", execution_id) == "Failed"

    shop.api.retry_stage_execution(
        pipelineName="shop", stageName="Gate", pipelineExecutionId=execution_id, retryMode="FAILED_ACTIONS"
    )

    again = opened(shop)
    assert again != token
    answer(shop, again)
    assert shop.ended("shop", execution_id) == "Succeeded"


def test_an_approval_expires_after_seven_days_and_also_while_the_sandbox_is_off(
    free_port: Callable[[], int],
) -> None:
    """The week passes in the state that a stopped sandbox leaves behind."""
    server = lifecycle.start("week", port=free_port())
    try:
        clients = Clients(server.endpoint_url, server.secret)
        shop = Pipelines(lambda service: clients.get(service, "eu-west-1"))
        shop.create("shop", [stage("Gate", approval())])
        shop.upload({"a": ""})
        execution_id = shop.start("shop")
        token = opened(shop)

        lifecycle.stop("week")
        age(server.state_dir / "state" / "codepipeline.json", 7 * 24 * 3600)
        lifecycle.start("week")

        assert shop.ended("shop", execution_id) == "Failed"
        assert "within 10080 minutes" in shop.error("shop", execution_id, "Approve")["message"]
        with pytest.raises(shop.api.exceptions.InvalidApprovalTokenException):
            answer(shop, token)
        clock = Clock(now=time.monotonic, sleep=time.sleep, utc=lambda: datetime.now(UTC))
        connection = connect(Target.sandbox("eu-west-1", server.endpoint_url, server.secret), clock)
        runs = connection.pipelines.actions("shop", execution_id)
        assert describe_failure(connection, Names("my-app", "prod"), runs) == (
            "Gate/Approve: it has expired without an answer: "
            "Nobody approved or rejected within 10080 minutes."
        )
    finally:
        lifecycle.stop("week")


def age(saved: Path, seconds: int) -> None:
    """Let the approval in a saved state have begun earlier."""
    state = json.loads(saved.read_text())
    (record,) = [
        record
        for executions in state["executions"].values()
        for execution in executions
        for record in execution["actions"]
        if record["action"] == "Approve"
    ]
    record["started"] -= seconds
    saved.write_text(json.dumps(state))
