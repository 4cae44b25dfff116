"""Logs: each writer may write to its own, and finds it under the name that it looks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .policies import ACCOUNT, REGION, allows, request, role_statements

WRITERS = [
    ("python", "LogGroup", "ExecutionRole"),
    ("pipeline", "BuildLogGroup", "BuildRole"),
    ("pipeline", "CommandsLogGroup", "PipelineRole"),
]
"""(template, log group, the role that writes to it)."""


@pytest.mark.parametrize(("name", "group", "role"), WRITERS)
def test_who_logs_may_write_to_its_own_group_and_to_no_other_apps(
    name: str, group: str, role: str, stack: Callable[..., Any]
) -> None:
    resolved, other = stack(name), stack(name, AppName="other-app")
    statements = role_statements(resolved, role)

    def writes(log: Any) -> bool:
        arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{log.properties(group)['LogGroupName']}"
        written = ("", ":*", ":log-stream:a/b")  # AWS itself names a group in both of the first two ways
        asked = [
            request(f"logs:{action}", f"{arn}{form}")
            for form in written
            for action in WRITING
            if form != "" or action == "CreateLogStream"
        ]
        return all(allows(statements, each) for each in asked)

    assert writes(resolved)
    assert not writes(other)


WRITING = ("CreateLogStream", "PutLogEvents")


def test_each_writer_is_told_which_group_is_its_own(stack: Callable[..., Any]) -> None:
    app, delivery = stack("python"), stack("pipeline")
    options = app.properties("TaskDefinition")["ContainerDefinitions"][0]["LogConfiguration"]["Options"]
    build = delivery.properties("BuildProject")["LogsConfig"]["CloudWatchLogs"]

    assert (options["awslogs-group"], options["awslogs-region"]) == ("<LogGroup>", REGION)
    assert build == {"Status": "ENABLED", "GroupName": "<BuildLogGroup>"}


def test_commands_are_logged_where_codepipeline_logs_them(stack: Callable[..., Any]) -> None:
    """Nobody can choose the name, so the group must be there before CodePipeline makes one for ever
    (https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Commands.html)."""
    delivery = stack("pipeline", AppEnv="uat")
    pipeline = delivery.properties("Pipeline")["Name"]

    assert delivery.properties("CommandsLogGroup")["LogGroupName"] == f"/aws/codepipeline/{pipeline}"


@pytest.mark.parametrize(("env", "days"), [("stage", 30), ("uat", 30), ("prod", 365)])
def test_a_log_is_there_when_somebody_asks_and_not_for_ever(
    env: str, days: int, stack: Callable[..., Any]
) -> None:
    """Without a number CloudWatch keeps, and bills, a log for ever."""
    kept = {
        logical_id: resource["Properties"]["RetentionInDays"]
        for name in ("python", "pipeline")
        for logical_id, resource in stack(name, AppEnv=env).resources.items()
        if resource["Type"] == "AWS::Logs::LogGroup"
    }

    assert set(kept) == {group for _, group, _ in WRITERS}
    assert kept["LogGroup"] >= days
    assert all(30 <= each <= 365 for each in kept.values())


def test_an_app_does_not_wait_for_its_log(stack: Callable[..., Any]) -> None:
    """An account may ask for the other by itself, and an app then stands still when its log does
    (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LogConfiguration.html)."""
    container = stack("python").properties("TaskDefinition")["ContainerDefinitions"][0]

    assert container["LogConfiguration"]["LogDriver"] == "awslogs"
    assert container["LogConfiguration"]["Options"]["mode"] == "non-blocking"
