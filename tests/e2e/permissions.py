"""What the roles of a delivery may do, as deployed, against what the sandbox saw them do.

StackRole is not among them: of CloudFormation's work only refusals are seen under it, so its policies are
evaluated (``tests/stacks/test_stack_role.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.stacks.policies import allows, as_list, request
from the_sink.naming import Names

ROLES = ("PipelineRole", "BuildRole", "EventRole", "ExecutionRole", "TaskRole")

Permission = tuple[str, str, str]
"""Role by its logical id, Sid, and an action, or a resource by its place: ``Resource 2``."""

S3_SOURCE = "https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-S3.html names it"
PIPELINES = (
    "https://docs.aws.amazon.com/codepipeline/latest/userguide/how-to-custom-role.html: CodePipeline reads "
    "and writes artifacts by itself, the sandbox by its own calls"
)
BUILDS = (
    "https://docs.aws.amazon.com/codebuild/latest/userguide/setting-up-service-role.html: CodeBuild fetches "
    "and stores artifacts by itself, the sandbox by its own calls"
)
STACK_TAGS = "beside the statement stands where AWS has it; the sandbox asks for CreateStack alone"
LAYERS = "what this machine has pushed it need not pull; a fresh build host of AWS has no layer"
GROUPS = (
    "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html has a "
    "group without its streams; the sandbox names a stream of it"
)
IN_SHELL = "for buildspecs that take over by the tag, as those of version 1 do"
ORIGIN = "for an image that the ledger does not name: whether it came from the environment before"
EXEC = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html; the sandbox has no agent"

UNPLAYED: dict[Permission, str] = {
    ("PipelineRole", "ReadArchive", "s3:GetObjectTagging"): S3_SOURCE,
    ("PipelineRole", "ReadArchive", "s3:GetObjectVersionTagging"): S3_SOURCE,
    ("PipelineRole", "ReadArchiveBucket", "s3:GetBucketAcl"): S3_SOURCE,
    ("PipelineRole", "ReadArchiveBucket", "s3:GetBucketLocation"): S3_SOURCE,
    ("PipelineRole", "ExchangeArtifacts", "s3:GetObjectVersion"): PIPELINES,
    ("PipelineRole", "ReadArtifactBucket", "s3:GetBucketAcl"): PIPELINES,
    ("PipelineRole", "ReadArtifactBucket", "s3:GetBucketLocation"): PIPELINES,
    ("PipelineRole", "ReadArtifactBucket", "s3:GetBucketVersioning"): PIPELINES,
    ("PipelineRole", "DeployStack", "cloudformation:DescribeStackEvents"): (
        "for the message of a CloudFormation action that fails, which none of this walk does"
    ),
    ("PipelineRole", "DeployStack", "cloudformation:SetStackPolicy"): (
        "for a configuration file with a StackPolicy; beside the statement stands where AWS has it"
    ),
    ("PipelineRole", "TagStack", "cloudformation:TagResource"): STACK_TAGS,
    ("PipelineRole", "TagStack", "cloudformation:UntagResource"): STACK_TAGS,
    ("PipelineRole", "TagTaskDefinitions", "ecs:TagResource"): (
        "AWS gives a stack's tags to its task definition, which every revision keeps; the sandbox does not"
    ),
    ("PipelineRole", "LogCommands", "logs:CreateLogGroup"): (
        "https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Commands.html asks for it"
    ),
    ("PipelineRole", "LogCommands", "Resource 1"): GROUPS,
    ("BuildRole", "WriteLog", "Resource 1"): GROUPS,
    ("ExecutionRole", "WriteLog", "Resource 1"): GROUPS,
    ("BuildRole", "ExchangeArtifacts", "s3:GetObjectVersion"): BUILDS,
    ("BuildRole", "ReadArtifactBucket", "s3:GetBucketAcl"): BUILDS,
    ("BuildRole", "ReadArtifactBucket", "s3:GetBucketLocation"): BUILDS,
    ("BuildRole", "PullRuntime", "ecr:GetDownloadUrlForLayer"): LAYERS,
    ("BuildRole", "PushImage", "ecr:GetDownloadUrlForLayer"): LAYERS,
    ("BuildRole", "TakeOverPromotedImage", "ecr:GetDownloadUrlForLayer"): LAYERS,
    ("BuildRole", "TakeOverPromotedImage", "ecr:DescribeImages"): IN_SHELL,
    ("PipelineRole", "ReadPromotedImages", "ecr:DescribeImages"): ORIGIN,
    ("PipelineRole", "ReadPromotedImages", "ecr:BatchGetImage"): ORIGIN,
    ("BuildRole", "ReadLedger", "Resource 2"): (
        "for an image that was admitted and never released, which none of this walk deploys again"
    ),
    ("TaskRole", "OpenShells", "ssmmessages:CreateControlChannel"): EXEC,
    ("TaskRole", "OpenShells", "ssmmessages:CreateDataChannel"): EXEC,
    ("TaskRole", "OpenShells", "ssmmessages:OpenControlChannel"): EXEC,
    ("TaskRole", "OpenShells", "ssmmessages:OpenDataChannel"): EXEC,
}
"""Permissions that no action of the walk uses, and why a role has them all the same."""

WHERE_LAYERS_ARE_PACKED_ANEW: frozenset[Permission] = frozenset(
    {
        ("PipelineRole", "ReadPromotedImages", "ecr:DescribeImages"),
        ("PipelineRole", "ReadPromotedImages", "ecr:BatchGetImage"),
        ("BuildRole", "TakeOverPromotedImage", "ecr:DescribeImages"),
        ("BuildRole", "ReadLedger", "Resource 2"),
    }
)
"""Those that an engine's push may bring into use: it changes a digest, which is then not the ledger's."""


def roles_of(client: Callable[[str], Any], stack: str) -> Iterator[tuple[str, str]]:
    """(logical id, name) of the roles of a stack and of those nested in it."""
    resources = client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    for each in resources:
        if each["ResourceType"] == "AWS::IAM::Role" and each["LogicalResourceId"] in ROLES:
            yield each["LogicalResourceId"], each["PhysicalResourceId"]
        if each["ResourceType"] == "AWS::CloudFormation::Stack":
            yield from roles_of(client, each["PhysicalResourceId"])


def allowing(client: Callable[[str], Any], role: str) -> list[dict[str, Any]]:
    """The statements of a role's inline policies that allow something, as IAM has them."""
    iam = client("iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    statements = [statement for document in documents for statement in document["Statement"]]
    return [statement for statement in statements if statement["Effect"] == "Allow"]


def split(statement: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a statement allows, apart, by action and by resource; whatever its condition is, it was met."""
    free = {key: value for key, value in statement.items() if key != "Condition"}
    for action in as_list(statement["Action"]):
        yield action, {**free, "Action": action}
    resources = as_list(statement["Resource"])
    for place, resource in enumerate(resources, 1):
        if len(resources) > 1:
            yield f"Resource {place}", {**free, "Resource": resource}


def find_unused(
    client: Callable[[str], Any], app: str, envs: Iterable[str], accesses: list[dict[str, Any]]
) -> tuple[set[Permission], set[Permission]]:
    """Return the permissions that the roles of all these environments have and, of them, those not used.

    What is used in one environment is used.
    """
    everything: set[Permission] = set()
    used: set[Permission] = set()
    for names in (Names(app, env) for env in envs):
        for stack in (names.pipeline_stack, names.app_stack):
            for logical_id, role in roles_of(client, stack):
                asked = [
                    request(access["action"], access["resource"])
                    for access in accesses
                    if access["allowed"] and access["role"].rpartition("/")[2] == role
                ]
                for statement in allowing(client, role):
                    for part, alone in split(statement):
                        permission = (logical_id, statement["Sid"], part)
                        everything.add(permission)
                        if any(allows([alone], one) for one in asked):
                            used.add(permission)
    return everything, everything - used
