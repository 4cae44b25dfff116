"""A service behind a load balancer, made by a stack, and the names under which a deploy looks for it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from sink_sandbox.client import lifecycle

from .helpers import ROLE, Pipelines, action, stage
from .images import push_image

IMAGE = "000000000000.dkr.ecr.eu-west-1.amazonaws.com/app:"
HOST = "shop.alb.localhost"


def shop_names(env: str = "stage") -> Any:
    """The names of what ``Shop`` makes, where a deploy looks for an app's."""
    return SimpleNamespace(
        app="shop",
        env=env,
        pipeline="ship",
        cluster="c",
        service="s",
        container="app",
        app_stack="shop",
        secret="shop-secret",
    )


class Shop:
    """A service behind a load balancer, made by a stack."""

    def __init__(self, aws: Callable[[str], Any], sandbox: lifecycle.Sandbox, pipelines: Pipelines) -> None:
        self.aws = aws
        self.sandbox = sandbox
        self.pipelines = pipelines
        self.ecs = aws("ecs")
        aws("ecr").create_repository(repositoryName="app")

    def push(self, tag: str, **more: Any) -> str:
        return push_image(self.sandbox, "app", tag, **more)

    def deploy(self, tag: str = "live", count: int = 1, **more: Any) -> dict[str, Any]:
        return self.pipelines.stack("shop", template(tag, count, **more))

    def get(self, path: str = "/") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.sandbox.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Host": f"{HOST}:{self.sandbox.port}"})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def service(self) -> dict[str, Any]:
        return self.ecs.describe_services(cluster="c", services=["s"])["services"][0]

    def tasks(self, status: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(cluster="c", serviceName="s", desiredStatus=status)["taskArns"]
        return self.ecs.describe_tasks(cluster="c", tasks=arns)["tasks"] if arns else []

    def log(self, text: str) -> bool:
        events = self.aws("logs").filter_log_events(logGroupName="/app")["events"]
        return any(text in event["message"] for event in events)

    def release(self, tag: str) -> str:
        """Roll an image out with a pipeline; returns the execution's id."""
        self.pipelines.create(
            "ship",
            [
                stage(
                    "Deploy",
                    action("Go", "Deploy", "ECS", {"ClusterName": "c", "ServiceName": "s"}, inp="Src"),
                )
            ],
        )
        self.pipelines.upload(
            {"imagedefinitions.json": json.dumps([{"name": "app", "imageUri": IMAGE + tag}])}
        )
        return self.pipelines.start("ship")


def template(
    tag: str, count: int, *, threshold: dict[str, Any] | None = None, **container: Any
) -> dict[str, Any]:
    """A service, its load balancer and its log; ``threshold`` is the circuit breaker's."""
    breaker = {"Enable": True, "Rollback": True}
    options = {"awslogs-group": "/app", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "app"}
    definition = {
        "Name": "app",
        "Image": IMAGE + tag,
        "PortMappings": [{"ContainerPort": 8080}],
        "LogConfiguration": {"LogDriver": "awslogs", "Options": options},
        **container,
    }
    return {
        "Parameters": {"Count": {"Type": "Number", "Default": count}},
        "Resources": {
            "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": "c"}},
            "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/app"}},
            "Secret": {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {"Name": "core", "SecretString": '{"A": "1"}'},
            },
            "Balancer": {
                "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
                "Properties": {"Name": "shop", "Subnets": ["subnet-0a1b2c3d", "subnet-1a1b2c3d"]},
            },
            "Group": {
                "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
                "Properties": {
                    "TargetType": "ip",
                    "Protocol": "HTTP",
                    "Port": 8080,
                    "VpcId": "vpc-12345678",
                    "HealthCheckPath": "/health",
                    "HealthCheckIntervalSeconds": 10,
                    "HealthyThresholdCount": 2,
                    "UnhealthyThresholdCount": 2,
                    "TargetGroupAttributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "15"}],
                },
            },
            "Listener": {
                "Type": "AWS::ElasticLoadBalancingV2::Listener",
                "Properties": {
                    "LoadBalancerArn": {"Ref": "Balancer"},
                    "Port": 80,
                    "Protocol": "HTTP",
                    "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": "Group"}}],
                },
            },
            "Definition": {
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": {
                    "Family": "app",
                    "RequiresCompatibilities": ["FARGATE"],
                    "NetworkMode": "awsvpc",
                    "Cpu": 256,
                    "Memory": "512",
                    "EphemeralStorage": {"SizeInGiB": "21"},
                    "ExecutionRoleArn": ROLE,
                    "ContainerDefinitions": [definition],
                    "Volumes": [
                        {
                            "Name": "shared",
                            "EFSVolumeConfiguration": {
                                "FilesystemId": "fs-12345678",
                                "TransitEncryption": "ENABLED",
                                "AuthorizationConfig": {"AccessPointId": "fsap-12345678", "IAM": "ENABLED"},
                            },
                        }
                    ],
                },
            },
            "Service": {
                "Type": "AWS::ECS::Service",
                "DependsOn": "Listener",
                "Properties": {
                    "ServiceName": "s",
                    "Cluster": {"Ref": "Cluster"},
                    "LaunchType": "FARGATE",
                    "TaskDefinition": {"Ref": "Definition"},
                    "DesiredCount": {"Ref": "Count"},
                    "HealthCheckGracePeriodSeconds": 60,
                    "EnableExecuteCommand": True,
                    "DeploymentConfiguration": {
                        "DeploymentCircuitBreaker": {
                            **breaker,
                            **({"ThresholdConfiguration": threshold} if threshold else {}),
                        },
                        "MinimumHealthyPercent": 100,
                        "MaximumPercent": 200,
                    },
                    "LoadBalancers": [
                        {"ContainerName": "app", "ContainerPort": 8080, "TargetGroupArn": {"Ref": "Group"}}
                    ],
                    "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": ["subnet-0a1b2c3d"]}},
                },
            },
        },
        "Outputs": {
            "Address": {"Value": {"Fn::GetAtt": ["Balancer", "DNSName"]}},
            "SecretRef": {"Value": {"Ref": "Secret"}},
        },
    }
