"""What a resource cannot be made without, by the schemas of the installed cfn-lint."""

from __future__ import annotations

import pytest

from sink_host.templates import resource_schemas
from sink_host.templates.creating_actions import creating_actions, resource_pattern

REGION = "eu-west-1"

TYPES = {
    # One action that is called like the type, of a service that is called like its first part.
    "SQS::Queue": ["sqs:CreateQueue"],
    "SNS::Topic": ["sns:CreateTopic"],
    "S3::Bucket": ["s3:CreateBucket", "s3:CreateBucketMetadataTableConfiguration"],
    "Lambda::Function": ["lambda:CreateFunction"],
    "Kinesis::Stream": ["kinesis:CreateStream"],
    "KMS::Key": ["kms:CreateKey"],
    "EC2::SecurityGroup": ["ec2:CreateSecurityGroup"],
    "Logs::LogGroup": ["logs:CreateLogGroup"],
    "SecretsManager::Secret": ["secretsmanager:CreateSecret"],
    "IAM::Role": ["iam:CreateRole"],
    "ElastiCache::ReplicationGroup": ["elasticache:CreateReplicationGroup"],
    "ECS::Cluster": ["ecs:CreateCluster"],
    # Of a service with another name.
    "OpenSearchService::Domain": ["es:CreateDomain"],
    "StepFunctions::StateMachine": ["states:CreateStateMachine"],
    "EFS::AccessPoint": ["elasticfilesystem:CreateAccessPoint"],
    "EFS::MountTarget": ["elasticfilesystem:CreateMountTarget"],
    "CertificateManager::Certificate": ["acm:RequestCertificate"],
    "Cognito::UserPool": ["cognito-idp:CreateUserPool"],
    # Called in another way.
    "IAM::ManagedPolicy": ["iam:CreatePolicy"],
    "ElasticLoadBalancingV2::ListenerRule": ["elasticloadbalancing:CreateRule"],
    "Lambda::Url": ["lambda:CreateFunctionUrlConfig"],
    # Begun by another verb.
    "SNS::Subscription": ["sns:Subscribe"],
    "S3::BucketPolicy": ["s3:PutBucketPolicy"],
    "SQS::QueuePolicy": ["sqs:SetQueueAttributes"],
    "SSM::Parameter": ["ssm:PutParameter"],
    "CloudWatch::Alarm": ["cloudwatch:PutMetricAlarm"],
    "Route53::RecordSet": ["route53:ChangeResourceRecordSets"],
    "EC2::SecurityGroupIngress": ["ec2:AuthorizeSecurityGroupIngress"],
    "IAM::RolePolicy": ["iam:PutRolePolicy"],
    "ECS::TaskDefinition": ["ecs:RegisterTaskDefinition"],
    "Lambda::Permission": ["lambda:AddPermission"],
    "SecretsManager::SecretTargetAttachment": ["secretsmanager:PutSecretValue"],
    # Made by any of several, by what its properties say.
    "IAM::Policy": ["iam:PutUserPolicy", "iam:PutRolePolicy", "iam:PutGroupPolicy"],
    "DynamoDB::Table": ["dynamodb:CreateTable", "dynamodb:CreateTableReplica", "dynamodb:ImportTable"],
    "RDS::DBInstance": [
        "rds:CreateDBInstance",
        "rds:CreateDBInstanceReadReplica",
        "rds:AddRoleToDBInstance",
        "rds:RestoreDBInstanceFromDBSnapshot",
        "rds:RestoreDBInstanceToPointInTime",
    ],
    "Events::Rule": ["events:PutRule", "events:PutTargets"],
    "ApplicationAutoScaling::ScalableTarget": [
        "application-autoscaling:RegisterScalableTarget",
        "application-autoscaling:PutScheduledAction",
    ],
    "MediaConnect::FlowSource": ["mediaconnect:CreateFlow", "mediaconnect:AddFlowSources"],
    "EC2::EIP": ["ec2:AllocateAddress", "ec2:AcceptAddressTransfer", "ec2:AssociateAddress"],
    # API Gateway authorizes by HTTP's verbs, not by the kind of thing.
    "ApiGateway::RestApi": [
        "apigateway:POST",
        "apigateway:PUT",
        "apigateway:PATCH",
        "apigateway:UpdateRestApiPolicy",
    ],
    "ApiGatewayV2::DomainName": ["apigateway:POST", "apigateway:PUT", "apigateway:AddCertificateToDomain"],
    # Nobody can tell: no handlers, an action that IAM does not know, an unknown type.
    "CodeBuild::Project": [],
    "IAM::AccessKey": [],
    "CloudFormation::WaitConditionHandle": [],
    "EMR::WALWorkspace": [],
    "No::Such": [],
}


@pytest.mark.parametrize("kind", TYPES)
def test_what_a_type_cannot_be_made_without(kind: str) -> None:
    assert list(creating_actions(f"AWS::{kind}", REGION)) == TYPES[kind]


@pytest.mark.parametrize("kind", ["Custom::Thing", "Odd", "", "Org::Service::Thing::MODULE"])
def test_what_is_no_type_of_aws_takes_nothing_that_is_known(kind: str) -> None:
    assert creating_actions(kind, REGION) == ()


def test_a_region_that_is_not_listed_has_the_types_of_the_oldest() -> None:
    assert creating_actions("AWS::SQS::Queue", "xx-nowhere-1") == ("sqs:CreateQueue",)


def test_without_cfn_lint_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource_schemas, "find_spec", lambda _name: None)
    # What was read before is kept by type and region.
    assert creating_actions.__wrapped__("AWS::SQS::Queue", "xx-nowhere-2") == ()


@pytest.mark.parametrize(
    ("action", "pattern"),
    [
        ("sqs:CreateQueue", "arn:aws:sqs:eu-west-1:123456789012:*"),
        ("dynamodb:CreateTable", "arn:aws:dynamodb:eu-west-1:123456789012:table/*"),
        ("ec2:AllocateAddress", "*"),  # of several kinds
        ("kms:CreateKey", "*"),  # of none
        ("no:SuchAction", "*"),
    ],
)
def test_what_an_action_is_authorized_on(action: str, pattern: str) -> None:
    assert resource_pattern(action, REGION, "123456789012") == pattern
