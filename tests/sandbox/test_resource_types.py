"""Resource types that the emulator lacks or makes otherwise than AWS, or only records."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import sink_sandbox
from sink_sandbox.client import lifecycle

from .helpers import BUCKET, Pipelines, wait_for
from .templates import LOG, log_group, log_names, nested


def test_a_secret_is_referred_to_by_its_arn_wherever_it_is_used(pipelines: Pipelines) -> None:
    template = {
        "Resources": {
            "Secret": {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {"Name": "core", "SecretString": '{"user": "app"}', "Description": "first"},
            },
            "Log": log_group({"Fn::Sub": "/{{resolve:secretsmanager:${Secret}:SecretString:user}}"}),
        },
        "Outputs": {"Arn": {"Value": {"Ref": "Secret"}}},
    }
    stack = pipelines.stack("secretive", template)
    secrets = pipelines.aws("secretsmanager")
    arn = secrets.describe_secret(SecretId="core")["ARN"]

    assert stack["Outputs"][0]["OutputValue"] == arn
    assert log_names(pipelines) == ["/app"]
    template["Resources"]["Secret"]["Properties"]["Description"] = "second"
    assert pipelines.stack("secretive", template)["StackStatus"] == "UPDATE_COMPLETE"
    described = secrets.describe_secret(SecretId="core")
    assert (described["ARN"], described["Description"]) == (arn, "second")
    pipelines.stacks.delete_stack(StackName="secretive")
    wait_for(lambda: not secrets.list_secrets()["SecretList"], "the deletion")


def test_missing_resource_types_exist_and_those_without_effect_are_named(
    pipelines: Pipelines, sandbox: lifecycle.Sandbox
) -> None:
    group = {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "g"}}
    rule = {"GroupId": {"Ref": "Group"}, "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
    template = {
        "Resources": {
            "Group": group,
            "Address": {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}},
            "Nat": {
                "Type": "AWS::EC2::NatGateway",
                "Properties": {
                    "SubnetId": "subnet-0a1b2c3d",
                    "AllocationId": {"Fn::GetAtt": ["Address", "AllocationId"]},
                },
            },
            "In": {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": {**rule, "CidrIp": "10.0.0.0/8"}},
            "Out": {"Type": "AWS::EC2::SecurityGroupEgress", "Properties": {**rule, "CidrIp": "10.9.0.0/16"}},
            "Oidc": {
                "Type": "AWS::IAM::OIDCProvider",
                "Properties": {
                    "Url": "https://token.actions.githubusercontent.com",
                    "ClientIdList": ["sts.amazonaws.com"],
                },
            },
            "Scale": {
                "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
                "Properties": {
                    "ResourceId": "service/c/s",
                    "ScalableDimension": "ecs:service:DesiredCount",
                    "ServiceNamespace": "ecs",
                    "MinCapacity": 1,
                    "MaxCapacity": 2,
                },
            },
            "Policy": {
                "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
                "Properties": {
                    "PolicyName": "cpu",
                    "PolicyType": "TargetTrackingScaling",
                    "ScalingTargetId": {"Ref": "Scale"},
                    "TargetTrackingScalingPolicyConfiguration": {
                        "PredefinedMetricSpecification": {
                            "PredefinedMetricType": "ECSServiceAverageCPUUtilization"
                        },
                        "TargetValue": 60,
                    },
                },
            },
            "Alarm": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "AlarmName": "app/stage/cpu",
                    "Namespace": "AWS/ECS",
                    "MetricName": "CPUUtilization",
                    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                    "EvaluationPeriods": 1,
                    "Threshold": 90,
                },
            },
        },
        "Outputs": {
            "Oidc": {"Value": {"Ref": "Oidc"}},
            "Scale": {"Value": {"Ref": "Scale"}},
            "Ip": {"Value": {"Ref": "Address"}},
        },
    }
    stack = pipelines.stack("types", template)
    outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in stack["Outputs"]}
    ec2, iam = pipelines.aws("ec2"), pipelines.aws("iam")

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert outputs["Oidc"] == ("arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com")
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=outputs["Oidc"])["ClientIDList"] == [
        "sts.amazonaws.com"
    ]
    assert outputs["Scale"] == "service/c/s|ecs:service:DesiredCount|ecs"
    assert [address["PublicIp"] for address in ec2.describe_addresses()["Addresses"]] == [outputs["Ip"]]
    resources = {
        entry["LogicalResourceId"]: entry["PhysicalResourceId"]
        for entry in pipelines.stacks.describe_stack_resources(StackName="types")["StackResources"]
    }
    (found,) = ec2.describe_security_groups(GroupIds=[resources["Group"]])["SecurityGroups"]
    assert [entry["IpRanges"][0]["CidrIp"] for entry in found["IpPermissions"]] == ["10.0.0.0/8"]
    assert "10.9.0.0/16" in [r["CidrIp"] for e in found["IpPermissionsEgress"] for r in e["IpRanges"]]
    assert [text.partition("*")[0] for text in sink_sandbox.status("default")["simulated"]] == [
        "AWS::ApplicationAutoScaling::",
        "AWS::CloudWatch::",
        "AWS::EC2::",
    ]
    pipelines.stacks.delete_stack(StackName="types")
    wait_for(lambda: not ec2.describe_addresses()["Addresses"], "the deletion")
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
    assert sink_sandbox.status("default")["simulated"] == []


def test_a_database_that_only_is_recorded_says_so(pipelines: Pipelines, sandbox: lifecycle.Sandbox) -> None:
    """In the event that would otherwise call it complete, of a nested stack too."""
    database = {
        "Type": "AWS::RDS::DBInstance",
        "Properties": {"DBInstanceClass": "db.t4g.micro", "Engine": "mysql", "AllocatedStorage": "20"},
    }
    body = json.dumps({"Resources": {"Database": database, "Log": LOG}})
    pipelines.s3.put_object(Bucket=BUCKET, Key="data.yml", Body=body)

    stack = pipelines.stack(
        "data", {"Resources": {"Child": nested(f"https://{BUCKET}.s3.amazonaws.com/data.yml")}}
    )

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    (child,) = [
        s["StackName"] for s in pipelines.stacks.describe_stacks()["Stacks"] if s["StackName"] != "data"
    ]
    reasons = {
        event["LogicalResourceId"]: event.get("ResourceStatusReason", "")
        for event in pipelines.stacks.describe_stack_events(StackName=child)["StackEvents"]
        if event["ResourceStatus"] == "CREATE_COMPLETE"
    }
    assert reasons == {
        "Database": "The sandbox only records this database: none runs at its address.",
        "Log": "",
        child: "",
    }
    note = "AWS::RDS::*: a database of another engine than postgres is recorded; none runs"
    assert note in sink_sandbox.status("default")["simulated"]


def test_what_only_exists_on_paper_is_named_and_so_is_what_counts_for_nothing(
    pipelines: Pipelines, sandbox: lifecycle.Sandbox
) -> None:
    cache = {"CacheNodeType": "cache.t4g.micro", "Engine": "redis", "NumCacheNodes": 1}
    project = {
        "ServiceRole": "arn:aws:iam::000000000000:role/any",
        "Source": {"Type": "NO_SOURCE", "BuildSpec": "version: 0.2"},
        "Artifacts": {"Type": "NO_ARTIFACTS"},
        "Environment": {"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL", "Image": "i"},
    }
    resources = {
        "Cache": {"Type": "AWS::ElastiCache::CacheCluster", "Properties": cache},
        "Project": {"Type": "AWS::CodeBuild::Project", "Properties": project},
    }

    assert pipelines.stack("paper", {"Resources": resources})["StackStatus"] == "CREATE_COMPLETE"

    told = sink_sandbox.status("default")["simulated"]
    assert told == [
        "AWS::CodeBuild::*: builds run with the tools of this machine; a project's image and compute type, "
        "and a buildspec's runtime-versions, count for nothing",
        "AWS::ElastiCache::*: caches, of Redis too, are recorded; nothing listens at their addresses",
    ]


def test_a_load_balancer_without_a_name_gets_a_lasting_address(pipelines: Pipelines) -> None:
    balancer = {
        "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "Properties": {"Subnets": ["subnet-0a1b2c3d", "subnet-1a1b2c3d"]},
    }
    template = {
        "Resources": {"Balancer": balancer},
        "Outputs": {"Address": {"Value": {"Fn::GetAtt": ["Balancer", "DNSName"]}}},
    }
    address = pipelines.stack("unnamed", template)["Outputs"][0]["OutputValue"]
    (found,) = pipelines.aws("elbv2").describe_load_balancers()["LoadBalancers"]
    balancer["Properties"]["Tags"] = [{"Key": "a", "Value": "b"}]

    assert address == found["DNSName"]
    assert address.partition(":")[0] == f"{found['LoadBalancerName']}.alb.localhost"
    assert pipelines.stack("unnamed", template)["Outputs"][0]["OutputValue"] == address


def test_the_resources_of_the_how_to_deploy_and_their_policy_takes_effect(
    pipelines: Pipelines, sandbox: lifecycle.Sandbox
) -> None:
    """A policy of one role: put on it, changed, renamed and taken away."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-resource.md"
    block = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)[0]
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
        "Action": "sts:AssumeRole",
    }
    child = {
        "Resources": {
            "TaskRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}},
            }
        },
        "Outputs": {
            "TaskRoleName": {"Value": {"Ref": "TaskRole"}},
            "TaskRoleArn": {"Value": {"Fn::GetAtt": ["TaskRole", "Arn"]}},
        },
    }
    pipelines.s3.put_object(Bucket=BUCKET, Key="child.yml", Body=json.dumps(child))
    nested_stack = json.dumps(nested(f"https://{BUCKET}.s3.amazonaws.com/child.yml"))
    outputs = (
        "{Role: {Value: !GetAtt StackPython.Outputs.TaskRoleName}, "
        "Arn: {Value: !GetAtt StackPython.Outputs.TaskRoleArn}, Bucket: {Value: !Ref ReportsBucket}}"
    )

    def deploy(resources: str, change: Any) -> dict[str, str]:
        body = f"Resources:\n  StackPython: {nested_stack}\n\n{resources}\nOutputs: {outputs}\n"
        change(StackName="page", TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        stack = wait_for(lambda: pipelines.settled("page"), "the stack")
        assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        return {entry["OutputKey"]: entry["OutputValue"] for entry in stack["Outputs"]}

    def names() -> list[str]:
        return pipelines.aws("iam").list_role_policies(RoleName=made["Role"])["PolicyNames"]

    made = deploy(block, pipelines.stacks.create_stack)
    session = pipelines.aws("sts").assume_role(RoleArn=made["Arn"], RoleSessionName="task")["Credentials"]
    task = boto3.client(
        "s3",
        endpoint_url=sandbox.endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    task.put_object(Bucket=made["Bucket"], Key="report", Body=b"one")

    deploy(block.replace("s3:PutObject", "s3:DeleteObject"), pipelines.stacks.update_stack)
    with pytest.raises(ClientError, match="not authorized to perform: s3:PutObject"):
        task.put_object(Bucket=made["Bucket"], Key="report", Body=b"two")
    assert names() == ["reports"]
    deploy(block.replace("PolicyName: reports", "PolicyName: renamed"), pipelines.stacks.update_stack)
    task.put_object(Bucket=made["Bucket"], Key="report", Body=b"three")
    assert names() == ["renamed"]

    deploy(block.partition("  ReportsPolicy:")[0], pipelines.stacks.update_stack)
    assert names() == []
    with pytest.raises(ClientError, match="not authorized to perform: s3:GetObject"):
        task.get_object(Bucket=made["Bucket"], Key="report")
