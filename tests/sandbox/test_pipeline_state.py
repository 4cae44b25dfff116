"""The saved state of CodePipeline: that of earlier versions is read, and nothing is lost on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sink_sandbox.services.codepipeline.jobs import ActionJob, Outcome
from sink_sandbox.services.codepipeline.service import CodePipeline

from .helpers import wait_for

STATE = Path(__file__).parents[1] / "fixtures" / "codepipeline_state"
"""Written by the code that kept executions as dictionaries (1.0.0), and what it answered of it.

It has an approval that was given, one that is open, a failed build that was retried, a disabled transition.
"""


def succeed(_job: ActionJob) -> Outcome:
    return Outcome("done")


@pytest.fixture
def service() -> CodePipeline:
    made = CodePipeline(succeed)
    made.store.load((STATE / "state.json").read_bytes())
    return made


def call(service: CodePipeline, operation: str, **request: Any) -> Any:
    status, answer = service.handle(
        f"CodePipeline_20150709.{operation}", json.dumps(request).encode(), "eu-west-1"
    )
    assert status == 200, answer
    return json.loads(json.dumps(answer))


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("GetPipeline", {"name": "shop"}),
        ("GetPipelineState", {"name": "shop"}),
        ("ListPipelineExecutions", {"pipelineName": "shop"}),
        ("ListActionExecutions", {"pipelineName": "shop"}),
    ],
)
def test_a_state_of_an_earlier_version_answers_as_it_did(service, operation, request_):
    known = json.loads((STATE / "answers.json").read_text())

    assert call(service, operation, **request_) == known[operation]


def test_a_state_of_an_earlier_version_is_written_as_it_was(service):
    assert json.loads(service.store.dump()) == json.loads((STATE / "state.json").read_bytes())


def test_an_approval_of_an_earlier_version_is_answered_and_its_execution_goes_on(service):
    service.engine.recover()
    stages = {
        stage["stageName"]: stage for stage in call(service, "GetPipelineState", name="shop")["stageStates"]
    }
    waiting = stages["Approve"]["latestExecution"]["pipelineExecutionId"]
    token = stages["Approve"]["actionStates"][0]["latestExecution"]["token"]

    call(
        service,
        "PutApprovalResult",
        pipelineName="shop",
        stageName="Approve",
        actionName="Ask",
        token=token,
        result={"summary": "yes", "status": "Approved"},
    )

    def inbound() -> list[str]:
        state = call(service, "GetPipelineState", name="shop")
        return [entry["pipelineExecutionId"] for entry in state["stageStates"][3]["inboundExecutions"]]

    wait_for(lambda: inbound() == [waiting], "the execution to wait in front of the disabled transition")
    service.engine.shut_down()
