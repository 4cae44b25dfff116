"""The modelled rollout: what the settings come to, and that the comments beside them say the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from the_sink.checks.rollout import Timing, model_rollout

APP = {"AppName": "demo-app", "AppEnv": "stage", "RuntimeVersion": "3.13"}


@pytest.fixture
def timing(stack: Callable[..., Any]) -> Callable[..., Timing]:
    """A function that models an environment with these parameters; the defaults fill the rest."""

    def model(**parameters: str) -> Timing:
        app = stack("python", **APP, **parameters)
        return model_rollout(app.template, stack("pipeline").template, app.parameters)

    return model


def test_a_rollout_takes_less_than_90_seconds(timing: Callable[..., Timing]) -> None:
    assert [term.seconds for term in timing().terms] == [35, 10, 20, 5, 15, 1]
    assert timing().rollout_s == 86 < 90
    assert [term.name for term in timing().terms if not term.source] == []


@pytest.mark.parametrize(("cpu", "boot_s"), [("256", 10), ("512", 5), ("1024", 3), ("16384", 1)])
def test_more_of_a_processor_boots_sooner(cpu: str, boot_s: int, timing: Callable[..., Timing]) -> None:
    (boot,) = [term for term in timing(TaskCpu=cpu).terms if term.name == "the app boots"]

    assert boot.seconds == boot_s


@pytest.mark.parametrize(
    ("parameters", "gives_up_s"),
    [
        ({"RDSInstanceClass": "none"}, 3 * (35 + 90 + 10 + 15 + 30)),
        ({"RDSInstanceClass": "db.t4g.micro"}, 2 * (35 + 300 + 10 + 15 + 30)),
        ({"RDSInstanceClass": "none", "HealthCheckGracePeriod": "360"}, 2 * (35 + 360 + 10 + 15 + 30)),
    ],
)
def test_what_never_becomes_healthy_is_rolled_back_while_the_pipeline_waits(
    parameters: dict[str, str], gives_up_s: int, timing: Callable[..., Timing]
) -> None:
    found = timing(**parameters)

    assert found.gives_up_s == gives_up_s
    assert found.gives_up_s <= found.pipeline_waits_s == 15 * 60


def test_a_grace_period_that_outlasts_the_pipeline_shows(timing: Callable[..., Timing]) -> None:
    found = timing(HealthCheckGracePeriod="600")

    assert found.gives_up_s > found.pipeline_waits_s


def test_an_alarm_that_may_roll_back_is_said(timing: Callable[..., Timing]) -> None:
    assert timing(AlarmRollback="true").has_alarm_rollback
    assert not timing().has_alarm_rollback


def test_the_comment_at_the_target_group_is_the_model(
    timing: Callable[..., Timing], template_text: Callable[..., str]
) -> None:
    text = template_text("python")
    above = text[: text.index("\n  TargetGroup:")]
    (terms, total) = re.findall(r"#   ([\d +]+) = (\d+) s", above)[-1]

    assert [int(term) for term in terms.split(" + ")] == [term.seconds for term in timing().terms]
    assert int(total) == timing().rollout_s


def test_the_comment_at_the_circuit_breaker_is_the_model(
    timing: Callable[..., Timing], template_text: Callable[..., str]
) -> None:
    sums = re.findall(r"(\d) x \(([\d +]+)\) = (\d+) s", template_text("python"))
    modelled = [timing(RDSInstanceClass="none"), timing(RDSInstanceClass="db.t4g.micro")]

    assert [
        (int(failures), [int(term) for term in terms.split(" + ")], int(total))
        for failures, terms, total in sums
    ] == [(m.failures, [term.seconds for term in m.failed_terms], m.gives_up_s) for m in modelled]
    assert f"both within the {modelled[0].pipeline_waits_s} s" in template_text("python")
