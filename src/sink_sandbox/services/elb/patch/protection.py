"""A load balancer that is protected from deletion is not deleted, by a stack or by the API.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#deletion-protection
"""

from __future__ import annotations

from typing import Any

from ministack.services import alb
from ministack.services.cloudformation import provisioners

LOAD_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"


def install() -> None:
    """Refuse such deletions."""
    entry = provisioners._RESOURCE_HANDLERS[LOAD_BALANCER]
    delete, act = entry["delete"], alb._ACTION_MAP["DeleteLoadBalancer"]

    def delete_resource(physical_id: str, props: dict[str, Any]) -> None:
        if _is_protected(physical_id):
            raise ValueError(_refusal(physical_id))
        delete(physical_id, props)

    def delete_load_balancer(params: Any) -> Any:
        arn = alb._p(params, "LoadBalancerArn")
        return alb._error("OperationNotPermitted", _refusal(arn), 400) if _is_protected(arn) else act(params)

    entry["delete"] = delete_resource
    alb._ACTION_MAP["DeleteLoadBalancer"] = delete_load_balancer


def _is_protected(arn: str) -> bool:
    return {"Key": "deletion_protection.enabled", "Value": "true"} in alb._lb_attrs.get(arn, [])


def _refusal(arn: str) -> str:
    return f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
