"""How long a build may take and wait, and that actions are ones that CodePipeline has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ACTIONS = {
    "Source": ("Source", "S3"),
    "Build": ("Build", "CodeBuild"),
    "Approve": ("Approval", "Manual"),
    "Admit": ("Compute", "Commands"),
    "CloudFormation": ("Deploy", "CloudFormation"),
    "UpdateService": ("Deploy", "ECS"),
    "Record": ("Compute", "Commands"),
}
"""All of version 1 (https://docs.aws.amazon.com/codepipeline/latest/userguide/actions-valid-providers.html)."""


def test_every_action_is_one_that_codepipeline_has(stack: Callable[..., Any]) -> None:
    stages = stack("pipeline", RequireApproval="true").properties("Pipeline")["Stages"]
    types = {each["Name"]: each["ActionTypeId"] for stage in stages for each in stage["Actions"]}

    assert types == {
        name: {"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"}
        for name, (category, provider) in ACTIONS.items()
    }


def test_a_build_has_time_and_one_that_hangs_is_ended(stack: Callable[..., Any]) -> None:
    """Minutes. A build ends at 2160 at the latest, one that waits for a host at 480
    (https://docs.aws.amazon.com/codebuild/latest/APIReference/API_CreateProject.html)."""
    project = stack("pipeline").properties("BuildProject")

    assert 10 <= project["TimeoutInMinutes"] <= 60
    assert project["TimeoutInMinutes"] <= project["QueuedTimeoutInMinutes"] <= 480
