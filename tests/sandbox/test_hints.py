"""Failures that need more than a commit: whose turn it is, told by what really ran."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sink_sandbox.client import lifecycle
from the_sink.aws.session import Aws
from the_sink.diagnosis.causes import explain
from the_sink.diagnosis.failed_tasks import find_deaf_tasks
from the_sink.diagnosis.task_ends import describe_end
from the_sink.errors import DeployFailed
from the_sink.models import Release
from the_sink.verbs.follow import follow
from the_sink.verbs.poller import Pace

from .helpers import BUCKET, ROLE, Pipelines, action, approval, stage, wait_for
from .images import CONTAINER_INIT, SERVER, runtime_files
from .shop import Shop, shop_names

RELEASE = Release("shop", "a" * 40, "Change the schema")
ONCE = {"Type": "COUNT", "Value": 1}


def failure(connection: Aws, execution_id: str, env: str = "stage") -> DeployFailed:
    """Follow a run to its end and return why it failed."""

    def drain(events: Generator[Any, None, Any]) -> Any:
        while True:
            try:
                next(events)
            except StopIteration as end:
                return end.value

    pace = Pace(connection.clock, 60, "The run")
    followed = drain(follow(connection, shop_names(env), execution_id, pace))
    found: DeployFailed = drain(explain(connection, shop_names(env), RELEASE, followed))
    return found


def test_a_migration_that_fails(
    aws: Callable[[str], Any], sandbox: lifecycle.Sandbox, pipelines: Pipelines, connection: Aws
) -> None:
    shop = Shop(aws, sandbox, pipelines)
    shop.push("live", version="one")
    shop.deploy(threshold=ONCE)
    migration = {
        "app/Procfile": "release: python3 migrate.py\nweb: python3 serve.py\n",
        "app/migrate.py": "raise SystemExit('column exists already')\n",
        "app/serve.py": SERVER,
    }
    shop.push("next", version="two", files={**runtime_files(), **migration}, entrypoint=CONTAINER_INIT)

    error = failure(connection, shop.release("next"))

    assert " ended with exit code 1: " in error.message
    assert error.hint == (
        "The version before serves on. The `release:` command of the Procfile failed, before anything was "
        "served: see above what the migration said, mend it, commit, then deploy again."
    )
    assert shop.get()[1].startswith("one")


def test_a_task_that_fails_without_a_migration(
    aws: Callable[[str], Any], sandbox: lifecycle.Sandbox, pipelines: Pipelines, connection: Aws
) -> None:
    shop = Shop(aws, sandbox, pipelines)
    shop.push("live", version="one")
    shop.deploy(threshold=ONCE)
    shop.push("next", version="two", behaviour="dies")

    error = failure(connection, shop.release("next"))

    assert error.hint == "The version before serves on. Mend the cause, commit, then deploy again."


def test_a_release_that_goes_on_when_it_is_told_to_end(
    aws: Callable[[str], Any], sandbox: lifecycle.Sandbox, pipelines: Pipelines, connection: Aws
) -> None:
    """It is killed, its log says so, and it is told from one that ended by itself."""
    shop = Shop(aws, sandbox, pipelines)
    ignoring = SERVER.replace("signal.SIGTERM, leave", "signal.SIGTERM, signal.SIG_IGN")
    shop.push("live", version="one", files={"app/serve.py": ignoring})
    shop.deploy(threshold=ONCE, StopTimeout=1)
    began = datetime.now(UTC) - timedelta(seconds=1)  # the emulator's times are whole seconds
    shop.push("next", version="two")
    assert pipelines.ended("ship", shop.release("next")) == "Succeeded"

    [task] = wait_for(lambda: find_deaf_tasks(connection, shop_names(), began), "the kill")

    assert " (killed, because it had not ended within its stop timeout after SIGTERM): " in describe_end(task)
    said = "[sandbox] SIGTERM has not ended the task within 1 s: it is killed "
    assert wait_for(lambda: shop.log(said), said)


@pytest.mark.parametrize(
    ("env", "command"), [("stage", "platform.publish"), ("uat", "platform.promote --env uat")]
)
def test_a_parameter_that_the_platforms_template_does_not_know(
    pipelines: Pipelines, connection: Aws, env: str, command: str
) -> None:
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Name"}}}
    child = {"Parameters": {"Name": {"Type": "String"}}, "Resources": {"Topic": topic}}
    key = f"stacks/python/cfn-template-v1-{env}.yml"
    pipelines.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(child).encode())

    def parent(**parameters: str) -> str:
        properties = {"TemplateURL": f"https://{BUCKET}.s3.amazonaws.com/{key}", "Parameters": parameters}
        return json.dumps(
            {"Resources": {"Default": {"Type": "AWS::CloudFormation::Stack", "Properties": properties}}}
        )

    configuration = {
        "ActionMode": "CREATE_UPDATE",
        "StackName": "shop",
        "TemplatePath": "Src::template.json",
        "RoleArn": ROLE,
    }
    update = action("Stack", "Deploy", "CloudFormation", configuration, inp="Src")
    pipelines.create("ship", [stage("Deploy", update)])
    pipelines.upload({"template.json": parent(Name="shop")})
    assert pipelines.ended("ship", pipelines.start("ship")) == "Succeeded"
    pipelines.upload({"template.json": parent(Name="shop", Colour="red")})

    error = failure(connection, pipelines.start("ship"), env)

    assert "Parameters: [Colour] do not exist in the template" in error.message
    assert error.hint == (
        f"The stack is as it was before. The platform's template in {env} does not know Colour yet. In the "
        f"platform's repository: invoke {command} --sandbox, then deploy again."
    )


def test_a_parameter_that_the_apps_own_template_does_not_know_is_the_apps_to_mend(
    pipelines: Pipelines, connection: Aws
) -> None:
    settings = {
        "ActionMode": "CREATE_UPDATE",
        "StackName": "shop",
        "TemplatePath": "Src::template.json",
        "TemplateConfiguration": "Src::settings.json",
        "RoleArn": ROLE,
    }
    create = action("Stack", "Deploy", "CloudFormation", settings, inp="Src")
    pipelines.create("ship", [stage("Deploy", create)])
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    parameters = {"Parameters": {"Colour": "red"}}
    pipelines.upload({"template.json": json.dumps(template), "settings.json": json.dumps(parameters)})

    error = failure(connection, pipelines.start("ship"))

    assert "Parameters: [Colour] do not exist in the template" in error.message
    assert error.hint == "The stack is as it was before. Mend the cause, commit, then deploy again."


def test_a_rejection_and_who_gave_it(pipelines: Pipelines, connection: Aws) -> None:
    pipelines.create("ship", [stage("Gate", approval())])
    pipelines.upload({"a": ""})
    execution_id = pipelines.start("ship")

    def open_approval() -> Any:
        found = connection.pipelines.describe("ship")
        return found.waiting[0] if found and found.waiting else None

    gate = wait_for(open_approval, "the approval")
    assert connection.pipelines.answer("ship", gate, "Too early.", is_approved=False)

    error = failure(connection, execution_id)

    assert error.message.endswith(
        " failed in Gate/Approve: arn:aws:iam::000000000000:root rejected it: Too early."
    )
    assert error.hint == "Nothing changed there; talk to them."
