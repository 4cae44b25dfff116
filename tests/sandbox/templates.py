"""Resources of which the tests of stacks make small templates, and what came of them."""

from __future__ import annotations

from typing import Any

from .helpers import Pipelines

LOG = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/made"}}


def log_group(name: Any) -> dict[str, Any]:
    return {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}


def nested(url: str, **parameters: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {"TemplateURL": url, "Parameters": parameters},
    }


def log_names(pipelines: Pipelines) -> list[str]:
    return [entry["logGroupName"] for entry in pipelines.aws("logs").describe_log_groups()["logGroups"]]
