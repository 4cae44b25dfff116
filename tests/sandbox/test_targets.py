"""A task that the load balancer does not take: said while a deploy waits, and named where it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from the_sink.aws.session import Aws, Target, connect
from the_sink.deploy.causes import explain
from the_sink.deploy.follow import follow
from the_sink.deploy.pace import Pace
from the_sink.models import Clock, Event, Release, Said
from the_sink.sandbox import lifecycle

from .helpers import Pipelines
from .images import SERVER
from .test_services import Shop, template

ONCE = {"Type": "COUNT", "Value": 1}
NAMES: Any = SimpleNamespace(
    app="shop", env="stage", pipeline="ship", cluster="c", service="s", container="app", app_stack="shop"
)
RELEASE = Release("shop", "a" * 40, "Listen elsewhere")


@pytest.fixture(autouse=True)
def ask_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox charges nothing for an answer."""
    monkeypatch.setattr("the_sink.deploy.pace._LONGEST_S", 0.25)


@pytest.fixture
def connection(sandbox: lifecycle.Sandbox) -> Aws:
    clock = Clock(now=time.monotonic, sleep=time.sleep, utc=lambda: datetime.now(UTC))
    return connect(Target.sandbox("eu-west-1", sandbox.endpoint_url), clock)


@pytest.fixture
def shop(aws: Callable[[str], Any], sandbox: lifecycle.Sandbox, pipelines: Pipelines) -> Shop:
    """One release serves; a task has twelve seconds to become healthy, and one that does not is enough."""
    shop = Shop(aws, sandbox, pipelines)
    shop.push("live", version="one")
    patient = template("live", 1, threshold=ONCE)
    patient["Resources"]["Service"]["Properties"]["HealthCheckGracePeriodSeconds"] = 12
    pipelines.stack("shop", patient)
    return shop


def told(connection: Aws, execution_id: str) -> tuple[list[str], str]:
    """Follow a run that fails: what is said meanwhile, and the last sentence."""
    said: list[Event] = []

    def drain(events: Any) -> Any:
        while True:
            try:
                said.append(next(events))
            except StopIteration as end:
                return end.value

    followed = drain(follow(connection, NAMES, execution_id, Pace(connection.clock, 60, "The run")))
    error = drain(explain(connection, NAMES, RELEASE, followed))
    return [event.text for event in said if isinstance(event, Said)], error.message


def test_an_app_that_listens_on_another_port(shop: Shop, connection: Aws) -> None:
    elsewhere = SERVER.replace('int(os.environ["PORT"])', "0")
    shop.push("next", version="two", files={"app/serve.py": elsewhere})

    lines, message = told(connection, shop.release("next"))

    (line,) = [line for line in lines if "unhealthy" in line]
    assert line.startswith("    target is unhealthy: the load balancer asks ")
    assert line.endswith(
        " on port 8080 for /health: Target.FailedHealthChecks, Health checks failed "
        "(a task has 12 s to become healthy)."
    )
    assert " on port 8080 for /health: Target.FailedHealthChecks, Health checks failed;" in message
    assert "Task failed ELB health checks in" in message
    assert shop.get()[1].startswith("one")


def test_an_app_that_answers_wrongly_is_explained_by_who_comes_later(shop: Shop, connection: Aws) -> None:
    """Nobody saw the target while it was there: the service's events and its target group tell it."""
    shop.push("next", version="two", behaviour="503")
    execution_id = shop.release("next")
    assert shop.pipelines.ended("ship", execution_id) == "Failed"

    lines, message = told(connection, execution_id)

    assert not [line for line in lines if "unhealthy" in line]
    assert (
        "; the load balancer asks each task on port 8080 for /health: "
        "Health checks failed with these codes: [503];"
    ) in message


def test_a_target_group_that_is_gone_has_no_targets(connection: Aws) -> None:
    arn = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/gone/0123456789abcdef"

    assert connection.target_groups.unhealthy(arn) == ()
    assert connection.target_groups.check(arn) is None
