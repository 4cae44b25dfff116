"""Stacks of every released version are brought up to date, under a pipeline that was bootstrapped with it.

A platform's new templates reach an app before anybody bootstraps its pipeline again.
"""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from the_sink.naming import Names
from the_sink.resources import resource_path

CHECKOUT = Path(__file__).resolve().parents[2]
RELEASED: dict[str, str] = tomllib.loads((CHECKOUT / "releases.toml").read_text())["releases"]
PLATFORM, PIPELINE, APP = (
    f"stacks/{name}.yml" for name in ("platform/cfn-template", "python/pipeline", "python/cfn-template")
)
NAMES = Names("demo-app", "stage")
BUCKET = "templates"


@pytest.fixture
def apply(aws: Any) -> Callable[..., None]:
    """A function that creates or updates a stack and waits for its end."""
    stacks, objects = aws("cloudformation"), aws("s3")
    objects.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def run(verb: str, name: str, template: str, role: str = "", **parameters: str) -> None:
        objects.put_object(Bucket=BUCKET, Key="template.yml", Body=template.encode())
        getattr(stacks, f"{verb}_stack")(
            StackName=name,
            TemplateURL=f"https://{BUCKET}.s3.amazonaws.com/template.yml",
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
            **({"RoleARN": role} if role else {}),
        )
        config = {"Delay": 0.1, "MaxAttempts": 300}
        stacks.get_waiter(f"stack_{verb}_complete").wait(StackName=name, WaiterConfig=config)

    return run


@pytest.mark.parametrize("version", RELEASED)
def test_an_apps_stack_of_a_released_version(version: str, apply: Callable[..., None], aws: Any) -> None:
    """With nothing of it running, which is another test's. Its pipeline cannot go before it afterwards."""

    def old(path: str) -> str:
        command = ["git", "show", f"{RELEASED[version]}:{path}"]
        return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout

    def new(path: str) -> str:
        return resource_path(path).read_text()

    def physical(stack: str, logical_id: str) -> str:
        made = aws("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
        return str(made["StackResourceDetail"]["PhysicalResourceId"])

    app = {"AppName": NAMES.app, "AppEnv": NAMES.env}
    # Without a database: AWS refuses the password that version 1.0.0 asked for, and so does the sandbox.
    nested = {**app, "RuntimeVersion": "3.13", "InstancesCount": "0", "SecretsDelivery": "image"}
    nested["RDSInstanceClass"] = "none"
    stack = f"{NAMES.app_stack}-StackPython-1A2B"
    apply("create", "the-sink-platform", old(PLATFORM))
    apply(
        "create",
        NAMES.pipeline_stack,
        old(PIPELINE),
        **app,
        ArchiveTag="latest",
        EcrTag="latest",
        SecretsDelivery="image",
    )
    role = aws("iam").get_role(RoleName=physical(NAMES.pipeline_stack, "StackRole"))["Role"]["Arn"]
    apply("create", stack, old(APP), role, **nested)

    apply("update", "the-sink-platform", new(PLATFORM))
    apply("update", stack, new(APP), role, **nested)

    group = physical(stack, "LoadBalancerSecurityGroup")
    (found,) = aws("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert [rule.get("ToPort") for rule in found["IpPermissions"]] == [80]
    assert [rule.get("ToPort") for rule in found["IpPermissionsEgress"]] == [None, 8080]
    with pytest.raises(ClientError, match=f"{NAMES.app}-{NAMES.env}-SecretArn is imported by stack {stack}"):
        aws("cloudformation").delete_stack(StackName=NAMES.pipeline_stack)
