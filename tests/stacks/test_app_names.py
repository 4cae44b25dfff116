"""What an app's name becomes: names that AWS takes, and none that is the platform's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from the_sink.naming import RESERVED_APP_NAMES, check_app_name, platform_stack, release_key

from .policies import allows, request, role_statements

GIVEN_NAMES = {
    "AWS::ApplicationAutoScaling::ScalingPolicy": "PolicyName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CodeBuild::Project": "Name",
    "AWS::CodePipeline::Pipeline": "Name",
    "AWS::Cognito::UserPool": "UserPoolName",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::ECS::Cluster": "ClusterName",
    "AWS::ECS::Service": "ServiceName",
    "AWS::ECS::TaskDefinition": "Family",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::RDS::DBInstance": "DBInstanceIdentifier",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SecretsManager::Secret": "Name",
}
"""The kinds of resources that have a name of ours, and the property that holds it."""

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"


def names(stack: Any) -> Iterator[tuple[str, str]]:
    """Every name that a stack gives: the kind of the resource, and the name. Exports are names too."""
    for resource in stack.resources.values():
        if GIVEN_NAMES.get(resource["Type"], "") in resource["Properties"]:
            yield resource["Type"], resource["Properties"][GIVEN_NAMES[resource["Type"]]]
    for output in stack.outputs.values():
        if "Export" in output:
            yield "export", output["Export"]["Name"]


def of_app(stack: Callable[..., Any], app: str, env: str, **parameters: str) -> set[tuple[str, str]]:
    """The names of an app's stacks, and those that they give."""
    both = {"AppName": app, "AppEnv": env}
    nested = stack("python", **both, AlarmTopicArn=TOPIC, InstancesMaximum="2", **parameters)
    stacks = {("stack", f"{app}-{env}"), ("stack", f"{app}-{env}-pipeline")}
    return {*names(nested), *names(stack("pipeline", **both)), *stacks}


@pytest.mark.parametrize("app", ["the-sink", "platform", "runtimes", "the-sink-python", "the-sink-users"])
@pytest.mark.parametrize("env", ["stage", "prod"])
def test_an_app_that_is_called_like_the_platform_takes_none_of_its_names(
    app: str, env: str, stack: Callable[..., Any]
) -> None:
    platform = {*names(stack("platform", GitHubOrganization="acme")), ("stack", platform_stack("the-sink"))}
    taken = of_app(stack, app, env)

    assert len(platform) > 10
    assert len(taken) > 15
    assert platform & taken == set()


@pytest.mark.parametrize("app", ["the-sink", "platform", "runtimes", *sorted(RESERVED_APP_NAMES)])
def test_no_app_reads_the_releases_of_another_but_for_a_name_that_is_reserved(
    app: str, stack: Callable[..., Any]
) -> None:
    """StackRole reads the platform's templates, whichever they are; other names are kept for the ledger."""
    archive = f"arn:aws:s3:::<import the-sink-PipelineS3Bucket>/{release_key(app, 'c' * 40)}"
    role = role_statements(stack("pipeline", AppName="other-app"), "StackRole")

    assert allows(role, request("s3:GetObject", archive)) == (app == "stacks")


@pytest.mark.parametrize("app", ["the-sink", "a" * 24, "a-1-b-2", "x--yz"])
def test_aws_takes_every_name_that_an_apps_name_becomes(app: str, stack: Callable[..., Any]) -> None:
    """By the patterns that AWS publishes. Of a database with two hyphens in a row `validate` tells."""
    database = "none" if "--" in app else "db.t4g.micro"
    made = of_app(stack, check_app_name(app), "stage", RDSInstanceClass=database)

    assert ("AWS::RDS::DBInstance", f"{app}-stage-db") in made or database == "none"
    for kind, name in made - {each for each in made if each[0] in {"stack", "export"}}:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-west-1", kind).schema
        limits = schema["properties"][GIVEN_NAMES[kind]]
        pattern = limits.get("pattern", ".*").replace(r"\p{Print}", r"[ -~]")
        assert re.search(pattern, name), (kind, name)
        assert len(name) <= limits.get("maxLength", 255), (kind, name)
