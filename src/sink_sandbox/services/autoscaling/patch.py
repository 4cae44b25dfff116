"""Application Auto Scaling as far as a sandbox can have it: a service is kept within its limits.

A target that is registered has its service's count raised to the minimum or cut to the maximum at once, as
the activities of https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalingActivities.html
show ("minimum capacity was set to 15"). Policies are recorded: nothing measures CPU, so nothing scales.
"""

from __future__ import annotations

import json

from ministack.core.responses import new_uuid
from ministack.services import ecs

from sink_sandbox.services.cloudformation.resource_type import Place, Properties, ResourceType


class ScalableTarget(ResourceType):
    """A service and its limits."""

    def create(self, place: Place, properties: Properties) -> str:
        """Bring the service within the limits.

        Raises:
            ValueError: the maximum is below the minimum, or ECS refuses the count.
        """
        smallest, largest = properties["MinCapacity"], properties["MaxCapacity"]
        if smallest > largest:
            raise ValueError(
                "Maximum capacity cannot be less than minimum capacity (Service: ApplicationAutoScaling)"
            )
        _keep_within(str(properties.get("ResourceId", "")), smallest, largest)
        names = ("ResourceId", "ScalableDimension", "ServiceNamespace")
        return "|".join(str(properties.get(name, "")) for name in names)

    def update(self, place: Place, physical_id: str, old: Properties, new: Properties) -> str:
        """Bring the service within the new limits."""
        return self.create(place, new)

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Do nothing: a service keeps the count that it has."""

    def attributes(self, physical_id: str, properties: Properties) -> dict[str, str]:
        """Return nothing: nobody reads its Id."""
        return {}


class ScalingPolicy(ResourceType):
    """A policy; it is recorded."""

    def create(self, place: Place, properties: Properties) -> str:
        """Return the ARN of a new policy."""
        name = properties.get("PolicyName") or place.name()
        return f"arn:aws:autoscaling:::scalingPolicy:{new_uuid()}:policyName/{name}"

    def update(self, place: Place, physical_id: str, old: Properties, new: Properties) -> str:
        """Keep the policy."""
        return physical_id

    def delete(self, physical_id: str, properties: Properties) -> None:
        """Do nothing: nothing was made."""

    def attributes(self, physical_id: str, properties: Properties) -> dict[str, str]:
        """Return PolicyName."""
        return {"PolicyName": physical_id.rpartition("policyName/")[2]}


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
