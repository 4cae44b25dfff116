"""Elastic Load Balancing: what a load balancer thinks of the tasks behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from the_sink.aws.target import Target
from the_sink.aws.translation import error_code, translated
from the_sink.models import TargetsHealth, UnhealthyTarget

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

_MISSING = frozenset({"TargetGroupNotFound", "TargetGroupNotFoundException"})


@translated("Elastic Load Balancing")
class TargetGroups:
    """The target groups of an account and region."""

    def __init__(self, client: ElasticLoadBalancingv2Client, target: Target) -> None:
        self._client = client
        self._target = target

    def health(self, arn: str) -> TargetsHealth:
        """Return which targets pass and which fail the group's checks now; none where there is no group.

        A target that was not asked often enough yet, or is leaving, is no unhealthy one:
        https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
        """
        try:
            told = self._client.describe_target_health(TargetGroupArn=arn)
        except ClientError as error:
            if error_code(error) in _MISSING:
                return TargetsHealth()
            raise
        by_state: dict[str, list[Any]] = {"healthy": [], "unhealthy": []}
        for each in told.get("TargetHealthDescriptions", []):
            by_state.setdefault(each.get("TargetHealth", {}).get("State", ""), []).append(each)
        asked = self.check(arn) if by_state["unhealthy"] else None
        unhealthy = tuple(
            UnhealthyTarget(
                address=each["Target"]["Id"],
                port=int(each.get("HealthCheckPort") or each["Target"].get("Port", 0)),
                path=asked[1] if asked else "",
                reason=each["TargetHealth"].get("Reason", ""),
                description=each["TargetHealth"].get("Description", ""),
            )
            for each in by_state["unhealthy"]
        )
        return TargetsHealth(unhealthy, frozenset(each["Target"]["Id"] for each in by_state["healthy"]))

    def check(self, arn: str) -> tuple[int, str] | None:
        """Return the port and the path that a group asks its targets for; None if there is no such group."""
        try:
            group = self._client.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]
        except ClientError as error:
            if error_code(error) in _MISSING:
                return None
            raise
        port = group.get("HealthCheckPort", "")
        # "traffic-port", the default, is the one that targets are registered with.
        return int(port) if port.isdigit() else group.get("Port", 0), group.get("HealthCheckPath", "/")
