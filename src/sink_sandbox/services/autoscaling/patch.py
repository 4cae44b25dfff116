"""Application Auto Scaling as far as a sandbox can have it: a service is kept within its limits.

A target that is registered has its service's count raised to the minimum or cut to the maximum at once, as
the activities of https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalingActivities.html
show ("minimum capacity was set to 15"). Policies are recorded: nothing measures CPU, so nothing scales.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import ecs
from ministack.services.cloudformation import provisioners

Provisioned = tuple[str, dict[str, str]]
Properties = dict[str, Any]


def install() -> None:
    """Add the types."""
    provisioners._RESOURCE_HANDLERS.update(
        {
            "AWS::ApplicationAutoScaling::ScalableTarget": {
                "create": _create_target,
                "update": _update_target,
                "delete": _forget,
            },
            "AWS::ApplicationAutoScaling::ScalingPolicy": {
                "create": _create_policy,
                "update": _keep_policy,
                "delete": _forget,
            },
        }
    )


def _create_target(_logical_id: str, props: Properties, _stack_name: str) -> Provisioned:
    smallest, largest = props["MinCapacity"], props["MaxCapacity"]
    if smallest > largest:
        raise ValueError(
            "Maximum capacity cannot be less than minimum capacity (Service: ApplicationAutoScaling)"
        )
    _keep_within(str(props.get("ResourceId", "")), smallest, largest)
    parts = (props.get(name, "") for name in ("ResourceId", "ScalableDimension", "ServiceNamespace"))
    return "|".join(str(part) for part in parts), {}


def _update_target(_physical_id: str, _old: Properties, new: Properties, stack_name: str) -> Provisioned:
    return _create_target("", new, stack_name)


def _keep_within(resource_id: str, smallest: int, largest: int) -> None:
    """Bring an ECS service's count within the limits; other kinds of targets scale nothing here."""
    kind, _, key = resource_id.partition("/")
    service = ecs._services.get(key) if kind == "service" else None
    if service is None or service.get("status") != "ACTIVE":
        return
    wanted = min(max(int(service["desiredCount"]), smallest), largest)
    if wanted != service["desiredCount"]:
        cluster, _, name = key.partition("/")
        status, _, body = ecs._update_service({"cluster": cluster, "service": name, "desiredCount": wanted})
        if status >= 400:
            raise ValueError(f"{json.loads(body).get('message')} (Service: ECS)")


def _create_policy(logical_id: str, props: Properties, stack_name: str) -> Provisioned:
    name = props.get("PolicyName") or f"{stack_name}-{logical_id}"
    return f"arn:aws:autoscaling:::scalingPolicy:{new_uuid()}:policyName/{name}", {"PolicyName": name}


def _keep_policy(physical_id: str, _old: Properties, new: Properties, _stack_name: str) -> Provisioned:
    return physical_id, {"PolicyName": new.get("PolicyName", "")}


def _forget(_physical_id: str, _props: Properties) -> None:
    """Nothing was made; a service keeps the count that it has."""
