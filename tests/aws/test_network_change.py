"""The platform's network changes while apps lie in it, by the list of subnets that none of them imports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from the_sink.naming import Names
from the_sink.resources import resource_path
from the_sink.tasks import platform_namespace

NAMES = Names("demo-app", "stage")
STACK = f"{NAMES.app_stack}-StackPython-1A2B"
BUCKET = "templates"

PIPELINE = """
Resources:
  Topic: { Type: AWS::SNS::Topic }
Outputs:
  SecretArn:
    Value: !Ref Topic
    Export: { Name: demo-app-stage-SecretArn }
"""
"""What an app's stack imports of its pipeline's."""


@pytest.fixture
def deploy(aws: Any) -> Callable[..., str]:
    """A function that deploys the app's nested stack, with nothing of it running, and returns its status."""
    stacks, objects = aws("cloudformation"), aws("s3")
    objects.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    objects.put_object(
        Bucket=BUCKET, Key="app.yml", Body=resource_path("stacks/python/cfn-template.yml").read_bytes()
    )
    stacks.create_stack(StackName=NAMES.pipeline_stack, TemplateBody=PIPELINE)
    stacks.get_waiter("stack_create_complete").wait(
        StackName=NAMES.pipeline_stack, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
    )

    def run(verb: str, **parameters: str) -> str:
        given = {
            "AppName": NAMES.app,
            "AppEnv": NAMES.env,
            "RuntimeVersion": "3.13",
            "InstancesCount": "0",
            "RDSInstanceClass": "none",
            **parameters,
        }
        getattr(stacks, f"{verb}_stack")(
            StackName=STACK,
            TemplateURL=f"https://{BUCKET}.s3.eu-west-1.amazonaws.com/app.yml",
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        config = {"Delay": 0.1, "MaxAttempts": 300}
        stacks.get_waiter(f"stack_{verb}_complete").wait(StackName=STACK, WaiterConfig=config)
        return str(stacks.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"])

    return run


@pytest.fixture
def network(aws: Any) -> tuple[str, list[str]]:
    """A VPC of somebody's own, and three private subnets of it in different zones."""
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    return vpc, [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{n}.0/24", AvailabilityZone=f"eu-west-1{zone}")[
            "Subnet"
        ]["SubnetId"]
        for n, zone in enumerate("abc")
    ]


def test_a_third_subnet_is_added_while_apps_exist(
    invoke: Any,
    tmp_path: Path,
    aws: Any,
    deploy: Callable[..., str],
    network: tuple[str, list[str]],
) -> None:
    vpc, subnets = network
    (tmp_path / "sink.toml").write_text('[platform]\nname = "the-sink"\nregion = "eu-west-1"\n')

    def bootstrap(*parameters: str) -> Any:
        given = [part for each in parameters for part in ("--parameter", each)]
        return invoke(tmp_path, "platform.bootstrap", "--sandbox", *given, namespace=platform_namespace)

    def importers(name: str) -> list[str]:
        try:
            found = aws("cloudformation").list_imports(ExportName=f"the-sink-{name}")["Imports"]
        except ClientError as error:
            assert "is not imported" in str(error)
            return []
        return [str(each) for each in found]

    first, all_three = ",".join(subnets[:2]), ",".join(subnets)
    made = bootstrap(f"VpcId={vpc}", f"PrivateSubnetIds={first}")
    assert made.code == 0, made.err
    assert deploy("create") == "CREATE_COMPLETE"

    refused = bootstrap(f"PrivateSubnetIds={all_three}")

    assert refused.code == 1
    assert f"Export the-sink-PrivateSubnetIds cannot be updated as it is in use by {STACK}." in refused.err
    assert "docs/how-to/change-the-network.md" in refused.err
    assert importers("PrivateSubnetIds") == [STACK]

    added = bootstrap(f"PrivateSubnetIdsV2={all_three}")

    assert added.code == 0, added.err
    assert f"PrivateSubnetIdsV2: {all_three}" in added.out
    assert deploy("update", SubnetsVersion="V2") == "UPDATE_COMPLETE"
    assert (importers("PrivateSubnetIds"), importers("PrivateSubnetIdsV2")) == ([], [STACK])

    free = bootstrap(f"PrivateSubnetIds={all_three}")

    assert free.code == 0, free.err
    assert f"  PrivateSubnetIds: {all_three}" in free.out
    back = bootstrap("PrivateSubnetIdsV2=" + ",".join(subnets[1:]))
    assert f"Export the-sink-PrivateSubnetIdsV2 cannot be updated as it is in use by {STACK}." in back.err


@pytest.mark.parametrize(
    ("parameters", "is_refused"),
    [
        ({"EcsAlbScheme": "internet-facing"}, True),
        ({"EcsAlbScheme": "internet-facing", "UsePlatformCertificate": "true"}, False),
        ({"EcsAlbScheme": "internet-facing", "UniqueDomainNameCertificateArn": "arn:own"}, False),
        ({}, False),
    ],
)
def test_a_load_balancer_on_the_internet_needs_a_certificate_before_anything_is_made(
    parameters: dict[str, str], is_refused: bool, deploy: Callable[..., str], aws: Any
) -> None:
    """By the template's rule. Without a platform here no such stack is made; but that is told later."""
    with pytest.raises((ClientError, WaiterError)) as caught:
        deploy("create", **parameters)

    sentence = "With EcsAlbScheme internet-facing a certificate is needed"
    assert (sentence in str(caught.value)) == is_refused
    stacks = [each["StackName"] for each in aws("cloudformation").describe_stacks()["Stacks"]]
    assert (STACK in stacks) != is_refused
