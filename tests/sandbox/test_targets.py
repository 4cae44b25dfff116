"""A task that the load balancer does not take: said while a deploy waits, and named where it ends."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from sink_sandbox.client import lifecycle
from the_sink.aws.session import Aws, Target, connect
from the_sink.diagnosis.causes import explain
from the_sink.models import Clock, Event, Release, Said, TargetsHealth
from the_sink.verbs.follow import follow
from the_sink.verbs.poller import Pace

from .helpers import ROLE, Pipelines, action, stage
from .images import CONTAINER_INIT, SERVER, runtime_files
from .shop import Shop, shop_names, template

ONCE = {"Type": "COUNT", "Value": 1}
ELSEWHERE = SERVER.replace('int(os.environ["PORT"])', "0")
BY_CONTAINER_INIT = {
    "files": {**runtime_files(), "app/Procfile": "web: python3 serve.py\n", "app/serve.py": ELSEWHERE},
    "entrypoint": CONTAINER_INIT,
}
SAID = r"nothing listens on port \d+ \(\$PORT\) \d+ s after the start of web, which listens on port \d+"
MUTE = SERVER.replace("int(behaviour) if", "time.sleep(30) if")
"""Has accepted the request, and says nothing."""
NAMES = shop_names()
RELEASE = Release("shop", "a" * 40, "Listen elsewhere")


@pytest.fixture(autouse=True)
def ask_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox charges nothing for an answer."""
    monkeypatch.setattr("the_sink.verbs.poller._LONGEST_S", 0.25)


@pytest.fixture
def connection(sandbox: lifecycle.Sandbox) -> Aws:
    clock = Clock(now=time.monotonic, sleep=time.sleep, utc=lambda: datetime.now(UTC))
    return connect(Target.sandbox("eu-west-1", sandbox.endpoint_url, sandbox.secret), clock)


@pytest.fixture
def shop(aws: Callable[[str], Any], sandbox: lifecycle.Sandbox, pipelines: Pipelines) -> Shop:
    """One release serves; a task has twelve seconds to become healthy, and one that does not is enough."""
    shop = Shop(aws, sandbox, pipelines)
    shop.push("live", version="one")
    pipelines.stack("shop", patient_template())
    return shop


def patient_template() -> dict[str, Any]:
    patient = template("live", 1, threshold=ONCE)
    patient["Resources"]["Service"]["Properties"]["HealthCheckGracePeriodSeconds"] = 12
    patient["Resources"]["Group"]["Properties"]["HealthCheckTimeoutSeconds"] = 2
    return patient


def told(connection: Aws, execution_id: str) -> tuple[list[str], str]:
    """Follow a run that fails: what is said meanwhile, and the last sentence."""
    said: list[Event] = []
    followed = drain(follow(connection, NAMES, execution_id, Pace(connection.clock, 180, "The run")), said)
    error = drain(explain(connection, NAMES, RELEASE, followed), said)
    return [event.text for event in said if isinstance(event, Said)], error.message


def drain(events: Any, said: list[Event]) -> Any:
    """Take every event, and return what they end with."""
    while True:
        try:
            said.append(next(events))
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        pytest.param(
            BY_CONTAINER_INIT,
            "Target.FailedHealthChecks, Health checks failed",
            id="another port",
            marks=pytest.mark.long,
        ),
        pytest.param(
            {"files": {"app/serve.py": MUTE}},
            "Target.Timeout, Request timed out",
            id="no answer",
            marks=pytest.mark.long,
        ),
        pytest.param(
            {"behaviour": "500"},
            "Target.ResponseCodeMismatch, Health checks failed with these codes: [500]",
            id="an error",
        ),
    ],
)
def test_a_release_that_is_not_taken(shop: Shop, connection: Aws, image: dict[str, Any], reason: str) -> None:
    shop.push("next", version="two", **image)

    lines, message = told(connection, shop.release("next"))

    (line,) = [line for line in lines if "unhealthy" in line]
    assert line.startswith("    target is unhealthy: the load balancer asks ")
    assert line.endswith(f" on port 8080 for /health: {reason} (a task has 12 s to become healthy).")
    # Which port that is here is said where it is not the one that the load balancer is told.
    assert f" on port 8080 for /health: {reason}" in message
    assert re.search(rf"{re.escape(reason)}( \(port 8080 leads to the task's \$PORT, \d+\))?;", message)
    assert "Task failed ELB health checks" in message
    says = [line for line in lines if re.fullmatch(rf"    task [0-9a-f-]+ says: {SAID}\.", line)]
    is_elsewhere = image is BY_CONTAINER_INIT
    assert bool(says) == is_elsewhere
    assert bool(re.search(f"; its container-init said: {SAID}; ", message)) == is_elsewhere
    assert shop.get()[1].startswith("one")


def test_a_target_that_has_recovered_is_no_cause_any_more(shop: Shop, connection: Aws) -> None:
    """It is told while it fails; a later failure of the same run has another reason.

    It warms up for longer than an error would be suffered, and within its grace period.
    """
    waking = "time.monotonic() < until and 503 or int(behaviour) if"
    server = SERVER.replace("int(behaviour) if", waking).replace(
        "class H", "until = time.monotonic() + 4\nclass H", 1
    )
    shop.push("next", version="two", files={"app/serve.py": server})

    said: list[Event] = []
    following = follow(connection, NAMES, shop.release("next"), Pace(connection.clock, 180, "The run"))
    followed = drain(following, said)

    assert followed.execution.is_success
    assert [event for event in said if isinstance(event, Said) and "target is unhealthy" in event.text]
    assert followed.unhealthy is None


@pytest.mark.long
def test_a_first_release_that_is_not_taken(
    aws: Callable[[str], Any], sandbox: lifecycle.Sandbox, pipelines: Pipelines, connection: Aws
) -> None:
    """The stack takes its target group along when it rolls back; what was seen before is told after."""
    Shop(aws, sandbox, pipelines).push("live", files={"app/serve.py": ELSEWHERE})
    text = json.dumps(patient_template())
    configuration = {
        "ActionMode": "CREATE_UPDATE",
        "StackName": "shop",
        "TemplatePath": "Src::template.json",
        "RoleArn": ROLE,
    }
    create = action("Stack", "Deploy", "CloudFormation", configuration, inp="Src")
    pipelines.create("ship", [stage("Deploy", create)])
    pipelines.upload({"template.json": text})

    lines, message = told(connection, pipelines.start("ship"))

    reason = " on port 8080 for /health: Target.FailedHealthChecks, Health checks failed"
    (line,) = [line for line in lines if "unhealthy" in line]
    assert line.endswith(f"{reason} (a task has 12 s to become healthy).")
    assert "failed in Deploy/Stack: Service (AWS::ECS::Service)" in message
    assert message.endswith(f"{reason}.")


def test_an_app_that_answers_wrongly_is_explained_by_who_comes_later(shop: Shop, connection: Aws) -> None:
    """Nobody saw the target while it was there: the service's events and its target group tell it."""
    shop.push("next", version="two", behaviour="500")
    execution_id = shop.release("next")
    assert shop.pipelines.ended("ship", execution_id) == "Failed"

    lines, message = told(connection, execution_id)

    assert not [line for line in lines if "unhealthy" in line]
    assert (
        "; the load balancer asks each task on port 8080 for /health: "
        "Health checks failed with these codes: [500];"
    ) in message


def test_a_role_that_may_not_ask_is_told_the_cause_all_the_same(shop: Shop, connection: Aws) -> None:
    """One of a platform that is older than the question: said once, and no failure of its own."""

    def deny(**_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        refusal = {"Code": "AccessDenied", "Message": "role/github may not describe target groups"}
        return AWSResponse("", 403, {}, None), {"Error": refusal, "ResponseMetadata": {}}

    events = connection.target_groups._client.meta.events
    events.register("before-call.elastic-load-balancing-v2", deny)
    shop.push("next", version="two", behaviour="500")

    lines, message = told(connection, shop.release("next"))

    (line,) = [line for line in lines if "the load balancer" in line]
    assert line.startswith("    what the load balancer says is not shown: ")
    assert "failed in Deploy/Go: task " in message
    assert "Task failed ELB health checks" in message


def test_a_target_group_that_is_gone_has_no_targets(connection: Aws) -> None:
    arn = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/gone/0123456789abcdef"

    assert connection.target_groups.health(arn) == TargetsHealth()
    assert connection.target_groups.check(arn) is None
