"""What a killed sandbox comes back with: waiting executions, interrupted ones, services, images."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import sink_sandbox
from sink_sandbox.client import lifecycle
from sink_sandbox.errors import SandboxUnavailable
from sink_sandbox.server.clients import Clients

from .helpers import Pipelines, approval, commands, stage, wait_for
from .images import push_image
from .shop import HOST, template


class Own:
    """A sandbox of this test's own that can be killed."""

    def __init__(self, port: int) -> None:
        self.server = lifecycle.start("own", port=port)
        self.clients = Clients(self.server.endpoint_url, self.server.secret)

    def aws(self, service: str) -> Any:
        return self.clients.get(service, "eu-west-1")

    def stop_and_start(self) -> None:
        lifecycle.stop("own")
        self.server = lifecycle.start("own")

    def kill_and_start(self) -> None:
        wait_for(lambda: sink_sandbox.status("own")["saved"], "the state to be saved")
        os.kill(self.server.pid, signal.SIGKILL)
        wait_for(lambda: lifecycle.find("own") is None, "the end")
        self.server = lifecycle.start("own")

    def get(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", "/", headers={"Host": HOST})
            return connection.getresponse().read().decode()


@pytest.fixture
def own(free_port: Callable[[], int]) -> Iterator[Own]:
    made = Own(free_port())
    yield made
    lifecycle.stop("own")


def status(pipelines: Pipelines, execution_id: str, name: str) -> str | None:
    found = pipelines.actions("shop", execution_id).get(name)
    return found["status"] if found else None


@pytest.mark.parametrize("end", ["kill_and_start", "stop_and_start"])
def test_executions_go_on_or_say_that_they_were_interrupted(own: Own, end: str) -> None:
    pipelines = Pipelines(own.aws)
    pipelines.create("shop", [stage("Build", commands("Slow", "sleep 60")), stage("Gate", approval())])
    pipelines.upload({"a": ""})
    interrupted = pipelines.start("shop")
    wait_for(lambda: status(pipelines, interrupted, "Slow") == "InProgress", "the slow action")

    getattr(own, end)()

    assert pipelines.ended("shop", interrupted) == "Failed"
    assert (
        "The sandbox ended while this action ran" in pipelines.error("shop", interrupted, "Slow")["message"]
    )
    pipelines.create("shop", [stage("Gate", approval())])
    waiting = pipelines.start("shop")
    wait_for(lambda: status(pipelines, waiting, "Approve") == "InProgress", "the approval")

    getattr(own, end)()

    assert pipelines.execution("shop", waiting)["status"] == "InProgress"
    gate = pipelines.api.get_pipeline_state(name="shop")["stageStates"][1]
    pipelines.api.put_approval_result(
        pipelineName="shop",
        stageName="Gate",
        actionName="Approve",
        result={"summary": "", "status": "Approved"},
        token=gate["actionStates"][0]["latestExecution"]["token"],
    )
    assert pipelines.ended("shop", waiting) == "Succeeded"


def test_services_come_back_with_their_images_and_leave_nothing_running(own: Own) -> None:
    pipelines = Pipelines(own.aws)
    own.aws("ecr").create_repository(repositoryName="app")
    digest = push_image(own.server, "app", "live", version="one")
    assert pipelines.stack("shop", template("live", 1))["StackStatus"] == "CREATE_COMPLETE"
    before = own.aws("ecs").list_tasks(cluster="c")["taskArns"]

    own.kill_and_start()

    wait_for(lambda: own.get().startswith("one"), "the service")
    tasks = own.aws("ecs").list_tasks(cluster="c")["taskArns"]
    assert len(tasks) == 1
    assert tasks != before
    (image,) = own.aws("ecr").describe_images(repositoryName="app")["imageDetails"]
    assert image["imageDigest"] == digest
    assert pipelines.stack("shop", template("live", 2))["StackStatus"] == "UPDATE_COMPLETE"


def test_a_stack_that_was_at_work_can_be_changed_again(own: Own) -> None:
    """What was being created is to be deleted, what was being updated can be updated."""
    topic = {"Type": "AWS::SNS::Topic"}
    handle = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    wait = {
        "Type": "AWS::CloudFormation::WaitCondition",
        "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "600", "Count": 1},
    }
    good = json.dumps({"Resources": {"Topic": topic}})
    slow = json.dumps({"Resources": {"Topic": topic, "Handle": handle, "Wait": wait}})
    cloudformation = own.aws("cloudformation")

    def stack_status(name: str) -> str:
        found = own.aws("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        return str(found["StackStatus"])

    cloudformation.create_stack(StackName="updated", TemplateBody=good)
    wait_for(lambda: stack_status("updated") == "CREATE_COMPLETE", "the stack")
    cloudformation.update_stack(StackName="updated", TemplateBody=slow)
    cloudformation.create_stack(StackName="created", TemplateBody=slow)
    wait_for(lambda: stack_status("created") == "CREATE_IN_PROGRESS", "the creation")

    own.kill_and_start()

    assert stack_status("created") == "ROLLBACK_COMPLETE"
    assert stack_status("updated") == "UPDATE_ROLLBACK_COMPLETE"
    changed = json.dumps({"Resources": {"Topic": {**topic, "Properties": {"DisplayName": "Shop"}}}})
    own.aws("cloudformation").update_stack(StackName="updated", TemplateBody=changed)
    wait_for(lambda: stack_status("updated") == "UPDATE_COMPLETE", "the update")


def test_a_change_set_of_outputs_alone_is_kept_and_a_damaged_state_is_left_alone(own: Own) -> None:
    """Of a service whose file cannot be read nothing would be left after the next save."""
    cloudformation = own.aws("cloudformation")
    topic = {"Topic": {"Type": "AWS::SNS::Topic"}}
    cloudformation.create_stack(StackName="s", TemplateBody=json.dumps({"Resources": topic}))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig={"Delay": 1})
    more = json.dumps({"Resources": topic, "Outputs": {"Colour": {"Value": "red"}}})
    cloudformation.create_change_set(StackName="s", ChangeSetName="c", TemplateBody=more)

    own.stop_and_start()

    found = own.aws("cloudformation").describe_change_set(StackName="s", ChangeSetName="c")
    assert (found["ExecutionStatus"], found["Changes"]) == ("AVAILABLE", [])
    lifecycle.stop("own")
    file = own.server.state_dir / "state" / "cloudformation.json"
    damaged = file.read_bytes()[:-1]
    file.write_bytes(damaged)
    with pytest.raises(SandboxUnavailable) as refused:
        lifecycle.start("own")
    assert refused.value.message.startswith(
        f"The sandbox 'own' did not start: Its state in {file} is damaged (Expecting "
    )
    assert refused.value.message.endswith("`invoke sandbox.reset` empties the sandbox.")
    assert file.read_bytes() == damaged
    lifecycle.reset("own")
    own.server = lifecycle.start("own")
    assert own.aws("cloudformation").list_stacks()["StackSummaries"] == []
