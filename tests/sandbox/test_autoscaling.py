"""Autoscaling keeps the count of a service within its limits, and limits that cross are refused."""

from __future__ import annotations

from .shop import Shop, template


def test_autoscaling_keeps_a_service_within_its_limits(shop: Shop) -> None:
    """An update of the stack leaves its count alone, as on AWS, where the template names none."""
    shop.push("live", version="one")
    wanted = template("live", 1)
    del wanted["Resources"]["Service"]["Properties"]["DesiredCount"]
    wanted["Resources"]["Scale"] = {
        "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
        "Properties": {
            "ServiceNamespace": "ecs",
            "ScalableDimension": "ecs:service:DesiredCount",
            "ResourceId": {"Fn::Sub": "service/${Cluster}/${Service.Name}"},
            "MinCapacity": 2,
            "MaxCapacity": 3,
        },
    }

    shop.pipelines.stack("shop", wanted)
    assert shop.service()["desiredCount"] == 2
    shop.ecs.update_service(cluster="c", service="s", desiredCount=3)
    wanted["Resources"]["Scale"]["Properties"]["MinCapacity"] = "1"
    shop.pipelines.stack("shop", wanted)
    assert shop.service()["desiredCount"] == 3
    wanted["Resources"]["Scale"]["Properties"]["MaxCapacity"] = 1
    shop.pipelines.stack("shop", wanted)
    assert shop.service()["desiredCount"] == 1
    wanted["Resources"]["Scale"]["Properties"].update(MinCapacity=0, MaxCapacity=0)
    shop.pipelines.stack("shop", wanted)
    assert shop.service()["desiredCount"] == 0


def test_autoscaling_whose_limits_cross_is_refused(shop: Shop) -> None:
    """By the service, where the template does not show it: a value with NoEcho is left to it."""
    target = {
        "ServiceNamespace": "ecs",
        "ScalableDimension": "ecs:service:DesiredCount",
        "ResourceId": "service/c/s",
        "MinCapacity": 3,
        "MaxCapacity": {"Ref": "Most"},
    }
    most = {"Type": "Number", "NoEcho": True, "Default": 2}
    resource = {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": target}

    made = shop.pipelines.stack("scale", {"Parameters": {"Most": most}, "Resources": {"Scale": resource}})

    assert made["StackStatus"] == "ROLLBACK_COMPLETE"
    events = shop.pipelines.stacks.describe_stack_events(StackName="scale")["StackEvents"]
    assert any(
        "Maximum capacity cannot be less than minimum" in e.get("ResourceStatusReason", "") for e in events
    )
