"""What a metric reports, and whether its alarm goes off: the direction, the statistic, the threshold."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from statistics import mean
from typing import Any

import pytest

from .test_alarms import TOPIC, alarms

STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Average": mean,
    "Maximum": max,
    "Minimum": min,
    "Sum": sum,
}
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanOrEqualToThreshold": operator.le,
    "LessThanThreshold": operator.lt,
}

GIB = 2**30

READINGS: dict[str, tuple[list[float], list[float]]] = {
    # Each response with an error is one report; one in a minute is nobody's night.
    "errors": ([1], [1] * 10),
    "load-balancer-errors": ([1], [1] * 10),
    # Each node of the load balancer reports the number that it sees.
    "unhealthy-hosts": ([0, 0], [0, 1]),
    "healthy-hosts": ([1, 1], [1, 0]),
    # Percent, of each task. One that works hard is what autoscaling is for; memory ends one task alone.
    "cpu": ([100, 20], [100, 85]),
    "memory": ([60, 70], [20, 99]),
    # Bytes of the 20 GiB, of which a tenth is left or hardly anything, if only for a moment.
    "database-storage": ([18 * GIB, 3 * GIB], [3 * GIB, 1 * GIB]),
    "database-connections": ([5, 30], [5, 90]),
}
"""Reports of one period: when all is well, and when somebody should hear of it."""


def goes_off(alarm: dict[str, Any], reports: Sequence[float]) -> bool:
    """Whether such a period counts against the alarm."""
    value = STATISTICS[alarm["Statistic"]](reports)
    return OPERATORS[alarm["ComparisonOperator"]](value, float(alarm["Threshold"]))


def test_every_alarm_has_its_readings(stack: Callable[..., Any]) -> None:
    assert set(alarms(stack("python", AlarmTopicArn=TOPIC))) == set(READINGS)


@pytest.mark.parametrize("name", READINGS)
def test_an_alarm_goes_off_when_it_should_and_not_before(name: str, stack: Callable[..., Any]) -> None:
    alarm = alarms(stack("python", AlarmTopicArn=TOPIC))[name]
    well, trouble = READINGS[name]

    assert not goes_off(alarm, well)
    assert goes_off(alarm, trouble)


@pytest.mark.parametrize("name", READINGS)
def test_one_bad_minute_wakes_nobody(name: str, stack: Callable[..., Any]) -> None:
    alarm = alarms(stack("python", AlarmTopicArn=TOPIC))[name]
    bad = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])

    assert alarm["Period"] % 60 == 0
    assert alarm["Period"] * bad >= 180
    assert 1 <= bad <= alarm["EvaluationPeriods"]
    assert alarm["Period"] * alarm["EvaluationPeriods"] <= 900, "nobody hears of it in time"


def test_autoscaling_has_had_its_turn_before_anybody_is_woken(stack: Callable[..., Any]) -> None:
    """Percent of a task's CPU: a target above 100 is never reached, one above the alarm's comes too late."""
    app = stack("python", AlarmTopicArn=TOPIC, InstancesMaximum="4")
    tracking = app.properties("ScalingPolicy")["TargetTrackingScalingPolicyConfiguration"]
    alarm = alarms(app)["cpu"]

    assert 0 < tracking["TargetValue"] < 100
    assert not goes_off(alarm, [tracking["TargetValue"]])
    assert 0 < tracking["ScaleOutCooldown"] <= tracking["ScaleInCooldown"]
    assert tracking["ScaleOutCooldown"] < alarm["Period"] * alarm["EvaluationPeriods"]
