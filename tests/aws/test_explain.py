"""``explain``: why an execution failed, or where it stands, asked when nobody watches any more."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from .conftest import APP_FILES, commit, git
from .deploying import PIPELINE, close_build, open_build, releases
from .test_approval import until
from .walking import Walk, walk

pytestmark = pytest.mark.long  # a further combination of what the journey walks

__all__ = ["walk"]


def explain(invoke: Any, app: Path, *more: str) -> Any:
    return invoke(app, "explain", "--env", "stage", "--sandbox", *more)


def test_a_failed_build_is_explained_as_the_deploy_told_it(invoke: Any, app: Path, stage: str) -> None:
    deployed = invoke(app, "deploy", "--env", "stage", "--sandbox")

    ended = explain(invoke, app)

    assert ended.code == 0, ended.err
    assert ended.out.splitlines() == deployed.err.splitlines()[-2:]
    assert ended.err.splitlines()[-2:] == ["    | nothing to log in to", "    | compiling the answer"]


def test_a_rollout_that_failed_is_explained_although_others_followed(walk: Walk, invoke: Any) -> None:
    """What stopped later, of a release that replaced another, is not its cause."""
    walk.commit("First")
    assert walk.deploy("stage").code == 0
    dead = walk.commit("Die", behaviour="dies")
    deployed = walk.deploy("stage")
    assert deployed.code == 1
    newest = json.loads(explain(invoke, walk.folder, "--json").out)
    third = walk.commit("Third")
    assert walk.deploy("stage").code == 0

    afterwards = explain(invoke, walk.folder)
    given = explain(invoke, walk.folder, "--execution", newest["execution_id"][:13])

    told = deployed.err.splitlines()[-2]
    assert f"my-app stage: the deploy of {dead[:8]} failed in Deploy/UpdateService: task " in told
    assert " ended with exit code 3: " in told
    assert (newest["commit"], newest["status"], newest["env"]) == (dead, "Failed", "stage")
    for found in (newest["sentence"], given.out.splitlines()[0]):
        assert without_task(found) == without_task(told)
    assert afterwards.out.splitlines() == [
        f"my-app stage: the deploy of {third[:8]} succeeded.",
        f"The last one that failed is {dead[:8]} Die: invoke explain --env stage --execution "
        f"{newest['execution_id']} --sandbox",
    ]


def without_task(sentence: str) -> str:
    """A sentence without the id of the task that it tells of: the deployment tried several."""
    return re.sub(r"task [0-9a-f]+", "task", sentence)


def test_what_waits_was_superseded_or_stopped_is_said(invoke: Any, app: Path, stage: str, aws: Any) -> None:
    close_build(aws)
    first = git(app, "rev-parse", "HEAD")
    invoke(app, "deploy", "--env", "stage", "--sandbox", "--timeout", "2")
    (app / "README.md").write_text("more")
    second = commit(app, "Second")
    invoke(app, "deploy", "--env", "stage", "--sandbox", "--timeout", "2")
    until(lambda: releases(aws)[-1]["status"] == "Superseded")
    newer, older = (each["pipelineExecutionId"] for each in releases(aws))

    waiting = explain(invoke, app)
    superseded = explain(invoke, app, "--execution", older)
    aws("codepipeline").stop_pipeline_execution(
        pipelineName=PIPELINE, pipelineExecutionId=newer, abandon=True, reason="Not today"
    )
    until(lambda: releases(aws)[0]["status"] == "Stopped")
    stopped = explain(invoke, app)
    open_build(aws)

    assert waiting.out.splitlines() == [
        f"my-app stage: the deploy of {second[:8]} stands before stage Build, whose transition is disabled: "
        "Freeze.",
        f"Enable it: aws codepipeline enable-stage-transition --pipeline-name {PIPELINE} --stage-name Build "
        "--transition-type Inbound",
    ]
    assert superseded.out.splitlines()[0] == (
        f"my-app stage: the deploy of {first[:8]} was superseded by {second[:8]} Second."
    )
    assert stopped.out.splitlines()[0] == (
        f"my-app stage: the deploy of {second[:8]} was stopped: Not today."
    )


def test_a_build_at_work_is_under_way(invoke: Any, app: Path, stage: str, aws: Any) -> None:
    slow = APP_FILES["aws/buildspec.yaml"].replace("exit 7", "sleep 60")
    (app / "aws/buildspec.yaml").write_text(slow)
    sha = commit(app, "Take long")
    invoke(app, "deploy", "--env", "stage", "--sandbox", "--timeout", "1")
    until(lambda: "Build is at work" in explain(invoke, app).out)

    ended = explain(invoke, app)

    assert ended.out.splitlines() == [
        f"my-app stage: the deploy of {sha[:8]} is under way: Build is at work.",
        f"Watch it: invoke deploy --env stage --commit {sha} --sandbox",
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Nothing was released to my-app stage yet."),
        (("--env", "uat"), "my-app has no environment uat in account 000000000000, eu-west-1."),
    ],
)
def test_where_nothing_is_to_be_explained_it_says_so(
    arguments: tuple[str, ...], sentence: str, invoke: Any, app: Path, stage: str
) -> None:
    ended = invoke(app, "explain", *(arguments or ("--env", "stage")), "--sandbox")

    assert ended.code == 2
    assert ended.err.splitlines()[0] == sentence


def test_an_unknown_execution_and_a_missing_pipeline_are_sentences(
    invoke: Any, app: Path, stage: str, aws: Any
) -> None:
    invoke(app, "deploy", "--env", "stage", "--sandbox")
    unknown = explain(invoke, app, "--execution", "no-such-id")
    aws("codepipeline").delete_pipeline(name=PIPELINE)
    missing = explain(invoke, app)

    assert (unknown.code, missing.code) == (2, 2)
    assert unknown.err.splitlines() == [
        f"Pipeline {PIPELINE} has no execution no-such-id.",
        "See them all: invoke history --env stage --limit all --sandbox",
    ]
    assert missing.err.startswith(f"The pipeline {PIPELINE} does not exist, and its executions went with it.")
