"""Where StackRole differs from what the schemas of the resource types name, and why."""

from __future__ import annotations

from dataclasses import dataclass

NESTED = "AWS::CloudFormation::Stack"
"""What an app's own template adds: the platform's, nested."""


class Unset:
    """Needed only where one of these properties is set, which the template does not."""

    def __init__(self, *properties: str) -> None:
        self.properties = properties


@dataclass(frozen=True)
class Fixed:
    """Needed only where a property has another value than the template's."""

    name: str
    value: str


NOT_NEEDED: dict[str, dict[Unset | Fixed | str, str]] = {
    NESTED: {
        "the type has no property for it, and a nested stack has neither": (
            "cloudformation:SetStackPolicy cloudformation:UpdateTerminationProtection"
        ),
    },
    "AWS::ApplicationAutoScaling::ScalableTarget": {
        Unset("RoleARN"): "iam:PassRole",
        Unset("ScheduledActions"): (
            "application-autoscaling:DeleteScheduledAction application-autoscaling:PutScheduledAction"
        ),
        Fixed("ServiceNamespace", "ecs"): (
            "lambda:DeleteProvisionedConcurrencyConfig lambda:GetProvisionedConcurrencyConfig "
            "lambda:PutProvisionedConcurrencyConfig"
        ),
    },
    "AWS::ApplicationAutoScaling::ScalingPolicy": {
        Fixed("PolicyType", "TargetTrackingScaling"): "cloudwatch:GetMetricData",
    },
    "AWS::ECS::Cluster": {
        Unset("Configuration"): "kms:DescribeKey",
        Unset("CapacityProviders", "DefaultCapacityProviderStrategy"): "ecs:PutClusterCapacityProviders",
        "settings of the whole account are no app's to change": (
            "ecs:PutAccountSetting ecs:PutAccountSettingDefault"
        ),
    },
    "AWS::ECS::Service": {
        Unset("Role", "VolumeConfigurations"): "iam:PassRole",
    },
    "AWS::EFS::FileSystem": {
        Unset("FileSystemProtection"): "elasticfilesystem:UpdateFileSystemProtection",
        # The service's own key takes whoever may use the service
        # (https://docs.aws.amazon.com/efs/latest/ug/encryption-at-rest.html).
        Unset("KmsKeyId"): "kms:CreateGrant kms:DescribeKey kms:GenerateDataKeyWithoutPlaintext",
        Unset("ReplicationConfiguration"): (
            "elasticfilesystem:CreateReplicationConfiguration "
            "elasticfilesystem:DeleteReplicationConfiguration iam:PassRole"
        ),
        "UntagResource took its place (https://docs.aws.amazon.com/efs/latest/ug/API_DeleteTags.html)": (
            "elasticfilesystem:DeleteTags"
        ),
    },
    "AWS::ElasticLoadBalancingV2::Listener": {
        "no listener signs people in with Cognito": "cognito-idp:DescribeUserPoolClient",
    },
    "AWS::ElasticLoadBalancingV2::ListenerRule": {
        "no rule signs people in with Cognito": "cognito-idp:DescribeUserPoolClient",
    },
    "AWS::ElasticLoadBalancingV2::LoadBalancer": {
        Unset("IpAddressType"): "elasticloadbalancing:SetIpAddressType",
        Unset("Ipv4IpamPoolId"): "ec2:DescribeIpamPools elasticloadbalancing:ModifyIpPools",
        Unset("MinimumLoadBalancerCapacity"): "elasticloadbalancing:ModifyCapacityReservation",
    },
    "AWS::ElasticLoadBalancingV2::TargetGroup": {
        Unset("Targets"): "elasticloadbalancing:DeregisterTargets elasticloadbalancing:RegisterTargets",
    },
    "AWS::IAM::Role": {
        "a role never loses its boundary; test_least_privilege holds that": (
            "iam:DeleteRolePermissionsBoundary"
        ),
    },
    "AWS::Logs::LogGroup": {
        Unset("BearerTokenAuthenticationEnabled"): "logs:PutBearerTokenAuthentication",
        Unset("DataProtectionPolicy"): "logs:PutDataProtectionPolicy",
        Unset("DeletionProtectionEnabled"): "logs:PutLogGroupDeletionProtection",
        Unset("FieldIndexPolicies"): "logs:DeleteIndexPolicy logs:PutIndexPolicy",
        Unset("KmsKeyId"): "logs:AssociateKmsKey logs:DisassociateKmsKey",
        Unset("LogGroupClass"): "firehose:TagDeliveryStream logs:CreateLogDelivery",
        Unset("ResourcePolicyDocument"): "logs:DeleteResourcePolicy logs:PutResourcePolicy",
        "IAM has no such action": "s3:REST.PUT.OBJECT",
    },
    "AWS::RDS::DBInstance": {
        Unset("AssociatedRoles", "MonitoringRoleArn", "DomainIAMRoleName"): (
            "iam:GetRole iam:ListRoles iam:PassRole rds:AddRoleToDBInstance rds:RemoveRoleFromDBInstance"
        ),
        Unset("AutomaticBackupReplicationRegion", "SourceDBInstanceAutomatedBackupsArn"): (
            "rds:DescribeDBInstanceAutomatedBackups rds:StartDBInstanceAutomatedBackupsReplication "
            "rds:StopDBInstanceAutomatedBackupsReplication"
        ),
        Unset("DBClusterIdentifier", "SourceDBClusterIdentifier"): "rds:DescribeDBClusters",
        Unset("DBClusterSnapshotIdentifier"): "rds:DescribeDBClusterSnapshots",
        Unset("KmsKeyId"): "kms:CreateGrant kms:DescribeKey",
        Unset("ManageMasterUserPassword"): "secretsmanager:CreateSecret secretsmanager:TagResource",
        Unset("RestoreTime", "UseLatestRestorableTime"): "rds:RestoreDBInstanceToPointInTime",
        Unset("SourceDBInstanceIdentifier"): "rds:CreateDBInstanceReadReplica rds:PromoteReadReplica",
    },
    "AWS::SecretsManager::Secret": {
        Unset("ReplicaRegions"): (
            "secretsmanager:RemoveRegionsFromReplication secretsmanager:ReplicateSecretToRegions"
        ),
    },
    "AWS::SecretsManager::SecretTargetAttachment": {
        Fixed("TargetType", "AWS::RDS::DBInstance"): (
            "docdb-elastic:GetCluster rds:DescribeDBClusters redshift-serverless:GetNamespace "
            "redshift-serverless:ListWorkgroups redshift:DescribeClusters"
        ),
    },
}
"""Permissions that a type's schema names and StackRole need not have: why, and which."""

STACK_TAGS = "a nested stack gets the tags of the one above; TagStack in the template says what is known"
INTERFACES = "https://docs.aws.amazon.com/efs/latest/ug/API_CreateMountTarget.html and its siblings name them"

BEYOND_SCHEMAS = {
    ("ReadTemplates", "s3:GetObject"): (
        "TemplateURL of a nested stack is read under the role "
        "(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html)"
    ),
    ("ReadExports", "cloudformation:ListExports"): (
        "Fn::ImportValue "
        "(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-importvalue.html)"
    ),
    ("UseTransforms", "cloudformation:CreateChangeSet"): (
        "of an app's own template; asked for on each transform (aws/serverless-application-model#179)"
    ),
    ("NestStacks", "cloudformation:DescribeStackEvents"): (
        "reads of its own nested stacks; no page says with which of them CloudFormation follows one"
    ),
    ("NestStacks", "cloudformation:DescribeStackResources"): "as DescribeStackEvents",
    ("TagNestedStacks", "cloudformation:TagResource"): STACK_TAGS,
    ("TagNestedStacks", "cloudformation:UntagResource"): STACK_TAGS,
    ("MakeMountTargets", "ec2:CreateNetworkInterface"): INTERFACES,
    ("MakeMountTargets", "ec2:DeleteNetworkInterface"): INTERFACES,
    ("MakeMountTargets", "ec2:ModifyNetworkInterfaceAttribute"): INTERFACES,
    ("LookAtResources", "ec2:DescribeNetworkInterfaces"): INTERFACES,
    ("RestoreDatabase", "rds:RestoreDBInstanceFromDBSnapshot"): (
        "RDSSnapshotIdentifier names a backup of RDS's own, or a snapshot that somebody made"
    ),
}
"""Permissions that StackRole has and no schema names, by Sid and action: why."""
