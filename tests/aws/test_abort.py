"""``abort``: what is under way is ended, and what served before serves on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import commit, git
from .deploying import BUILDS, NAMES, PIPELINE, close_build, open_build, releases
from .test_approval import until
from .walking import Walk, walk

__all__ = ["walk"]

PATIENT = """\
        DeploymentCircuitBreaker:
          Enable: true
          Rollback: true
          ThresholdConfiguration: { Type: COUNT, Value: 1000 }
"""
"""A breaker that would go on for hours."""


def abort(invoke: Any, app: Path, *more: str) -> Any:
    return invoke(app, "abort", "--env", "stage", "--sandbox", *more)


@pytest.mark.long
def test_a_rollout_that_hangs_goes_back_at_once(walk: Walk, invoke: Any, aws: Any) -> None:
    template = walk.folder / "aws/cfn-template.yml"
    breaker = "        DeploymentCircuitBreaker: { Enable: true, Rollback: true }\n"
    assert breaker in template.read_text()
    template.write_text(template.read_text().replace(breaker, PATIENT))
    first = walk.commit("First")
    assert walk.deploy("stage").code == 0
    second = walk.commit("Die again and again", behaviour="dies")
    walk.deploy("stage", "--timeout", "1")
    until(lambda: rollout(aws)["status"] == "IN_PROGRESS" and is_rolling(aws))

    unasked = abort(invoke, walk.folder)
    ended = abort(invoke, walk.folder, "--yes")

    assert unasked.code == 2
    assert unasked.err.splitlines()[-2].startswith(
        f"Stop the deploy of {second[:8]} Die again and again in stage? There is no terminal to ask at."
    )
    assert ended.code == 0, ended.err
    assert f"Service {NAMES.service} goes back to the deployment that completed last." in ended.err
    assert ended.out == (
        f"The deploy of {second[:8]} Die again and again to stage is stopped; {first[:8]} serves, "
        "1/1 tasks.\n"
    )
    assert rollout(aws)["status"] == "ROLLBACK_SUCCESSFUL"
    until(lambda: releases(aws)[0]["status"] in {"Stopped", "Failed"})


def rollout(aws: Any) -> Any:
    """The service's newest deployment."""
    found = aws("ecs").list_service_deployments(cluster=NAMES.cluster, service=NAMES.service)
    return found["serviceDeployments"][0]


def is_rolling(aws: Any) -> bool:
    state = aws("codepipeline").get_pipeline_state(name=PIPELINE)
    return any(
        action["actionName"] == "UpdateService"
        and action.get("latestExecution", {}).get("status") == "InProgress"
        for stage in state["stageStates"]
        for action in stage["actionStates"]
    )


def test_what_waits_ends_and_the_build_at_work_is_the_last_thing(
    invoke: Any, app: Path, stage: str, aws: Any
) -> None:
    (app / "aws/buildspec.yaml").write_text(BUILDS.replace("commands:\n", "commands:\n      - sleep 4\n"))
    building = commit(app, "Build for a while")
    invoke(app, "deploy", "--env", "stage", "--sandbox", "--timeout", "1")
    until(lambda: "Build is at work" in invoke(app, "explain", "--env", "stage", "--sandbox").out)
    while_building = abort(invoke, app, "--yes")
    close_build(aws)
    (app / "README.md").write_text("more")
    waiting = commit(app, "Wait")
    invoke(app, "deploy", "--env", "stage", "--sandbox", "--timeout", "1")
    until(lambda: len(releases(aws)) == 2)
    while_waiting = abort(invoke, app, "--yes")
    open_build(aws)

    assert while_building.code == 0, while_building.err
    assert "Build is at work, and ends by itself; nothing after it begins." in while_building.err
    assert while_building.out == (
        f"The deploy of {building[:8]} Build for a while to stage is stopped; nothing serves.\n"
    )
    assert while_waiting.out.startswith(f"The deploy of {waiting[:8]} Wait to stage is stopped;")
    assert {each["status"] for each in releases(aws)} == {"Stopped"}


def test_where_nothing_is_under_way_it_says_so(invoke: Any, app: Path, stage: str, aws: Any) -> None:
    before = abort(invoke, app, "--yes")
    invoke(app, "deploy", "--env", "stage", "--sandbox")
    after = abort(invoke, app, "--yes")
    sha = git(app, "rev-parse", "HEAD")
    aws("codepipeline").delete_pipeline(name=PIPELINE)
    missing = abort(invoke, app, "--yes")

    assert (before.code, after.code, missing.code) == (2, 2, 2)
    back = "To go back to the release before: invoke rollback --env stage --sandbox"
    assert before.err.splitlines() == ["Nothing is under way in stage.", back]
    assert after.err.splitlines() == [
        f"Nothing is under way in stage. The newest deploy there, of {sha[:8]} Start: Failed.",
        back,
    ]
    assert missing.err.startswith(f"The pipeline {PIPELINE} does not exist, so nothing is under way in it.")
