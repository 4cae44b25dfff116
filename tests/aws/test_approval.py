"""``approve`` and ``reject`` on a real sandbox: who waits, who goes on, and which answers are refused."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from the_sink.aws.codepipeline import Pipelines
from the_sink.models import Execution
from the_sink.report import lines

from .conftest import commit, git
from .deploying import BUILDS

PIPELINE = "my-app-stage-pipeline"
MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


@pytest.fixture
def waiting_app(invoke: Any, app: Path, platform_bucket: str) -> Path:
    """An app whose build succeeds and whose stage asks for an approval."""
    settings = app / "sink.toml"
    settings.write_text(
        settings.read_text().replace(
            "[environments.stage]", "[environments.stage]\nrequires_approval = true", 1
        )
    )
    (app / "aws/buildspec.yaml").write_text(BUILDS)
    commit(app, "Ask before deploying")
    ended = invoke(app, "bootstrap", "--env", "stage", "--sandbox")
    assert ended.code == 0, ended.err
    return app


def until(condition: Callable[[], Any]) -> Any:
    """Poll until something is there."""
    deadline = time.monotonic() + 60
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found
    return found


def open_approval(aws: Any) -> dict[str, Any]:
    """The approval that is open, {} if none is."""
    stages = aws("codepipeline").get_pipeline_state(name=PIPELINE)["stageStates"]
    gate = next(stage for stage in stages if stage["stageName"] == "Approval")
    latest: dict[str, Any] = gate["actionStates"][0].get("latestExecution", {})
    return latest if latest.get("status") == "InProgress" and latest.get("token") else {}


def status_of(aws: Any, stage: str) -> str:
    """How the newest run stands in a stage, "" if it has not come there."""
    stages = aws("codepipeline").get_pipeline_state(name=PIPELINE)["stageStates"]
    found = next(each for each in stages if each["stageName"] == stage)
    return str(found["actionStates"][0].get("latestExecution", {}).get("status", ""))


@pytest.fixture
def waits(invoke: Any, waiting_app: Path, aws: Any) -> str:
    """The commit whose release waits; nobody watches it."""
    # It gives up watching once the approval is open.
    invoke(waiting_app, "deploy", "--env", "stage", "--sandbox", "--timeout", "1")
    until(lambda: open_approval(aws))
    return git(waiting_app, "rev-parse", "HEAD")


def test_nothing_waits(invoke: Any, waiting_app: Path) -> None:
    ended = invoke(waiting_app, "approve", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err == (
        "Nothing in stage waits for an approval.\n"
        "A release arrives there by: invoke deploy --env stage --sandbox\n"
    )


def test_a_release_on_its_way_to_the_approval_is_no_reason_to_look_elsewhere(
    invoke: Any, waiting_app: Path, aws: Any
) -> None:
    """Exit code 1 and not 2: the same command is right a moment later."""
    gate = waiting_app.parent / "gate"
    os.mkfifo(gate)
    held = BUILDS.replace("    commands:\n", f"    commands:\n      - cat {gate}\n")
    (waiting_app / "aws/buildspec.yaml").write_text(held)
    sha = commit(waiting_app, "Build until it may end")
    invoke(waiting_app, "deploy", "--env", "stage", "--sandbox", "--timeout", "1")
    until(lambda: status_of(aws, "Build") == "InProgress")

    early = invoke(waiting_app, "approve", "--env", "stage", "--sandbox")
    gate.write_text("go on")
    until(lambda: open_approval(aws))
    answered = invoke(waiting_app, "approve", "--env", "stage", "--sandbox")

    assert early.code == 1
    assert early.err == (
        f"{sha[:8]} 'Build until it may end' is on its way to the approval of stage, and does not wait for "
        "it yet: Build is at work.\n"
        f"Answer once it waits; to see when that is: invoke deploy --env stage --commit {sha} --sandbox\n"
    )
    assert answered.code == 0, answered.err


def test_before_the_environment_exists(invoke: Any, app: Path, platform_bucket: str) -> None:
    ended = invoke(app, "approve", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err.splitlines()[-1] == "First: invoke bootstrap --env stage --sandbox"


def test_another_commit_waits(invoke: Any, waiting_app: Path, waits: str, aws: Any) -> None:
    ended = invoke(waiting_app, "approve", "--env", "stage", "--commit", "0badc0de", "--sandbox")

    assert ended.code == 2
    assert ended.err == (
        f"stage waits for an approval of {waits[:8]} 'Ask before deploying', and not of 0badc0de.\n"
        "Leave --commit out if that one is meant. Whichever comes later waits until it is answered.\n"
    )
    assert open_approval(aws)


def test_a_message_that_is_too_long(invoke: Any, waiting_app: Path, waits: str, aws: Any) -> None:
    ended = invoke(waiting_app, "reject", "--env", "stage", "--message", "x" * 513, "--sandbox")

    assert ended.code == 2
    assert ended.err == "The message has 513 characters, 512 are allowed.\nSay it shorter.\n"
    assert open_approval(aws)


def test_status_says_what_waits(invoke: Any, waiting_app: Path, waits: str) -> None:
    shown = invoke(waiting_app, "status", "--env", "stage", "--sandbox")
    told = json.loads(invoke(waiting_app, "status", "--env", "stage", "--sandbox", "--json").out)

    assert f"  waits for approval: {waits[:8]} 'Ask before deploying', since " in shown.out
    waiting = told["environments"][0]["waiting_for_approval"]
    assert waiting["commit"] == waits
    assert waiting["subject"] == "Ask before deploying"
    run = told["environments"][0]["execution"]
    for moment in (waiting["since"], run["started_at"], run["updated_at"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d", moment)
    assert "token" not in json.dumps(told)


def test_an_approval_lets_the_watched_release_on(
    invoke: Any, waiting_app: Path, waits: str, aws: Any
) -> None:
    """Its beginning is enough of a commit; a second answer finds nothing to answer."""
    ended = invoke(waiting_app, "approve", "--env", "stage", "--commit", waits[:8], "--sandbox")

    assert ended.code == 0, ended.err
    assert re.fullmatch(
        f"Approved {waits[:8]} 'Ask before deploying' for stage, which waited since {MOMENT}; it goes on.\n",
        ended.out,
    )
    assert f"Watch it: invoke deploy --env stage --commit {waits} --sandbox" in ended.err
    assert not open_approval(aws)
    again = invoke(waiting_app, "approve", "--env", "stage", "--sandbox")
    assert again.code == 2
    assert again.err.startswith("Nothing in stage waits for an approval. ")


def test_a_rejection_is_what_the_watcher_hears(
    invoke: Any, waiting_app: Path, waits: str, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = open_approval(aws)["token"]
    was_told = threading.Event()
    say = lines.say

    def reject() -> None:
        assert was_told.wait(60)
        aws("codepipeline").put_approval_result(
            pipelineName=PIPELINE,
            stageName="Approval",
            actionName="Approve",
            result={"summary": "Not on a Friday", "status": "Rejected"},
            token=token,
        )

    def listen(text: str) -> None:
        say(text)
        if "waits for an approval" in text:
            was_told.set()

    monkeypatch.setattr(lines, "say", listen)
    somebody = threading.Thread(target=reject)
    somebody.start()
    watched = invoke(waiting_app, "deploy", "--env", "stage", "--commit", waits, "--sandbox")
    somebody.join()

    assert watched.code == 1
    (told,) = [line for line in watched.err.splitlines() if "waits for an approval" in line]
    assert re.fullmatch(
        f"Stage Approval waits for an approval of {waits[:8]} Ask before deploying, since \\d\\d:\\d\\d UTC. "
        "In another terminal: invoke approve --env stage --sandbox "
        r"\(or: invoke reject --env stage --sandbox\)",
        told,
    )
    assert watched.err.splitlines()[-2:] == [
        f"my-app stage: the deploy of {waits[:8]} failed in Approval/Approve: "
        "arn:aws:iam::000000000000:root rejected it: Not on a Friday.",
        "Nothing changed there; talk to them.",
    ]


def test_reject_ends_the_run(invoke: Any, waiting_app: Path, waits: str, aws: Any) -> None:
    ended = invoke(waiting_app, "reject", "--env", "stage", "--message", "Too early", "--sandbox")

    assert ended.code == 0, ended.err
    assert re.fullmatch(
        f"Rejected {waits[:8]} 'Ask before deploying', which waited since {MOMENT}; stage stays as it is.\n",
        ended.out,
    )
    newest = until(
        lambda: [
            run
            for run in aws("codepipeline").list_pipeline_executions(pipelineName=PIPELINE)[
                "pipelineExecutionSummaries"
            ]
            if run["status"] == "Failed"
        ]
    )
    assert newest


def test_somebody_else_is_quicker(
    invoke: Any, waiting_app: Path, waits: str, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at what waits and the answer to it."""
    token = open_approval(aws)["token"]
    look = Pipelines.execution

    def look_while_another_answers(self: Pipelines, name: str, execution_id: str) -> Execution:
        aws("codepipeline").put_approval_result(
            pipelineName=PIPELINE,
            stageName="Approval",
            actionName="Approve",
            result={"summary": "Not on a Friday", "status": "Rejected"},
            token=token,
        )
        return look(self, name, execution_id)

    monkeypatch.setattr(Pipelines, "execution", look_while_another_answers)
    ended = invoke(waiting_app, "approve", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err == (
        f"The approval of {waits[:8]} 'Ask before deploying' for stage is closed: somebody else has just "
        "answered it, or it has expired.\n"
        "See what became of it: invoke status --env stage --sandbox\n"
    )


def test_nothing_waits_any_more(invoke: Any, waiting_app: Path, waits: str, aws: Any) -> None:
    """What ran last is said, for whoever wonders where their release is."""
    assert invoke(waiting_app, "reject", "--env", "stage", "--sandbox").code == 0
    until(lambda: not open_approval(aws))

    ended = invoke(waiting_app, "approve", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err.splitlines()[0].startswith(
        f"Nothing in stage waits for an approval. Its last run carries {waits[:8]}: "
    )


@pytest.mark.parametrize("task", ["approve", "reject"])
def test_the_environment_is_named(invoke: Any, app: Path, task: str) -> None:
    missing = invoke(app, task, "--sandbox")
    unknown = invoke(app, task, "--env", "prod", "--sandbox")

    assert (missing.code, unknown.code) == (2, 2)
    assert missing.err == "--env is missing.\nAdd --env with one of: stage, uat.\n"
    assert unknown.err.splitlines()[0] == "--env prod: there is no such environment here."
