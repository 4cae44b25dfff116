"""Templates that AWS refuses and the emulator takes, each with one resource Thing, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml


@dataclass(frozen=True)
class Bad:
    """A template, and the sentence that it gets, from its line to its rule."""

    name: str
    text: str
    said: str


def _one(name: str, kind: str, properties: dict[str, Any], said: str) -> Bad:
    template = {"Resources": {"Thing": {"Type": kind, "Properties": properties}}}
    return Bad(name, yaml.safe_dump(template, sort_keys=False), said)


_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}

BAD = [
    _one(
        "unknown property",
        "AWS::Logs::LogGroup",
        {"Retention": 1},
        "line 5, Thing: Additional properties are not allowed ('Retention' was unexpected) (F3002)",
    ),
    _one(
        "value that the service does not know",
        "AWS::Logs::LogGroup",
        {"RetentionInDays": 2},
        "line 5, Thing: 2 is not one of [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, "
        "1096, 1827, 2192, 2557, 2922, 3288, 3653] (W3030)",
    ),
    _one(
        "password of no kind",
        "AWS::SecretsManager::Secret",
        {"GenerateSecretString": {"ExcludeCharacters": "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"}},
        "line 6, Thing: ExcludeCharacters removes every punctuation while that type is still required; "
        'GetRandomPassword fails with "All characters of the desired type have been excluded." '
        "(pf-secretsmanager-generate-secret-string)",
    ),
    _one(
        "empty permissions boundary",
        "AWS::IAM::Role",
        {"PermissionsBoundary": "", "AssumeRolePolicyDocument": _TRUST},
        "line 5, Thing: length 0 is below minimum 20 (F3033)",
    ),
    _one(
        "empty policy",
        "AWS::IAM::Role",
        {"ManagedPolicyArns": [""], "AssumeRolePolicyDocument": _TRUST},
        "line 6, Thing: '' does not match pattern "
        r"'arn:(aws[a-zA-Z-]*)?:iam::(\d{12}|aws):policy/[a-zA-Z_0-9+=,.@\-_/]+' (F3031)",
    ),
    _one(
        "scaling from more to less",
        "AWS::ApplicationAutoScaling::ScalableTarget",
        {
            "ServiceNamespace": "ecs",
            "ScalableDimension": "ecs:service:DesiredCount",
            "ResourceId": "service/a/b",
            "MinCapacity": 3,
            "MaxCapacity": 1,
        },
        "line 8, Thing: MinCapacity 3 is above MaxCapacity 1; RegisterScalableTarget fails with "
        '"Maximum capacity cannot be less than minimum capacity" (pf-appautoscaling-min-max-capacity)',
    ),
    Bad(
        "import by a name that is not there yet",
        "Resources:\n"
        "  Queue:\n"
        "    Type: AWS::SQS::Queue\n"
        "  Thing:\n"
        "    Type: AWS::Logs::LogGroup\n"
        "    Properties:\n"
        '      LogGroupName: {"Fn::ImportValue": !Sub "${Queue}-name"}\n',
        "line 6, Thing: An Fn::ImportValue on this resource takes its export name from resource Queue; "
        'CreateStack rejects the template with "the attribute in Fn::ImportValue must not depend on any '
        'resources, imported values, or Fn::GetAZs" (pf-cfn-importvalue-resource-ref)',
    ),
    _one(
        "name too long",
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        {"Name": "a" * 33, "Port": 80, "Protocol": "HTTP", "VpcId": "vpc-0123456789abcdef0"},
        f"line 5, Thing: The target group name '{'a' * 33}' cannot be longer than 32 characters; "
        "ELB rejects the create call (pf-elbv2-tg-name)",
    ),
    _one(
        "health check that never ends",
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        {
            "Port": 80,
            "Protocol": "HTTP",
            "VpcId": "vpc-0123456789abcdef0",
            "HealthCheckIntervalSeconds": 10,
            "HealthCheckTimeoutSeconds": 20,
        },
        "line 9, Thing: HealthCheckTimeoutSeconds 20 is not smaller than HealthCheckIntervalSeconds 10 "
        "(\"Health check timeout '20' must be smaller than the interval '10'\") "
        "(pf-elbv2-hc-timeout-interval)",
    ),
    _one(
        "period of no alarm",
        "AWS::CloudWatch::Alarm",
        {
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluationPeriods": 1,
            "Namespace": "AWS/SQS",
            "MetricName": "NumberOfMessagesSent",
            "Period": 7,
            "Statistic": "Sum",
            "Threshold": 1,
        },
        'line 9, Thing: Period 7 is invalid; PutMetricAlarm fails with "Period must be 10, 20, 30 or a '
        'multiple of 60" (pf-cloudwatch-alarm-period)',
    ),
    _one(
        "task of no size",
        "AWS::ECS::TaskDefinition",
        {
            "RequiresCompatibilities": ["FARGATE"],
            "NetworkMode": "awsvpc",
            "Cpu": "256",
            "Memory": "8192",
            "ContainerDefinitions": [{"Name": "app", "Image": "app"}],
        },
        "line 8, Thing: Cpu '256' is not compatible with Memory '8192' for Fargate (E3047)",
    ),
    _one(
        "topic of no name",
        "AWS::SNS::Topic",
        {"TopicName": "a.b"},
        "line 5, Thing: TopicName 'a.b' is rejected with \"Invalid parameter: Topic Name\": SNS accepts only "
        "letters, numbers, hyphen and underscore (a FIFO topic adds the .fifo suffix) "
        "(pf-sns-topic-name-format)",
    ),
]
