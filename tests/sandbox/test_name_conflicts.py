"""A resource whose name exists fails its creation, and no stack removes what it did not make."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from ministack.services.cloudformation import provisioners

from sink_sandbox.services.cloudformation.patch import name_conflicts

from .helpers import EVERYTHING, Pipelines, wait_for
from .templates import nested

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
Aws = Callable[[str], Any]


@dataclass(frozen=True)
class Case:
    """A thing with a name that is made by hand, and the resource that would take it over."""

    kind: str
    make: Callable[[Aws], Any]
    properties: dict[str, Any]
    exists: Callable[[Aws], Any]
    """Something true while what was made by hand is there as it was."""


CASES = [
    Case(
        "AWS::ECR::Repository",
        lambda aws: aws("ecr").create_repository(
            repositoryName="mine", tags=[{"Key": "by", "Value": "hand"}]
        ),
        {"RepositoryName": "mine"},
        lambda aws: (
            aws("ecr").list_tags_for_resource(
                resourceArn=aws("ecr").describe_repositories()["repositories"][0]["repositoryArn"]
            )["tags"]
            == [{"Key": "by", "Value": "hand"}]
        ),
    ),
    Case(
        "AWS::IAM::Role",
        lambda aws: aws("iam").create_role(
            RoleName="mine", AssumeRolePolicyDocument=json.dumps(TRUST), Description="by hand"
        ),
        {"RoleName": "mine", "AssumeRolePolicyDocument": TRUST},
        lambda aws: aws("iam").get_role(RoleName="mine")["Role"]["Description"] == "by hand",
    ),
    Case(
        "AWS::IAM::ManagedPolicy",
        lambda aws: aws("iam").create_policy(
            PolicyName="mine", PolicyDocument=json.dumps(EVERYTHING), Description="by hand"
        ),
        {"ManagedPolicyName": "mine", "PolicyDocument": EVERYTHING},
        lambda aws: (
            [p["PolicyName"] for p in aws("iam").list_policies(Scope="Local")["Policies"]] == ["mine"]
        ),
    ),
    Case(
        "AWS::SQS::Queue",
        lambda aws: aws("sqs").create_queue(QueueName="mine", Attributes={"VisibilityTimeout": "77"}),
        {"QueueName": "mine"},
        lambda aws: (
            aws("sqs").get_queue_attributes(
                QueueUrl=aws("sqs").get_queue_url(QueueName="mine")["QueueUrl"], AttributeNames=["All"]
            )["Attributes"]["VisibilityTimeout"]
            == "77"
        ),
    ),
    Case(
        "AWS::SNS::Topic",
        lambda aws: aws("sns").create_topic(Name="mine"),
        {"TopicName": "mine"},
        lambda aws: aws("sns").list_topics()["Topics"],
    ),
    Case(
        "AWS::ECS::Cluster",
        lambda aws: aws("ecs").create_cluster(clusterName="mine"),
        {"ClusterName": "mine"},
        lambda aws: aws("ecs").describe_clusters(clusters=["mine"])["clusters"][0]["status"] == "ACTIVE",
    ),
    Case(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        lambda aws: aws("elbv2").create_load_balancer(
            Name="mine", Subnets=["subnet-0a1b2c3d", "subnet-1a1b2c3d"]
        ),
        {"Name": "mine", "Subnets": ["subnet-0a1b2c3d", "subnet-1a1b2c3d"]},
        lambda aws: len(aws("elbv2").describe_load_balancers(Names=["mine"])["LoadBalancers"]) == 1,
    ),
    Case(
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        lambda aws: aws("elbv2").create_target_group(Name="mine", Protocol="HTTP", Port=81),
        {"Name": "mine", "Protocol": "HTTP", "Port": 80, "VpcId": "vpc-12345678"},
        lambda aws: [g["Port"] for g in aws("elbv2").describe_target_groups()["TargetGroups"]] == [81],
    ),
    Case(
        "AWS::Events::Rule",
        lambda aws: aws("events").put_rule(Name="mine", ScheduleExpression="rate(7 days)"),
        {"Name": "mine", "ScheduleExpression": "rate(1 day)"},
        lambda aws: aws("events").describe_rule(Name="mine")["ScheduleExpression"] == "rate(7 days)",
    ),
    Case(
        "AWS::CloudWatch::Alarm",
        lambda aws: aws("cloudwatch").put_metric_alarm(
            AlarmName="mine",
            MetricName="m",
            Namespace="n",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=7,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        ),
        {
            "AlarmName": "mine",
            "MetricName": "m",
            "Namespace": "n",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanThreshold",
        },
        lambda aws: aws("cloudwatch").describe_alarms()["MetricAlarms"][0]["EvaluationPeriods"] == 7,
    ),
    Case(
        "AWS::DynamoDB::Table",
        lambda aws: aws("dynamodb").create_table(
            TableName="mine",
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        ),
        {
            "TableName": "mine",
            "KeySchema": [{"AttributeName": "other", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "other", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
        lambda aws: (
            aws("dynamodb").describe_table(TableName="mine")["Table"]["KeySchema"][0]["AttributeName"] == "k"
        ),
    ),
    Case(
        "AWS::EC2::SecurityGroup",
        lambda aws: aws("ec2").create_security_group(GroupName="mine", Description="by hand"),
        {"GroupName": "mine", "GroupDescription": "by the stack"},
        lambda aws: (
            [
                group["Description"]
                for group in aws("ec2").describe_security_groups()["SecurityGroups"]
                if group["GroupName"] == "mine"
            ]
            == ["by hand"]
        ),
    ),
    Case(
        "AWS::Logs::LogGroup",
        lambda aws: aws("logs").create_log_group(logGroupName="/mine", tags={"by": "hand"}),
        {"LogGroupName": "/mine"},
        lambda aws: [g["logGroupName"] for g in aws("logs").describe_log_groups()["logGroups"]] == ["/mine"],
    ),
    Case(
        "AWS::SSM::Parameter",
        lambda aws: aws("ssm").put_parameter(Name="/mine", Value="by hand", Type="String"),
        {"Name": "/mine", "Value": "by the stack", "Type": "String"},
        lambda aws: aws("ssm").get_parameter(Name="/mine")["Parameter"]["Value"] == "by hand",
    ),
    Case(
        "AWS::SecretsManager::Secret",
        lambda aws: aws("secretsmanager").create_secret(Name="mine", SecretString="by hand"),
        {"Name": "mine", "SecretString": "by the stack"},
        lambda aws: aws("secretsmanager").get_secret_value(SecretId="mine")["SecretString"] == "by hand",
    ),
    Case(
        "AWS::CodeBuild::Project",
        lambda aws: aws("codebuild").create_project(
            name="mine",
            description="by hand",
            serviceRole="arn:aws:iam::000000000000:role/any",
            source={"type": "NO_SOURCE", "buildspec": "version: 0.2"},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "computeType": "BUILD_GENERAL1_SMALL", "image": "i"},
        ),
        {
            "Name": "mine",
            "ServiceRole": "arn:aws:iam::000000000000:role/any",
            "Source": {"Type": "NO_SOURCE", "BuildSpec": "version: 0.2"},
            "Artifacts": {"Type": "NO_ARTIFACTS"},
            "Environment": {"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL", "Image": "i"},
        },
        lambda aws: (
            aws("codebuild").batch_get_projects(names=["mine"])["projects"][0]["description"] == "by hand"
        ),
    ),
    Case(
        "AWS::Events::EventBus",
        lambda aws: aws("events").create_event_bus(Name="mine"),
        {"Name": "mine"},
        lambda aws: aws("events").describe_event_bus(Name="mine")["Name"] == "mine",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.kind for case in CASES])
def test_what_was_made_by_hand_is_not_taken_over(pipelines: Pipelines, case: Case) -> None:
    case.make(pipelines.aws)
    assert case.exists(pipelines.aws)

    stack = pipelines.stack(
        "taker",
        {"Resources": {"Thing": {"Type": case.kind, "Properties": case.properties}}},
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )

    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "already exists" in reason(pipelines, "taker")
    pipelines.stacks.delete_stack(StackName="taker")
    wait_for(
        lambda: not any(s["StackName"] == "taker" for s in pipelines.stacks.describe_stacks()["Stacks"]),
        "the deletion",
    )
    assert case.exists(pipelines.aws)


def reason(pipelines: Pipelines, stack: str) -> str:
    events = pipelines.stacks.describe_stack_events(StackName=stack)["StackEvents"]
    (failed,) = [event for event in events if event["ResourceStatus"] in ("CREATE_FAILED", "UPDATE_FAILED")]
    return str(failed["ResourceStatusReason"])


def queue(name: str, **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name, **more}}


def test_the_words_are_those_of_cloudformation(pipelines: Pipelines) -> None:
    pipelines.aws("ecr").create_repository(repositoryName="mine")
    pipelines.stack("owner", {"Resources": {"Queue": queue("shared")}})

    pipelines.stack(
        "first",
        {"Resources": {"R": {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": "mine"}}}},
    )
    pipelines.stack("second", {"Resources": {"Other": queue("shared")}})

    owner = pipelines.settled("owner")
    assert owner is not None
    assert reason(pipelines, "first") == (
        "Resource handler returned message: \"Resource of type 'AWS::ECR::Repository' with identifier 'mine' "
        'already exists." (HandlerErrorCode: AlreadyExists)'
    )
    assert reason(pipelines, "second").endswith(f"/shared already exists in stack {owner['StackId']}")


def test_a_bucket_that_exists_is_refused_before_anything_is_made(pipelines: Pipelines) -> None:
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "sources"}}

    stack = pipelines.stack("taker", {"Resources": {"Bucket": bucket, "Queue": queue("new")}})

    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    events = pipelines.stacks.describe_events(StackName="taker")["OperationEvents"]
    told = [event["ValidationStatusReason"] for event in events if event.get("ValidationStatusReason")]
    assert told == ["Resource of type 'AWS::S3::Bucket' with identifier 'sources' already exists."]
    assert pipelines.s3.get_bucket_versioning(Bucket="sources")["Status"] == "Enabled"
    assert not pipelines.aws("sqs").list_queues().get("QueueUrls")


def test_a_rename_onto_what_exists_is_refused_and_goes_back(pipelines: Pipelines) -> None:
    sqs = pipelines.aws("sqs")
    pipelines.stack("renamer", {"Resources": {"Queue": queue("before")}})
    url = sqs.create_queue(QueueName="mine", Attributes={"VisibilityTimeout": "77"})["QueueUrl"]

    stack = pipelines.stack("renamer", {"Resources": {"Queue": queue("mine", VisibilityTimeout=5)}})

    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "already exists" in reason(pipelines, "renamer")
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert attributes == {"VisibilityTimeout": "77"}
    assert sqs.get_queue_url(QueueName="before")["QueueUrl"]


def test_what_is_new_in_a_nested_stack_takes_nothing_over(pipelines: Pipelines) -> None:
    def child(**resources: Any) -> dict[str, Any]:
        body = json.dumps({"Resources": resources})
        pipelines.s3.put_object(Bucket="sources", Key="child.json", Body=body.encode())
        return {"Resources": {"Child": nested("https://sources.s3.amazonaws.com/child.json")}}

    pipelines.stack("outer", child(First=queue("first")))
    sqs = pipelines.aws("sqs")
    url = sqs.create_queue(QueueName="mine", Attributes={"VisibilityTimeout": "77"})["QueueUrl"]

    stack = pipelines.stack("outer", child(First=queue("first"), Second=queue("mine", VisibilityTimeout=5)))

    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert attributes == {"VisibilityTimeout": "77"}


def test_a_name_that_cloudformation_chooses_is_nobodys(pipelines: Pipelines) -> None:
    sqs = pipelines.aws("sqs")

    def template(timeout: int) -> dict[str, Any]:
        kept = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": timeout}}
        return {"Resources": {"Queue": {**kept, "DeletionPolicy": "Retain"}}}

    pipelines.stack("owner", template(77))
    pipelines.stacks.delete_stack(StackName="owner")
    wait_for(lambda: not pipelines.stacks.describe_stacks()["Stacks"], "the deletion")
    (retained,) = sqs.list_queues()["QueueUrls"]

    pipelines.stack("owner", template(5))
    assert pipelines.stack("owner", template(6))["StackStatus"] == "UPDATE_COMPLETE"

    (made,) = set(sqs.list_queues()["QueueUrls"]) - {retained}
    for url, timeout in ((retained, "77"), (made, "6")):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        assert attributes["Attributes"] == {"VisibilityTimeout": timeout}


def test_a_name_that_is_free_again_can_be_taken(pipelines: Pipelines) -> None:
    cluster = {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": "again"}}
    for _ in range(2):
        assert pipelines.stack("again", {"Resources": {"C": cluster}})["StackStatus"] == "CREATE_COMPLETE"
        pipelines.stacks.delete_stack(StackName="again")
        wait_for(
            lambda: not any(s["StackName"] == "again" for s in pipelines.stacks.describe_stacks()["Stacks"]),
            "the deletion",
        )


def test_a_stack_updates_what_it_made(pipelines: Pipelines) -> None:
    pipelines.stack("own", {"Resources": {"Queue": queue("mine", VisibilityTimeout=5)}})

    stack = pipelines.stack("own", {"Resources": {"Queue": queue("mine", VisibilityTimeout=6)}})

    assert stack["StackStatus"] == "UPDATE_COMPLETE"


KEPT_OTHERWISE = {
    "AWS::ApiGateway::DocumentationVersion",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Stage",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::Cognito::IdentityPoolPrincipalTag",
    "AWS::Cognito::UserPoolDomain",
    "AWS::Cognito::UserPoolGroup",
    "AWS::Cognito::UserPoolResourceServer",
    "AWS::DocDB::DBClusterParameterGroup",
    "AWS::DocDB::DBSubnetGroup",
    "AWS::IoT::PolicyPrincipalAttachment",
    "AWS::IoT::ThingPrincipalAttachment",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Logs::LogStream",
    "AWS::Logs::SubscriptionFilter",
    "AWS::Route53::RecordSet",
    "AWS::S3ObjectLambda::AccessPoint",
    "AWS::S3ObjectLambda::AccessPointPolicy",
    "AWS::Signer::ProfilePermission",
}
"""Types whose records the emulator keeps inside others': what other stacks have is compared, no more."""


def test_every_type_with_a_name_of_its_own_is_looked_up_where_the_emulator_keeps_it() -> None:
    """So that a new version of the emulator that renames a store fails here."""
    named = {kind for kind in provisioners._RESOURCE_HANDLERS if name_conflicts._identifying(kind)}

    assert {kind for kind in named if name_conflicts.find_store(kind) is None} == KEPT_OTHERWISE
