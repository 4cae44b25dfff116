"""Names of resources are those of ``the_sink.naming``, and within what AWS takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from the_sink import naming
from the_sink.naming import Names


def test_everything_of_a_created_network_has_its_name(stack: Callable[..., Any]) -> None:
    """As the console shows it, in lists of what belongs to many."""
    networks = [stack("platform", NetworkEgress=egress) for egress in ("nat-per-zone", "endpoints")]
    nameless = {"SubnetRouteTableAssociation", "Route", "VPCGatewayAttachment"}
    found = {
        i: [t["Value"] for t in r["Properties"].get("Tags", []) if t["Key"] == "Name"]
        for network in networks
        for i, r in network.resources.items()
        if r["Type"].startswith("AWS::EC2::") and r["Type"].rpartition("::")[2] not in nameless
    }

    assert {"NatAddressB", "StsEndpoint", "PrivateSubnetA"} <= found.keys()
    assert [i for i, names in found.items() if len(names) != 1 or not names[0].startswith("the-sink")] == []


@pytest.mark.parametrize("env", naming.ENVIRONMENTS)
def test_names_are_those_of_naming(env: str, stack: Callable[..., Any]) -> None:
    names = Names("long-name-of-an-app-2024", env)
    app = stack(
        "python",
        AppName=names.app,
        AppEnv=env,
        EcrTag="moving",
        SecretsDelivery="task",
        AlarmTopicArn="arn:topic",
    )
    delivery = stack("pipeline", AppName=names.app, AppEnv=env, ArchiveTag="uat", EcrTag="moving")
    task = app.properties("TaskDefinition")
    container = task["ContainerDefinitions"][0]
    pipeline = delivery.properties("Pipeline")
    actions = {a["Name"]: a.get("Configuration") for stage in pipeline["Stages"] for a in stage["Actions"]}

    assert app.properties("Cluster")["ClusterName"] == names.cluster
    assert app.properties("Service")["ServiceName"] == names.service
    assert app.properties("Service")["LoadBalancers"][0]["ContainerName"] == names.container
    assert task["Family"] == names.task_family
    assert container["Name"] == names.container
    assert container["Image"] == f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{names.repository}:moving"
    assert app.properties("Database")["DBInstanceIdentifier"] == names.database
    assert app.properties("LogGroup")["LogGroupName"] == names.log_group
    assert {
        r["Properties"]["AlarmName"].rpartition("/")[0]
        for r in app.resources.values()
        if r["Type"] == "AWS::CloudWatch::Alarm"
    } == {names.alarms}
    assert delivery.properties("Repository")["RepositoryName"] == names.repository
    assert delivery.properties("SecretCore")["Name"] == names.secret
    assert delivery.properties("BuildProject")["Name"] == names.build_project
    assert delivery.properties("BuildLogGroup")["LogGroupName"] == names.build_log_group
    assert pipeline["Name"] == names.pipeline
    assert delivery.properties("ArtifactBucket")["BucketName"].startswith(f"{names.artifact_bucket}-")
    assert actions["CloudFormation"]["StackName"] == names.app_stack
    assert actions["UpdateService"]["ClusterName"] == names.cluster
    assert actions["UpdateService"]["ServiceName"] == names.service
    assert actions["Source"]["S3ObjectKey"] == naming.tag_key(names.app, "uat")
    # What AWS cuts or refuses: 32 characters for a load balancer, 64 for a role's name (none is given).
    assert len(app.properties("LoadBalancer")["Name"]) <= 32
    assert "RoleName" not in str([app.resources, delivery.resources])


def test_runtime_registries_differ_by_the_name_alone_which_is_from_naming(stack: Callable[..., Any]) -> None:
    platform = stack("platform", PlatformName="plant")
    found = [dict(platform.properties(each)) for each in ("RuntimeRepository", "RuntimeArmRepository")]

    assert [each.pop("RepositoryName") for each in found] == [
        naming.runtime_repository("plant", architecture) for architecture in naming.ARCHITECTURES
    ]
    assert found[0] == found[1]
    one, other = (platform.resources[each] for each in ("RuntimeRepository", "RuntimeArmRepository"))
    assert {**one, "Properties": {}} == {**other, "Properties": {}}


def test_every_runtime_has_a_moving_tag(stack: Callable[..., Any]) -> None:
    filters = stack("platform").properties("RuntimeRepository")["ImageTagMutabilityExclusionFilters"]

    assert tuple(f["ImageTagMutabilityExclusionFilterValue"] for f in filters) == naming.PYTHON_RUNTIMES
    assert len(filters) <= 5
