"""The keys and positions of ministack's own records that the sandbox reads, on records that ministack made.

``internals`` has the names of what is called and replaced; these are what is inside.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ministack.core.responses import request_scope
from ministack.services import alb, ecs, rds
from ministack.services.cloudformation import _ACTION_HANDLERS, _stacks, helpers, provisioners

REGION = "eu-west-1"
LOG_GROUP = "AWS::Logs::LogGroup"
NESTED = "AWS::CloudFormation::Stack"
DIGEST = "sha256:" + "0" * 64


def require(record: Any, keys: str, what: str, module: str) -> None:
    """Fail with a sentence that names what is gone and who reads it."""
    for key in keys.split():
        assert key in record, f'{what} has no "{key}" any more, which emulator/{module}.py reads.'


@pytest.fixture(autouse=True)
def scope() -> Iterator[None]:
    """An account of these tests' own, so that nothing else is in ministack's stores."""
    with request_scope("111111111111", REGION):
        yield


def deploy(action: str, name: str, resources: dict[str, Any], **params: str) -> dict[str, Any]:
    """Create or update a stack inside this process and return ministack's record of it."""
    request = {"StackName": name, "TemplateBody": json.dumps({"Resources": resources}), **params}

    async def run() -> dict[str, Any]:
        status, _, body = _ACTION_HANDLERS[action]({key: [value] for key, value in request.items()})
        assert status == 200, body
        deadline = time.monotonic() + 60
        while _stacks[name]["StackStatus"].endswith("_IN_PROGRESS"):
            assert time.monotonic() < deadline, f"stack {name} does not settle"
            await asyncio.sleep(0.01)
        return _stacks[name]  # type: ignore[no-any-return]

    return asyncio.run(run())


def log_group(name: str, **more: Any) -> dict[str, Any]:
    return {"Type": LOG_GROUP, "Properties": {"LogGroupName": name}, **more}


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A function that breaks the creation or the update of the log group ``/fails``."""

    def break_(step: str) -> None:
        handlers = provisioners._RESOURCE_HANDLERS[LOG_GROUP]
        original = handlers[step]

        def broken(*arguments: Any, **named: Any) -> Any:
            if any(isinstance(a, dict) and a.get("LogGroupName") == "/fails" for a in arguments):
                raise ValueError("It is broken.")
            return original(*arguments, **named)

        monkeypatch.setitem(handlers, step, broken)

    return break_


class TestNested:
    """What ``nested`` reads of a nested stack and of an operation that failed."""

    URL = "https://s3.amazonaws.com/bucket/child.json"

    @pytest.fixture
    def body(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        """The content behind the nested template's address."""
        content: dict[str, str] = {}
        resolve = helpers._resolve_template

        def resolve_template(params: dict[str, Any]) -> Any:
            return (content["text"], None) if params.get("TemplateURL") else resolve(params)

        monkeypatch.setattr(helpers, "_resolve_template", resolve_template)
        return content

    def child(self, parent: str) -> dict[str, Any]:
        found = [stack for stack in _stacks.values() if stack.get("_parent_stack_name") == parent]
        assert found, (
            'A nested stack\'s record has no "_parent_stack_name" that emulator/nested.py could find.'
        )
        return found[-1]  # type: ignore[no-any-return]

    def test_a_nested_stack_has_its_template_its_parent_and_its_resources(self, body: dict[str, str]) -> None:
        body["text"] = json.dumps({"Resources": {"Log": log_group("/child", DeletionPolicy="Retain")}})
        nested = {"Type": NESTED, "Properties": {"TemplateURL": self.URL}}

        parent = deploy("CreateStack", "shape-parent", {"Child": nested})

        child, what = self.child("shape-parent"), "A nested stack's record"
        require(
            child, "StackName StackId StackStatusReason _template _template_body _resources", what, "nested"
        )
        assert child["_template_body"] == body["text"]
        assert child["_template"]["Resources"]["Log"]["DeletionPolicy"] == "Retain"
        resource = child["_resources"]["Log"]
        require(
            resource, "ResourceType PhysicalResourceId Properties Attributes", "A resource's record", "nested"
        )
        assert (resource["ResourceType"], resource["PhysicalResourceId"]) == (LOG_GROUP, "/child")
        assert resource["Attributes"]["Arn"].startswith("arn:aws:logs:")
        assert parent["_resources"]["Child"]["PhysicalResourceId"] == child["StackId"]

    def test_a_nested_stack_that_failed_says_which_resource(
        self, body: dict[str, str], fail: Callable[[str], None]
    ) -> None:
        body["text"] = json.dumps({"Resources": {"Bad": log_group("/fails")}})
        fail("create")

        deploy(
            "CreateStack",
            "shape-failing",
            {"Child": {"Type": NESTED, "Properties": {"TemplateURL": self.URL}}},
        )

        reason = self.child("shape-failing")["StackStatusReason"]
        assert reason.startswith("Resource Bad "), (
            f"A nested stack's StackStatusReason is {reason!r}; emulator/nested.py takes its second word for "
            "the logical id."
        )

    def test_a_failed_operation_has_what_was_done_and_what_failed(self, fail: Callable[[str], None]) -> None:
        def groups(days: int) -> dict[str, Any]:
            found = {"Good": log_group("/good"), "Bad": log_group("/fails", DependsOn="Good")}
            for group in found.values():
                group["Properties"]["RetentionInDays"] = days
            return found

        deploy("CreateStack", "shape-update", groups(1))
        fail("update")
        stack = deploy("UpdateStack", "shape-update", groups(7), DisableRollback="true")

        require(stack, "_failed_operation", "A stack whose update failed", "nested")
        operation = stack["_failed_operation"]
        require(operation, "created failed_update", "A failed operation's record", "nested")
        assert operation["created"] == ["Good"], (
            '"created" is not the logical ids that the operation had updated, which emulator/nested.py marks.'
        )
        failed = operation["failed_update"]
        assert isinstance(failed, list), (
            '"failed_update" is no list, in which emulator/nested.py replaces [3].'
        )
        assert failed[1] == LOG_GROUP, '"failed_update"[1] is not the resource type.'
        assert failed[3]["RetentionInDays"] == 7, '"failed_update"[3] is not the properties that failed.'


class TestServices:
    """What ``ecs``, ``ecs_resources`` and ``ecs_history`` read of services, deployments and tasks."""

    @pytest.fixture
    def service(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """A service with one task, which ministack records and starts nowhere."""
        monkeypatch.setattr(ecs, "_docker", None)
        ecs._register_task_definition(
            {"family": "shaped", "containerDefinitions": [{"name": "app", "image": f"app@{DIGEST}"}]}
        )
        answer = ecs._create_service(
            {
                "cluster": "default",
                "serviceName": "shaped",
                "taskDefinition": "shaped",
                "desiredCount": 1,
                "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
            }
        )
        assert answer[0] == 200, answer
        assert "default/shaped" in ecs._services, 'Services are not kept by "cluster/service" any more.'
        return ecs._services["default/shaped"]  # type: ignore[no-any-return]

    def task(self) -> dict[str, Any]:
        (found,) = [task for task in ecs._tasks.values() if task["desiredStatus"] == "RUNNING"]
        return found  # type: ignore[no-any-return]

    @pytest.fixture(autouse=True)
    def _empty(self) -> Iterator[None]:
        yield
        ecs._delete_service({"cluster": "default", "service": "shaped", "force": True})

    def test_a_service(self, service: dict[str, Any]) -> None:
        keys = (
            "serviceName serviceArn clusterArn status deployments events deploymentConfiguration "
            "loadBalancers"
        )
        require(service, keys, "A service's record", "ecs")
        assert service["clusterArn"].endswith("/default")
        assert service["status"] == "ACTIVE"

    def test_a_deployment(self, service: dict[str, Any]) -> None:
        keys = (
            "id status taskDefinition desiredCount runningCount pendingCount failedTasks createdAt "
            "rolloutState rolloutStateReason"
        )
        (deployment,) = service["deployments"]
        require(deployment, keys, "A deployment's record", "ecs_history")
        assert (deployment["status"], deployment["desiredCount"]) == ("PRIMARY", 1)
        assert ecs._resolve_td_key(deployment["taskDefinition"]) in ecs._task_defs, (
            'A deployment\'s "taskDefinition" names none, of which emulator/ecs_history.py shows the images.'
        )

    def test_a_task(self, service: dict[str, Any]) -> None:
        task = self.task()
        keys = "taskArn clusterArn group desiredStatus lastStatus containers _deployment_id"
        require(task, keys, "A task's record", "ecs")
        assert task["group"] == "service:shaped"
        assert task["_deployment_id"] == service["deployments"][0]["id"], (
            'A task\'s "_deployment_id" is not its deployment\'s "id", by which emulator/ecs.py counts.'
        )
        require(task["containers"][0], "name lastStatus", "A container's record", "ecs")

    def test_the_digests_of_a_deployment(self, service: dict[str, Any]) -> None:
        (definition,) = [td for td in ecs._task_defs.values() if td["family"] == "shaped"][-1:]
        (deployment,) = service["deployments"]
        # A digest in the image's name is taken as it is, so nobody is asked; a tag makes the first task ask.
        container = {**definition["containerDefinitions"][0], "image": "app:tag"}
        task = self.task()

        ecs._prepare_service_images(task, {**definition, "containerDefinitions": [container]}, _Docker())

        require(deployment, "_image_digests", "A deployment's record", "ecs_history")
        assert deployment["_image_digests"] == {"app": DIGEST}, (
            'A deployment\'s "_image_digests" is not digests by container, as emulator/ecs_history.py reads.'
        )

    def test_tasks_that_fail_are_counted_and_the_circuit_breaker_is_named(
        self, service: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (deployment,) = service["deployments"]
        # A task that runs nowhere is steady at once, so its deployment is complete.
        deployment["rolloutState"] = "IN_PROGRESS"
        monkeypatch.setattr(ecs, "_circuit_breaker_threshold", lambda _service: 1)
        task = self.task()

        ecs._mark_task_stopped(task["taskArn"], task, "It failed.", "EssentialContainerExited", 3)
        ecs._record_service_task_failure(task)

        require(task, "stoppedReason stopCode stoppedAt", "A stopped task's record", "ecs")
        assert task["containers"][0]["exitCode"] == 3
        assert deployment["failedTasks"] == 1, (
            'A deployment\'s "failedTasks" does not count, which emulator/ecs_history.py shows.'
        )
        assert deployment["rolloutState"] == "FAILED"
        assert "circuit breaker" in deployment["rolloutStateReason"], (
            'A failed deployment\'s "rolloutStateReason" does not name the circuit breaker, by which '
            "emulator/ecs_history.py knows that it was triggered."
        )


class _Docker:
    """A registry that has one image."""

    id = DIGEST

    @property
    def images(self) -> _Docker:
        return self

    def get_registry_data(self, _image: str, **_more: Any) -> _Docker:
        return self


def test_target_groups_have_their_check_their_attributes_and_their_targets() -> None:
    group = {
        "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
        "Properties": {
            "TargetType": "ip",
            "Port": 8080,
            "Protocol": "HTTP",
            "VpcId": "vpc-1",
            "TargetGroupAttributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "15"}],
        },
    }
    stack = deploy("CreateStack", "shape-targets", {"Group": group})

    arn = stack["_resources"]["Group"]["PhysicalResourceId"]
    keys = (
        "Port HealthCheckPath HealthCheckIntervalSeconds HealthCheckTimeoutSeconds HealthyThresholdCount "
        "UnhealthyThresholdCount Matcher"
    )
    require(alb._tgs[arn], keys, "A target group's record", "ecs")
    require(alb._tgs[arn]["Matcher"], "HttpCode", "A target group's Matcher", "ecs")
    attributes = {entry["Key"]: entry["Value"] for entry in alb._tg_attrs[arn]}
    assert attributes["deregistration_delay.timeout_seconds"] == "15"
    target = {"Targets.member.1.Id": ["10.0.0.1"], "Targets.member.1.Port": ["8081"]}
    alb._register_targets({"TargetGroupArn": [arn], **target})
    require(alb._targets[arn][0], "Id Port", "A target's record", "ecs")


class TestDatabases:
    """What ``rds`` reads of an instance, made by a stack and by the API."""

    KEYS = "DBInstanceIdentifier DBInstanceArn DBInstanceStatus DBName Endpoint Engine MasterUsername"

    def test_an_instance_of_a_stack_says_who_and_where(self) -> None:
        properties = {"DBInstanceIdentifier": "shape", "Engine": "postgres", "MasterUserPassword": "p"}

        deploy(
            "CreateStack", "shape-data", {"Data": {"Type": "AWS::RDS::DBInstance", "Properties": properties}}
        )

        record = rds._instances["shape"]
        require(record, f"{self.KEYS} _MasterUserPassword", "An instance's record", "rds")
        require(record["Endpoint"], "Address Port", "An instance's endpoint", "rds")
        assert record["DBInstanceArn"] == f"arn:aws:rds:{REGION}:111111111111:db:shape"
        assert [key[:2] for key, found in rds._instances.all_items() if found is record] == [
            ("111111111111", REGION)
        ]

    def test_an_instance_of_the_api_says_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rds, "_get_docker", lambda: None)
        wanted = {"DBInstanceIdentifier": "api", "Engine": "postgres", "DBInstanceClass": "db.t4g.micro"}
        login = {"MasterUsername": "me", "MasterUserPassword": "p", "AllocatedStorage": "20"}

        status, _, body = rds._ACTION_MAP["CreateDBInstance"](
            {key: [value] for key, value in {**wanted, **login}.items()}
        )

        assert status == 200, body
        require(
            rds._resolve_instance("api"), f"{self.KEYS} _MasterUserPassword", "An instance's record", "rds"
        )
