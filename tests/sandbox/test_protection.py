"""A load balancer that is protected from deletion stays until somebody lets it go."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .helpers import Pipelines, wait_for


def template(protected: str) -> dict[str, Any]:
    attribute = {"Key": "deletion_protection.enabled", "Value": protected}
    properties = {"Name": "demo-app-prod", "Scheme": "internal", "LoadBalancerAttributes": [attribute]}
    return {
        "Resources": {
            "LoadBalancer": {
                "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
                "Properties": {**properties, "Subnets": ["subnet-0a1b2c3d", "subnet-1a1b2c3d"]},
            }
        }
    }


def delete(pipelines: Pipelines) -> None:
    """Ask for the stack's deletion and wait for its end, whichever that is."""
    pipelines.stacks.delete_stack(StackName="balancer")

    def ended() -> bool:
        try:
            found = pipelines.settled("balancer")
        except ClientError:  # it is gone
            return True
        return found is not None and found["StackStatus"] == "DELETE_FAILED"

    wait_for(ended, "the deletion of the stack")


def test_neither_its_stack_nor_the_api_deletes_it(pipelines: Pipelines, aws: Any) -> None:
    balancers = aws("elbv2")
    assert pipelines.stack("balancer", template("true"))["StackStatus"] == "CREATE_COMPLETE"
    (arn,) = [each["LoadBalancerArn"] for each in balancers.describe_load_balancers()["LoadBalancers"]]
    refusal = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"

    with pytest.raises(ClientError, match="OperationNotPermitted") as caught:
        balancers.delete_load_balancer(LoadBalancerArn=arn)
    delete(pipelines)

    assert refusal in str(caught.value)
    events = pipelines.stacks.describe_stack_events(StackName="balancer")["StackEvents"]
    assert [e["ResourceStatusReason"] for e in events if e["ResourceStatus"] == "DELETE_FAILED"][
        -1
    ] == refusal

    balancers.modify_load_balancer_attributes(
        LoadBalancerArn=arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}]
    )
    delete(pipelines)

    assert balancers.describe_load_balancers()["LoadBalancers"] == []


def test_a_stack_takes_the_protection_off_and_then_deletes_it(pipelines: Pipelines, aws: Any) -> None:
    pipelines.stack("balancer", template("true"))

    assert pipelines.stack("balancer", template("false"))["StackStatus"] == "UPDATE_COMPLETE"
    delete(pipelines)

    assert aws("elbv2").describe_load_balancers()["LoadBalancers"] == []
