"""CloudFormation's ECS types: whole task definitions, and services that the stack waits for.

ministack drops what it does not know of a task definition (secrets, health checks, volumes lose their
contents), refuses counts that come from parameters, and calls a service complete when it exists. AWS
waits until the service is steady, and fails the resource when the circuit breaker stops its deployment.
"""

from __future__ import annotations

import json
import time
from typing import Any

from ministack.services import ecs

from sink_sandbox.services.cloudformation.patch.handlers import EmulatedType
from sink_sandbox.services.cloudformation.resource_type import Place, Properties
from sink_sandbox.services.ecs.casing import api_shape

TASK_DEFINITION = "AWS::ECS::TaskDefinition"
SERVICE = "AWS::ECS::Service"

_POLL_S = 0.05
_TIMEOUT_S = 3 * 3600
"""https://repost.aws/knowledge-center/cloudformation-ecs-service-stabilize"""

_NOT_IN_UPDATE = frozenset(
    {"serviceName", "launchType", "schedulingStrategy", "role", "deploymentController", "tags"}
)
"""What UpdateService does not take; a change of it replaces the service, which its fixed name refuses."""


class TaskDefinition(EmulatedType):
    """``AWS::ECS::TaskDefinition``: each change registers another revision."""

    def __init__(self) -> None:
        super().__init__(TASK_DEFINITION)

    def create(self, place: Place, properties: Properties) -> str:
        """Register the definition."""
        request = api_shape(properties)
        request.setdefault("family", place.name())
        answer = _checked(TASK_DEFINITION, ecs._register_task_definition(request))
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def update(self, place: Place, physical_id: str, old: Properties, new: Properties) -> str:
        """Register another revision, unless only tags have changed."""

        def without_tags(properties: Properties) -> dict[str, Any]:
            return {key: value for key, value in properties.items() if key != "Tags"}

        if without_tags(old) != without_tags(new):
            return self.create(place, new)
        ecs._tags[physical_id] = api_shape(new.get("Tags") or [])
        return physical_id

    def attributes(self, physical_id: str, properties: Properties) -> dict[str, str]:
        """Return TaskDefinitionArn."""
        return {"TaskDefinitionArn": physical_id}


class Service(EmulatedType):
    """``AWS::ECS::Service``: complete when it is steady."""

    waits = True

    def __init__(self) -> None:
        super().__init__(SERVICE)

    def create(self, place: Place, properties: Properties) -> str:
        """Create the service and wait until it is steady.

        Raises:
            ValueError: ECS refuses it, or its deployment failed; nothing of it is left then.
        """
        request = api_shape(properties)
        request.setdefault("serviceName", place.name())
        request.setdefault("cluster", "default")
        service = _checked(SERVICE, ecs._create_service(request))["service"]
        try:
            _await_steady(service["clusterArn"], service["serviceName"])
        except ValueError:
            # A resource whose creation failed is not known to the rollback, and its tasks would go on.
            ecs._delete_service(
                {"cluster": request["cluster"], "service": service["serviceName"], "force": True}
            )
            raise
        return str(service["serviceArn"])

    def update(self, place: Place, physical_id: str, old: Properties, new: Properties) -> str:
        """Update what has changed and wait until the service is steady.

        Raises:
            ValueError: the change would replace it, ECS refuses it, or its deployment failed.
        """
        wanted = api_shape(new)
        before = api_shape(old)
        name = physical_id.rpartition("/")[2]
        for key in ("serviceName", "cluster", "launchType"):
            if before.get(key) != wanted.get(key):
                raise ValueError(
                    f"CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                    f"Rename {name} and update the stack again."
                )
        changed = {
            key: value
            for key, value in wanted.items()
            if key not in _NOT_IN_UPDATE and before.get(key) != value
        }
        # DesiredCount that the template no longer has is left as the service has it.
        dropped = {"deploymentConfiguration", "loadBalancers", "enableExecuteCommand"} & (
            set(before) - set(wanted)
        )
        defaults = {"deploymentConfiguration": {}, "loadBalancers": [], "enableExecuteCommand": False}
        request = {
            **changed,
            **{key: defaults[key] for key in dropped},
            "cluster": wanted.get("cluster", "default"),
            "service": name,
        }
        service = _checked(SERVICE, ecs._update_service(request))["service"]
        _await_steady(service["clusterArn"], name)
        return physical_id

    def attributes(self, physical_id: str, properties: Properties) -> dict[str, str]:
        """Return ServiceArn and Name."""
        return {"ServiceArn": physical_id, "Name": physical_id.rpartition("/")[2]}


def _await_steady(cluster_arn: str, name: str) -> None:
    """Wait as CloudFormation does; runs on a worker thread.

    Raises:
        ValueError: the deployment failed; the resource's reason in AWS's words.
    """
    key = f"{cluster_arn.rpartition('/')[2]}/{name}"
    deadline = time.monotonic() + _TIMEOUT_S
    awaited = ""
    while time.monotonic() < deadline:
        service = ecs._services.get(key)
        if service is None or service.get("status") != "ACTIVE":
            raise ValueError(f"The service {name} was deleted.")
        deployments = list(service["deployments"])
        awaited = awaited or next(entry["id"] for entry in deployments if entry["status"] == "PRIMARY")
        ours = next((entry for entry in deployments if entry["id"] == awaited), None)
        if ours is None or ours["rolloutState"] == "FAILED":
            raise ValueError(
                "Resource handler returned message: \"Error occurred during operation 'ECS Deployment "
                "Circuit Breaker was triggered'.\" (HandlerErrorCode: GeneralServiceException)"
            )
        others = sum(entry["runningCount"] for entry in deployments if entry is not ours)
        if ours["rolloutState"] == "COMPLETED" and not others:
            return
        time.sleep(_POLL_S)
    raise ValueError(f"The service {name} did not stabilize. (HandlerErrorCode: NotStabilized)")


def _checked(kind: str, answer: tuple[int, dict[str, str], bytes]) -> dict[str, Any]:
    status, _, body = answer
    content: dict[str, Any] = json.loads(body)
    if status >= 400:
        raise ValueError(f"{content.get('message', content)} (Service: ECS, Type: {kind})")
    return content
