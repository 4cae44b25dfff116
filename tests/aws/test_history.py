"""``history``: every release of an environment, from the ledger and from the pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import commit, git
from .deploying import NAMES, PIPELINE, close_build, open_build, releases
from .test_approval import until
from .walking import Walk, walk

pytestmark = pytest.mark.long  # a further combination of what the journey walks

__all__ = ["walk"]


def history(invoke: Any, app: Path, *more: str) -> Any:
    return invoke(app, "history", "--env", "stage", "--sandbox", *more)


def test_what_served_and_what_did_not_are_in_it(walk: Walk, invoke: Any) -> None:
    first = walk.commit("First")
    assert walk.deploy("stage").code == 0
    second = walk.commit("Second")
    assert walk.deploy("stage").code == 0
    (walk.folder / "aws/buildspec.yaml").write_text("version: 0.2\nphases: {build: {commands: [exit 7]}}\n")
    broken = walk.commit("Break the build")
    assert walk.deploy("stage").code == 1

    ended = history(invoke, walk.folder, "--json")
    told = history(invoke, walk.folder)
    newest = history(invoke, walk.folder, "--limit", "1")

    assert ended.code == 0, ended.err
    answer = json.loads(ended.out)
    assert (answer["app"], answer["env"]) == ("my-app", "stage")
    found = answer["releases"]
    assert [(each["commit"], each["outcome"], each["is_serving"]) for each in found] == [
        (broken, "failed", False),
        (second, "succeeded", True),
        (first, "succeeded", False),
    ]
    assert found[0]["cause"] == "Build: phase BUILD: `exit 7` ended with exit status 7"
    assert {each["released_by"] for each in found} == {"Tester <tester@example.com>"}
    assert all(each["duration_s"] > 0 for each in found)
    lines = told.out.splitlines()
    assert lines[0] == f"  {broken[:8]} Break the build"
    assert lines[1].startswith("    failed after ")
    assert lines[1].endswith(", released by Tester <tester@example.com>")
    assert lines[2] == "    Build: phase BUILD: `exit 7` ended with exit status 7."
    assert f"* {second[:8]} Second (serves)" in lines
    assert newest.out.splitlines() == lines[:4]


def test_what_waits_was_superseded_or_stopped_says_so(invoke: Any, app: Path, stage: str, aws: Any) -> None:
    close_build(aws)
    first = git(app, "rev-parse", "HEAD")
    invoke(app, "deploy", "--env", "stage", "--sandbox", "--timeout", "2")
    until(lambda: len(releases(aws)) == 1)
    (app / "README.md").write_text("more")
    second = commit(app, "Second")
    invoke(app, "deploy", "--env", "stage", "--sandbox", "--timeout", "2")
    until(lambda: releases(aws)[-1]["status"] == "Superseded")

    waiting = json.loads(history(invoke, app, "--json").out)["releases"]
    aws("codepipeline").stop_pipeline_execution(
        pipelineName=PIPELINE,
        pipelineExecutionId=releases(aws)[0]["pipelineExecutionId"],
        abandon=True,
        reason="Not today",
    )
    until(lambda: releases(aws)[0]["status"] == "Stopped")
    stopped = json.loads(history(invoke, app, "--json", "--limit", "all").out)["releases"]
    open_build(aws)

    assert [(each["commit"], each["outcome"], each["cause"]) for each in waiting] == [
        (second, "waiting", "stands before stage Build, whose transition is disabled: Freeze"),
        (first, "superseded", f"superseded by {second[:8]} Second"),
    ]
    assert (stopped[0]["outcome"], stopped[0]["cause"]) == ("stopped", "Not today")
    assert waiting[0]["finished_at"] is None


def test_every_page_is_read(invoke: Any, app: Path, stage: str, aws: Any) -> None:
    """One answer of CodePipeline holds a hundred executions at most."""
    close_build(aws)
    version = aws("s3").put_object(Bucket=stage, Key="my-app/latest.zip", Body=b"no archive")["VersionId"]
    source = {"actionName": "Source", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": version}
    for _ in range(105):
        aws("codepipeline").start_pipeline_execution(name=PIPELINE, sourceRevisions=[source])

    found = json.loads(history(invoke, app, "--json", "--limit", "all").out)["releases"]

    assert len(found) >= 105
    assert len({each["execution_id"] for each in found}) == len(found)


def test_an_environment_without_releases_says_so(invoke: Any, app: Path, stage: str) -> None:
    ended = history(invoke, app)

    assert (ended.code, ended.out) == (0, "Nothing was released to my-app stage yet.\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--env", "uat"), "my-app has no environment uat in account 000000000000, eu-west-1."),
        (("--env", "nowhere"), "--env nowhere: there is no such environment here."),
        ((), "--env is missing."),
        (("--env", "stage", "--limit", "none"), "--limit none: a number above 0, or `all`, is needed."),
    ],
)
def test_what_cannot_be_looked_at_is_a_sentence(
    arguments: tuple[str, ...], sentence: str, invoke: Any, app: Path, stage: str
) -> None:
    ended = invoke(app, "history", "--sandbox", *arguments)

    assert ended.code == 2
    assert ended.err.splitlines()[0] == sentence


def test_a_pipeline_that_somebody_deleted_is_named(invoke: Any, app: Path, stage: str, aws: Any) -> None:
    aws("codepipeline").delete_pipeline(name=PIPELINE)

    ended = history(invoke, app)

    assert ended.code == 2
    assert ended.err.splitlines() == [
        f"The pipeline {NAMES.pipeline} does not exist, and the ledger has no release of my-app in stage.",
        "Create it: invoke bootstrap --env stage --sandbox",
    ]
