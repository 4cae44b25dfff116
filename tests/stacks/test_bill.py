"""The bill: who it is charged to, and that nothing is on it that nobody asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_tasks_carry_the_tags_of_their_stack(stack: Callable[..., Any]) -> None:
    """Else the dearest part of an environment is in no cost report
    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html)."""
    service = stack("python").properties("Service")

    assert service["PropagateTags"] == "SERVICE"
    assert service["EnableECSManagedTags"] is True


def test_no_metrics_are_bought(stack: Callable[..., Any]) -> None:
    """The alarms read what AWS measures anyway."""
    app = stack("python", AlarmTopicArn="arn:aws:sns:eu-west-1:123456789012:alarms")
    namespaces = {
        each["Properties"]["Namespace"]
        for each in app.resources.values()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }

    assert {"Name": "containerInsights", "Value": "disabled"} in app.properties("Cluster")["ClusterSettings"]
    assert all(each.startswith("AWS/") for each in namespaces)
