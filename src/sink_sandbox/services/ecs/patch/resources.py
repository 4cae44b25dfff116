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
from ministack.services.cloudformation import provisioners, stacks

from sink_sandbox.services.ecs.casing import api_shape

_POLL_S = 0.05
_TIMEOUT_S = 3 * 3600
"""https://repost.aws/knowledge-center/cloudformation-ecs-service-stabilize"""

_NOT_IN_UPDATE = frozenset(
    {"serviceName", "launchType", "schedulingStrategy", "role", "deploymentController", "tags"}
)
"""What UpdateService does not take; a change of it replaces the service, which its fixed name refuses."""


Provisioned = tuple[str, dict[str, str]]
"""A physical id and the attributes of ``Fn::GetAtt``."""


def install() -> None:
    """Replace the handlers."""
    handlers = provisioners._RESOURCE_HANDLERS
    handlers["AWS::ECS::TaskDefinition"].update(
        create=_create_task_definition, update=_update_task_definition
    )
    handlers["AWS::ECS::Service"].update(create=_create_service, update=_update_service)
    runs_on_thread = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda kind: kind == "AWS::ECS::Service" or runs_on_thread(kind)


def _create_task_definition(logical_id: str, props: dict[str, Any], stack_name: str) -> Provisioned:
    request = api_shape(props)
    request.setdefault("family", f"{stack_name}-{logical_id}")
    answer = _checked("AWS::ECS::TaskDefinition", ecs._register_task_definition(request))
    arn = answer["taskDefinition"]["taskDefinitionArn"]
    return arn, {"TaskDefinitionArn": arn}


def _update_task_definition(
    physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
) -> Provisioned:
    def without_tags(props: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in props.items() if key != "Tags"}

    if without_tags(old) != without_tags(new):
        return _create_task_definition(logical_id or physical_id, new, stack_name)
    ecs._tags[physical_id] = api_shape(new.get("Tags") or [])
    return physical_id, {"TaskDefinitionArn": physical_id}


def _create_service(logical_id: str, props: dict[str, Any], stack_name: str) -> Provisioned:
    request = api_shape(props)
    request.setdefault("serviceName", f"{stack_name}-{logical_id}")
    request.setdefault("cluster", "default")
    service = _checked("AWS::ECS::Service", ecs._create_service(request))["service"]
    try:
        _await_steady(service["clusterArn"], service["serviceName"])
    except ValueError:
        # A resource whose creation failed is not known to the rollback, and its tasks would go on.
        ecs._delete_service({"cluster": request["cluster"], "service": service["serviceName"], "force": True})
        raise
    return service["serviceArn"], {"ServiceArn": service["serviceArn"], "Name": service["serviceName"]}


def _update_service(
    physical_id: str, old: dict[str, Any], new: dict[str, Any], _stack_name: str
) -> Provisioned:
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
        key: value for key, value in wanted.items() if key not in _NOT_IN_UPDATE and before.get(key) != value
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
    service = _checked("AWS::ECS::Service", ecs._update_service(request))["service"]
    _await_steady(service["clusterArn"], name)
    return physical_id, {"ServiceArn": physical_id, "Name": name}


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
