"""CloudFormation makes under a role what the role may make, and fails as on AWS with what it may not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import sink_sandbox

from .helpers import BUCKET, Pipelines, make_role

ACCOUNT = "000000000000"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/maker/cloudformation"
QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "jobs"}}


def statement(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


def log(name: str = "/made", **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name, **more}}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


class Maker:
    """Stacks that are made under one role."""

    def __init__(self, aws: Callable[[str], Any], pipelines: Pipelines) -> None:
        self.iam, self.sqs, self.pipelines = aws("iam"), aws("sqs"), pipelines
        self.role = make_role(aws, "maker", document(statement("logs:*", "cloudformation:*")))

    def stack(self, resources: dict[str, Any], name: str = "made", **more: Any) -> str:
        """Create or update a stack; returns its status."""
        template = {"Resources": resources, **more}
        return str(self.pipelines.stack(name, template, RoleARN=self.role)["StackStatus"])

    def may(self, *statements: dict[str, Any]) -> None:
        """Let the role do this and nothing else."""
        policy = json.dumps(document(*statements))
        self.iam.put_role_policy(RoleName="maker", PolicyName="all", PolicyDocument=policy)

    def failures(self, stack: str = "made") -> dict[str, tuple[str, str]]:
        """Status and reason of what failed, by logical id."""
        events = self.pipelines.stacks.describe_stack_events(StackName=stack)["StackEvents"]
        return {
            event["LogicalResourceId"]: (event["ResourceStatus"], event["ResourceStatusReason"])
            for event in events
            if event["ResourceStatus"].endswith("_FAILED")
        }

    def queues(self) -> list[str]:
        """Names of the queues there are."""
        return [url.rpartition("/")[2] for url in self.sqs.list_queues().get("QueueUrls", [])]

    def logs(self) -> list[str]:
        groups = self.pipelines.aws("logs").describe_log_groups()["logGroups"]
        return [str(group["logGroupName"]) for group in groups]


@pytest.fixture
def maker(aws: Callable[[str], Any], pipelines: Pipelines) -> Maker:
    return Maker(aws, pipelines)


def denied(action: str = "sqs:CreateQueue", why: str = "", kind: str = "sqs") -> tuple[str, str]:
    """How a creation fails."""
    why = why or f"because no identity-based policy allows the {action} action"
    return "CREATE_FAILED", (
        f'Resource handler returned message: "User: {SESSION} is not authorized to perform: {action} on '
        f'resource: arn:aws:{kind}:eu-west-1:{ACCOUNT}:* {why}" (HandlerErrorCode: AccessDenied)'
    )


def test_a_creation_is_rolled_back_where_the_role_may_not_make_one_of_its_resources(maker: Maker) -> None:
    assert maker.stack({"Log": log(), "Jobs": {**QUEUE, "DependsOn": "Log"}}) == "ROLLBACK_COMPLETE"

    assert maker.failures() == {"Jobs": denied()}
    assert (maker.queues(), maker.logs()) == ([], [])
    assert [a for a in sink_sandbox.accesses("default") if a["role"] == maker.role and not a["allowed"]] == [
        {
            "role": maker.role,
            "action": "sqs:CreateQueue",
            "resource": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:*",
            "allowed": False,
        }
    ]


def test_an_update_is_rolled_back_to_what_there_was(maker: Maker) -> None:
    assert maker.stack({"Log": log()}) == "CREATE_COMPLETE"

    assert maker.stack({"Log": log(RetentionInDays=7), "Jobs": QUEUE}) == "UPDATE_ROLLBACK_COMPLETE"

    assert maker.failures() == {"Jobs": denied()}
    assert (maker.queues(), maker.logs()) == ([], ["/made"])


def passing(role: str, service: str = "cloudformation.amazonaws.com") -> dict[str, Any]:
    """A statement that lets a role be passed to a service."""
    condition = {"StringEquals": {"iam:PassedToService": service}}
    return {"Effect": "Allow", "Action": "iam:PassRole", "Resource": role, "Condition": condition}


def test_what_is_nested_is_made_under_the_same_role(maker: Maker) -> None:
    maker.may(statement("logs:*", "cloudformation:*"), passing(maker.role))
    url = f"https://{BUCKET}.s3.amazonaws.com/child.json"
    parent = {"Child": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}}

    def publish(**resources: Any) -> None:
        body = json.dumps({"Resources": resources})
        maker.pipelines.s3.put_object(Bucket=BUCKET, Key="child.json", Body=body)

    publish(Log=log())
    assert maker.stack(parent) == "CREATE_COMPLETE"
    publish(Log=log(), Jobs=QUEUE)
    assert maker.stack(parent) == "UPDATE_ROLLBACK_COMPLETE"

    resources = maker.pipelines.stacks.describe_stack_resources(StackName="made")["StackResources"]
    assert maker.failures(resources[0]["PhysicalResourceId"])["Jobs"] == denied()
    assert (maker.queues(), maker.logs()) == ([], ["/made"])


@pytest.mark.parametrize(
    ("role", "service"),
    [("other", "cloudformation.amazonaws.com"), ("maker", "ecs-tasks.amazonaws.com")],
)
def test_nothing_is_nested_under_a_role_that_may_not_pass_itself_on(
    maker: Maker, role: str, service: str
) -> None:
    maker.may(
        statement("logs:*", "cloudformation:*"), passing(maker.role.replace("maker", role), service=service)
    )
    body = json.dumps({"Resources": {"Log": log()}})
    maker.pipelines.s3.put_object(Bucket=BUCKET, Key="child.json", Body=body)
    url = f"https://{BUCKET}.s3.amazonaws.com/child.json"

    status = maker.stack(
        {"Child": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}}
    )

    assert (status, maker.logs()) == ("ROLLBACK_COMPLETE", [])
    assert maker.failures()["Child"] == (
        "CREATE_FAILED",
        f'Resource handler returned message: "User: {SESSION} is not authorized to perform: iam:PassRole on '
        f"resource: {maker.role} because no identity-based policy allows the iam:PassRole action"
        '" (HandlerErrorCode: AccessDenied)',
    )


def test_what_is_not_new_asks_for_nothing(maker: Maker) -> None:
    """A resource that its condition leaves out, one that stays, and one that changes in place."""
    maker.may(statement("logs:CreateLogGroup", "ssm:PutParameter"))
    conditions = {"Never": {"Fn::Equals": ["a", "b"]}}
    note = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "note", "Type": "String", "Value": "1"}}
    resources = {"Log": log(), "Note": note, "Jobs": {**QUEUE, "Condition": "Never"}}
    assert maker.stack(resources, Conditions=conditions) == "CREATE_COMPLETE"
    maker.may(statement("logs:PutRetentionPolicy"))

    resources["Log"] = log(RetentionInDays=7)
    assert maker.stack(resources, Conditions=conditions) == "UPDATE_COMPLETE"


@pytest.mark.parametrize(
    "allowed",
    [
        statement("sqs:*", Resource="arn:aws:sqs:eu-west-1:1:somebody-elses"),
        statement("sqs:createqueue", Condition={"StringEquals": {"aws:RequestTag/team": "a"}}),
        statement("s?s:Create*"),
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
    ],
    ids=["another resource", "a condition", "wildcards", "NotAction"],
)
def test_a_policy_that_may_fit_counts(maker: Maker, allowed: dict[str, Any]) -> None:
    """Neither the name nor the tags of a resource are looked at: a refusal must be certain."""
    maker.may(allowed)

    assert maker.stack({"Jobs": QUEUE}) == "CREATE_COMPLETE"
    assert maker.queues() == ["jobs"]


@pytest.mark.parametrize(
    ("also", "why"),
    [
        (statement("sqs:*", Effect="Deny"), "with an explicit deny in an identity-based policy"),
        (statement("sqs:*", Effect="Deny", Condition={"Bool": {"aws:SecureTransport": "false"}}), ""),
    ],
    ids=["always", "sometimes"],
)
def test_a_deny_counts_where_it_holds_for_everything(maker: Maker, also: dict[str, Any], why: str) -> None:
    maker.may(statement("*"), also)

    status = maker.stack({"Jobs": QUEUE})

    assert status == ("ROLLBACK_COMPLETE" if why else "CREATE_COMPLETE")
    assert maker.failures() == ({"Jobs": denied(why=why)} if why else {})


def test_a_boundary_limits_what_the_role_may_make(maker: Maker) -> None:
    maker.may(statement("*"))
    boundary = json.dumps(document(statement("logs:*")))
    arn = maker.iam.create_policy(PolicyName="limit", PolicyDocument=boundary)["Policy"]["Arn"]
    maker.iam.put_role_permissions_boundary(RoleName="maker", PermissionsBoundary=arn)

    assert maker.stack({"Jobs": QUEUE}) == "ROLLBACK_COMPLETE"

    why = "because no permissions boundary allows the sqs:CreateQueue action"
    assert maker.failures() == {"Jobs": denied(why=why)}


class TestManagedPolicies:
    """Of another account the sandbox has none: one of its own with the same name stands for it."""

    @pytest.fixture
    def policy(self, maker: Maker) -> str:
        allowed = json.dumps(document(statement("sqs:CreateQueue")))
        return str(maker.iam.create_policy(PolicyName="jobs", PolicyDocument=allowed)["Policy"]["Arn"])

    @pytest.mark.parametrize("account", [ACCOUNT, "123456789012"])
    def test_what_an_attached_one_allows_is_made(self, maker: Maker, policy: str, account: str) -> None:
        maker.iam.attach_role_policy(RoleName="maker", PolicyArn=policy.replace(ACCOUNT, account))

        topic = {"Type": "AWS::SNS::Topic", "DependsOn": "Jobs"}
        assert maker.stack({"Jobs": QUEUE}) == "CREATE_COMPLETE"
        assert maker.stack({"Jobs": QUEUE, "Topic": topic}) == "UPDATE_ROLLBACK_COMPLETE"
        assert maker.failures() == {"Topic": denied("sns:CreateTopic", kind="sns")}

    def test_one_that_nobody_here_has_read_is_taken_to_allow_everything(self, maker: Maker) -> None:
        """And that is said; what it allows on AWS cannot be known."""
        arn = "arn:aws:iam::123456789012:policy/unknown"
        maker.iam.attach_role_policy(RoleName="maker", PolicyArn=arn)

        assert maker.stack({"Jobs": QUEUE}) == "CREATE_COMPLETE"
        assert (
            f"AWS::IAM::Role maker: the sandbox has no policy unknown, and takes {arn} to let "
            "CloudFormation make everything"
        ) in sink_sandbox.status("default")["simulated"]
