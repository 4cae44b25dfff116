"""A role that a stack makes does no more than its permissions boundary says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

import sink_sandbox
from sink_sandbox.client import lifecycle

from .helpers import Pipelines

ACCOUNT = "000000000000"
OTHER_ACCOUNT = "123456789012"
ANYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


class Bounded:
    """A stack with one role that may do everything, and what becomes of it under a boundary."""

    def __init__(self, aws: Callable[[str], Any], pipelines: Pipelines, endpoint_url: str) -> None:
        self.aws, self.pipelines, self.endpoint_url = aws, pipelines, endpoint_url
        self.trust = document(
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            }
        )

    def policy(self, *statements: dict[str, Any]) -> str:
        """Make the boundary; returns its ARN."""
        made = self.aws("iam").create_policy(
            PolicyName="boundary", PolicyDocument=json.dumps(document(*statements))
        )
        return str(made["Policy"]["Arn"])

    def role(self, boundary: str = "", path: str = "/team/") -> None:
        """Create or update the stack."""
        properties = {
            "RoleName": "worker",
            "Path": path,
            "AssumeRolePolicyDocument": self.trust,
            "Policies": [{"PolicyName": "all", "PolicyDocument": document(ANYTHING)}],
            **({"PermissionsBoundary": boundary} if boundary else {}),
        }
        template = {"Resources": {"Worker": {"Type": "AWS::IAM::Role", "Properties": properties}}}
        made = self.pipelines.stack("workers", template, Capabilities=["CAPABILITY_NAMED_IAM"])
        assert made["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}

    def may(self) -> dict[str, bool]:
        """What the role may do: make a topic, list queues."""
        arn = self.aws("iam").get_role(RoleName="worker")["Role"]["Arn"]
        keys = self.aws("sts").assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
        session = boto3.Session(
            keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], "eu-west-1"
        )
        sns, sqs = (session.client(name, endpoint_url=self.endpoint_url) for name in ("sns", "sqs"))
        return {"sns": _works(lambda: sns.create_topic(Name="t")), "sqs": _works(sqs.list_queues)}


def _works(call: Callable[[], Any]) -> bool:
    try:
        call()
    except ClientError as refused:
        assert "not authorized" in str(refused)
        return False
    return True


@pytest.fixture
def bounded(aws: Callable[[str], Any], pipelines: Pipelines, sandbox: lifecycle.Sandbox) -> Bounded:
    return Bounded(aws, pipelines, sandbox.endpoint_url)


def test_a_role_gets_it_with_its_stack_and_loses_it_so(bounded: Bounded) -> None:
    boundary = bounded.policy({"Effect": "Allow", "Action": "sns:*", "Resource": "*"})

    bounded.role()
    assert bounded.may() == {"sns": True, "sqs": True}
    bounded.role(boundary)
    assert bounded.may() == {"sns": True, "sqs": False}
    bounded.role()
    assert bounded.may() == {"sns": True, "sqs": True}


@pytest.mark.parametrize(("path", "may"), [("/team/", True), ("/", False), ("/others/team/", False)])
def test_it_tells_roles_apart_by_their_paths(path: str, may: bool, bounded: Bounded) -> None:
    """By the role's own ARN: that of a session has no path."""
    theirs = {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/team/*"}}
    boundary = bounded.policy(
        {"Effect": "Allow", "Action": "sns:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Condition": theirs},
    )

    bounded.role(boundary, path)

    assert bounded.may() == {"sns": True, "sqs": may}


class TestOfAnotherAccount:
    """The policy that ``sink.toml`` names for AWS: the sandbox's of the same name stands for it."""

    ARN = f"arn:aws:iam::{OTHER_ACCOUNT}:policy/boundary"

    def test_one_of_the_same_name_bounds(self, bounded: Bounded) -> None:
        bounded.policy({"Effect": "Allow", "Action": "sns:*", "Resource": "*"})

        bounded.role(self.ARN)

        assert bounded.may() == {"sns": True, "sqs": False}

    def test_without_one_nothing_is_bounded_and_that_is_said(self, bounded: Bounded) -> None:
        bounded.role(self.ARN)

        assert bounded.may() == {"sns": True, "sqs": True}
        assert (
            "AWS::IAM::Role worker: the sandbox has no policy boundary, and without it the boundary "
            f"{self.ARN} bounds nothing"
        ) in sink_sandbox.status("default")["simulated"]
