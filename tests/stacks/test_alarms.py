"""Alarms: who hears of them, what they ask, and that none costs anything that nobody hears."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .policies import ACCOUNT, allows, as_list, request

REPOSITORY = Path(__file__).resolve().parents[2]
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
BYTES_PER_GIB = 2**30


def alarms(stack: Any) -> dict[str, dict[str, Any]]:
    """The alarms of a stack by the last part of their names."""
    found = [r["Properties"] for r in stack.resources.values() if r["Type"] == "AWS::CloudWatch::Alarm"]
    return {alarm["AlarmName"].rpartition("/")[2]: alarm for alarm in found}


def test_without_a_topic_there_are_none(stack: Callable[..., Any]) -> None:
    app = stack("python")

    assert alarms(app) == {}
    # And said so: what an update leaves out, ECS would keep.
    assert app.properties("Service")["DeploymentConfiguration"]["Alarms"] == {
        "AlarmNames": [],
        "Enable": False,
        "Rollback": False,
    }


@pytest.mark.parametrize("instance_class", ["none", "db.t4g.micro"])
def test_a_topic_hears_of_all_that_can_go_wrong(instance_class: str, stack: Callable[..., Any]) -> None:
    found = alarms(stack("python", AlarmTopicArn=TOPIC, RDSInstanceClass=instance_class))

    of_database = ["database-storage", "database-connections"] if instance_class != "none" else []
    of_service = ["errors", "load-balancer-errors", "unhealthy-hosts", "healthy-hosts", "cpu", "memory"]
    assert list(found) == of_service + of_database
    for name, alarm in found.items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC], name
        wanted = "breaching" if name == "healthy-hosts" else "notBreaching"
        assert alarm["TreatMissingData"] == wanted, name
        assert alarm["AlarmDescription"], name


def test_the_page_about_them_knows_them_all(stack: Callable[..., Any]) -> None:
    page = (REPOSITORY / "docs" / "how-to" / "be-told-of-trouble.md").read_text()

    told = re.findall(r"`(?:<app>/<env>|…)/([a-z-]+)`", page)
    assert sorted(told) == sorted(alarms(stack("python", AlarmTopicArn=TOPIC)))


@pytest.mark.parametrize(
    ("service", "context", "may"),
    [
        ("cloudwatch.amazonaws.com", {"aws:SourceAccount": ACCOUNT}, True),
        ("cloudwatch.amazonaws.com", {"aws:SourceAccount": "999999999999"}, False),
        # EventBridge says nothing of itself to a topic
        # (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html).
        ("events.amazonaws.com", {}, True),
    ],
)
def test_the_topics_policy_on_the_page_lets_aws_publish(
    service: str, context: dict[str, str], may: bool
) -> None:
    page = (REPOSITORY / "docs" / "how-to" / "be-told-of-trouble.md").read_text()
    (policy,) = re.findall(r"```json\n( *\[.+?\])\n *```", page, re.DOTALL)
    of_service = [
        {key: value for key, value in statement.items() if key != "Principal"} | {"Sid": service}
        for statement in json.loads(policy)
        if service in as_list(statement["Principal"]["Service"])
    ]

    assert allows(of_service, request("sns:Publish", TOPIC, context)) == may


def test_what_they_measure_is_the_apps_own(stack: Callable[..., Any]) -> None:
    measured = {
        name: (alarm["Namespace"], alarm["MetricName"], {d["Name"]: d["Value"] for d in alarm["Dimensions"]})
        for name, alarm in alarms(stack("python", AlarmTopicArn=TOPIC)).items()
    }

    balancer = {"LoadBalancer": "<LoadBalancer.LoadBalancerFullName>"}
    group = {**balancer, "TargetGroup": "<TargetGroup.TargetGroupFullName>"}
    service = {"ClusterName": "<Cluster>", "ServiceName": "<Service.Name>"}
    database = {"DBInstanceIdentifier": "<Database>"}
    assert measured == {
        "errors": ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", group),
        "load-balancer-errors": ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", balancer),
        "unhealthy-hosts": ("AWS/ApplicationELB", "UnHealthyHostCount", group),
        "healthy-hosts": ("AWS/ApplicationELB", "HealthyHostCount", group),
        "cpu": ("AWS/ECS", "CPUUtilization", service),
        "memory": ("AWS/ECS", "MemoryUtilization", service),
        "database-storage": ("AWS/RDS", "FreeStorageSpace", database),
        "database-connections": ("AWS/RDS", "DatabaseConnections", database),
    }


def test_a_migration_wakes_nobody(stack: Callable[..., Any]) -> None:
    """A task may be unhealthy for its whole grace period, the longest that can be asked for."""
    alarm = alarms(stack("python", AlarmTopicArn=TOPIC))["unhealthy-hosts"]

    assert alarm["Period"] * alarm["EvaluationPeriods"] >= 600


def test_a_service_that_serves_nobody_is_told_without_a_single_request(stack: Callable[..., Any]) -> None:
    """Not while one task takes another's place, nor before the first is there."""
    app = stack("python", AlarmTopicArn=TOPIC)
    alarm = alarms(app)["healthy-hosts"]
    deployment = app.properties("Service")["DeploymentConfiguration"]

    assert (alarm["Statistic"], alarm["ComparisonOperator"]) == ("Minimum", "LessThanThreshold")
    assert alarm["Threshold"] == 1
    assert deployment["MinimumHealthyPercent"] == 100
    assert alarm["Period"] * alarm["EvaluationPeriods"] >= 2 * 86
    assert app.resources["HealthyHostsAlarm"]["DependsOn"] == "Service"


@pytest.mark.parametrize("maximum", ["0", "4"])
def test_a_service_that_was_stopped_on_purpose_wakes_nobody(maximum: str, stack: Callable[..., Any]) -> None:
    app = stack("python", AlarmTopicArn=TOPIC, InstancesCount="0", InstancesMaximum=maximum)

    assert "healthy-hosts" not in alarms(app)
    assert "unhealthy-hosts" in alarms(app)


@pytest.mark.parametrize("storage_gib", [20, 100, 65536])
def test_a_database_is_nearly_full_at_nine_tenths(storage_gib: int, stack: Callable[..., Any]) -> None:
    alarm = alarms(stack("python", AlarmTopicArn=TOPIC, RDSAllocatedStorage=str(storage_gib)))

    threshold = int(alarm["database-storage"]["Threshold"])
    assert 0.09 < threshold / (storage_gib * BYTES_PER_GIB) < 0.1


def test_connections_are_counted_up_to_the_number_that_was_chosen(stack: Callable[..., Any]) -> None:
    found = alarms(stack("python", AlarmTopicArn=TOPIC, RDSConnectionsAlarm="150"))

    assert found["database-connections"]["Threshold"] == "150"


@pytest.mark.parametrize("topic", ["", TOPIC])
def test_a_rollback_by_alarm_asks_for_errors_alone(topic: str, stack: Callable[..., Any]) -> None:
    """With no topic the one alarm that it needs is there all the same, and tells nobody."""
    app = stack("python", AlarmRollback="true", AlarmTopicArn=topic)

    assert app.properties("Service")["DeploymentConfiguration"]["Alarms"] == {
        "AlarmNames": ["<ErrorAlarm>"],
        "Enable": True,
        "Rollback": True,
    }
    assert ("cpu" in alarms(app)) == bool(topic)
    for actions in ("AlarmActions", "OKActions"):
        assert alarms(app)["errors"].get(actions, []) == ([topic] if topic else [])
