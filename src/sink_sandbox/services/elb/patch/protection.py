"""A load balancer that is protected from deletion is not deleted, by a stack or by the API.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#deletion-protection
"""

from __future__ import annotations

from typing import Any

from ministack.services import alb


def install() -> None:
    """Refuse such deletions."""
    act = alb._ACTION_MAP["DeleteLoadBalancer"]

    def delete_load_balancer(params: Any) -> Any:
        arn = alb._p(params, "LoadBalancerArn")
        refusal = find_refusal(arn)
        return alb._error("OperationNotPermitted", refusal, 400) if refusal else act(params)

    alb._ACTION_MAP["DeleteLoadBalancer"] = delete_load_balancer


def find_refusal(arn: str) -> str:
    """Return why a load balancer is not deleted, "" where it is not protected."""
    is_protected = {"Key": "deletion_protection.enabled", "Value": "true"} in alb._lb_attrs.get(arn, [])
    sentence = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
    return sentence if is_protected else ""
