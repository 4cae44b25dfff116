"""The service: how it rolls, what it is given, and that nothing replaces what has a fixed name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

FIXED_NAMES = {
    "Service": "ServiceName",
    "Cluster": "ClusterName",
    "Database": "DBInstanceIdentifier",
    "LoadBalancer": "Name",
    "LogGroup": "LogGroupName",
}
"""CloudFormation makes a replacement before it deletes the old one, and would find these names taken."""

CHANGES = {
    "RuntimeVersion": "3.12",
    "TaskCpu": "512",
    "TaskMemory": "1024",
    "TaskEphemeralStorage": "30",
    "EcsAlbIdleTimeout": "120",
    "InstancesCount": "3",
    "EcrTag": "other",
    "RDSInstanceClass": "db.t4g.small",
    "RDSStorageType": "gp3",
    "RDSAllocatedStorage": "40",
    "RDSEngineVersion": "17.2",
    "UniqueDomainName": "demo.example.org",
    "UniqueDomainNameCertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/1",
    "SecretsDelivery": "task",
    "Architecture": "ARM64",
    "EnableExec": "false",
    "EcsAlbScheme": "internet-facing",
    "EcsAlbAllowedCidr": "10.0.0.0/8",
    "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary",
    "UsePlatformCertificate": "true",
    "InstancesMaximum": "4",
    "HealthCheckGracePeriod": "120",
    "AlarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms",
    "RDSConnectionsAlarm": "200",
    "AlarmRollback": "true",
    "RDSMaxAllocatedStorage": "100",
    "RDSMultiAZ": "true",
    "RDSSnapshotIdentifier": "demo-app-stage-db-before",
    "SubnetsVersion": "V2",
}
"""Another value for each parameter that an environment may change."""


def create_only(resource_type: str) -> set[str]:
    """The properties whose change replaces a resource, as AWS publishes them."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-west-1", resource_type).schema
    return {path.split("/")[2] for path in schema["createOnlyProperties"]}


def test_every_parameter_is_changed_in_these_tests(stack: Callable[..., Any]) -> None:
    assert set(stack("python").template["Parameters"]) - {"PlatformName", "AppName", "AppEnv"} == set(CHANGES)


@pytest.mark.parametrize("parameter", CHANGES)
def test_no_setting_replaces_what_has_a_fixed_name(parameter: str, stack: Callable[..., Any]) -> None:
    before = stack("python").resources
    after = stack("python", **{parameter: CHANGES[parameter]}).resources

    replaced = {
        logical_id
        for logical_id in FIXED_NAMES
        for name in create_only(before[logical_id]["Type"])
        if before[logical_id]["Properties"].get(name) != after[logical_id]["Properties"].get(name)
    }
    # Said at the parameter, and refused by CloudFormation because of the name.
    refused = {"EcsAlbScheme": {"LoadBalancer"}, "RDSSnapshotIdentifier": {"Database"}}
    assert replaced == refused.get(parameter, set())


def test_a_database_that_is_taken_away_and_comes_back_has_its_name_again(stack: Callable[..., Any]) -> None:
    """Away with all that is its own and nothing else; back as it was made first, so under the same names."""
    before, without = stack("python"), stack("python", RDSInstanceClass="none")
    again = stack("python", RDSInstanceClass="db.t4g.small")
    gone = before.resources.keys() - without.resources.keys()

    assert gone == {
        *("Database", "DatabaseSecret", "DatabaseSecretAttachment"),
        *("DatabaseSecurityGroup", "DatabaseSubnetGroup"),
    }
    assert before.resources["Database"]["DeletionPolicy"] == "Snapshot"
    for logical_id in without.resources.keys() & FIXED_NAMES.keys():
        for name in create_only(without.resources[logical_id]["Type"]):
            assert without.properties(logical_id).get(name) == before.properties(logical_id).get(name)
    for logical_id in gone - {"Database"}:
        assert again.properties(logical_id) == before.properties(logical_id)
    assert again.properties("Database") == before.properties("Database") | {"DBInstanceClass": "db.t4g.small"}


@pytest.mark.parametrize(("env", "protected"), [("stage", False), ("uat", False), ("prod", True)])
def test_a_database_of_prod_alone_is_protected_from_deletion(
    env: str, protected: bool, stack: Callable[..., Any]
) -> None:
    assert stack("python", AppEnv=env).properties("Database")["DeletionProtection"] is protected


@pytest.mark.parametrize(("env", "protected"), [("stage", "false"), ("uat", "false"), ("prod", "true")])
def test_a_load_balancer_of_prod_alone_is_protected_from_deletion(
    env: str, protected: str, stack: Callable[..., Any]
) -> None:
    attributes = stack("python", AppEnv=env).properties("LoadBalancer")["LoadBalancerAttributes"]

    assert {"Key": "deletion_protection.enabled", "Value": protected} in attributes


def test_a_restored_database_has_what_its_snapshot_brings_and_the_password_of_its_secret(
    stack: Callable[..., Any],
) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html"""
    restored = stack("python", RDSSnapshotIdentifier="demo-app-stage-db-before").properties("Database")
    new = stack("python").properties("Database")

    assert restored["DBSnapshotIdentifier"] == "demo-app-stage-db-before"
    assert new.keys() - restored.keys() == {"DBName", "MasterUsername", "StorageEncrypted"}
    assert restored["MasterUserPassword"] == new["MasterUserPassword"]
    assert "DBSnapshotIdentifier" not in new
    assert new["DBName"] == "app"


def test_a_database_costs_and_grows_as_little_as_before_unless_it_is_asked_to(
    stack: Callable[..., Any],
) -> None:
    database = stack("python", AppEnv="prod").properties("Database")

    assert database["MultiAZ"] is False
    assert "MaxAllocatedStorage" not in database


def test_a_task_runs_as_the_runtimes_user(stack: Callable[..., Any]) -> None:
    """By its number, so that the image need not know the name. The other delivery's images begin as root."""

    def user(delivery: str) -> str | None:
        task = stack("python", SecretsDelivery=delivery).properties("TaskDefinition")
        found: str | None = task["ContainerDefinitions"][0].get("User")
        return found

    runtimes = Path(__file__).parents[2] / "runtimes" / "python"
    assert user("task") == "1000:1000"
    assert user("image") is None
    for dockerfile in runtimes.glob("*.Dockerfile"):
        assert "groupadd --gid 1000 app" in dockerfile.read_text()
        assert "useradd --uid 1000 --gid app" in dockerfile.read_text()


def test_a_task_never_starts_before_the_names_of_its_files_are_known(stack: Callable[..., Any]) -> None:
    """The load balancer takes longer than a new mount target's name, and the service waits for both."""
    app = stack("python", RDSInstanceClass="none")

    assert {"FileSystemMountTargetA", "FileSystemMountTargetB"} == set(
        app.resources["LoadBalancer"]["DependsOn"]
    )
    assert app.properties("HttpListener")["LoadBalancerArn"] == "<LoadBalancer>"
    assert "HttpListener" in app.resources["Service"]["DependsOn"]


def test_fixed_names_are_fixed_by_what_replaces(stack: Callable[..., Any]) -> None:
    """The test above looks at properties that AWS really calls create-only, names among them."""
    for logical_id, name in FIXED_NAMES.items():
        assert name in create_only(stack("python").resources[logical_id]["Type"])


@pytest.mark.parametrize(
    ("parameters", "grace", "failures"),
    [
        ({}, 300, 2),
        ({"RDSInstanceClass": "none"}, 90, 3),
        ({"RDSInstanceClass": "none", "HealthCheckGracePeriod": "240"}, "240", 2),
        ({"HealthCheckGracePeriod": "60"}, "60", 2),
    ],
)
def test_a_task_has_time_to_migrate_only_where_it_may(
    parameters: dict[str, str], grace: int | str, failures: int, stack: Callable[..., Any]
) -> None:
    app = stack("python", **parameters)
    deployment = app.properties("Service")["DeploymentConfiguration"]

    assert app.properties("Service")["HealthCheckGracePeriodSeconds"] == grace
    assert deployment["DeploymentCircuitBreaker"] == {
        "Enable": True,
        "Rollback": True,
        "ThresholdConfiguration": {"Type": "COUNT", "Value": failures},
    }
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (100, 200)
    assert "HealthCheck" not in app.properties("TaskDefinition")["ContainerDefinitions"][0]


def test_the_number_of_tasks_is_the_environments(stack: Callable[..., Any]) -> None:
    app = stack("python", InstancesCount="4")

    assert app.properties("Service")["DesiredCount"] == "4"
    assert [i for i, r in app.resources.items() if "AutoScaling" in r["Type"]] == []


def test_autoscaling_begins_at_the_environments_number(stack: Callable[..., Any]) -> None:
    """The service names no count of its own then: an update would undo what autoscaling did."""
    app = stack("python", InstancesCount="2", InstancesMaximum="6")
    target = app.properties("ScalableTarget")
    policy = app.properties("ScalingPolicy")

    assert "DesiredCount" not in app.properties("Service")
    assert (target["MinCapacity"], target["MaxCapacity"]) == ("2", "6")
    assert target["ResourceId"] == "service/<Cluster>/<Service.Name>"
    tracked = policy["TargetTrackingScalingPolicyConfiguration"]
    assert tracked["PredefinedMetricSpecification"] == {
        "PredefinedMetricType": "ECSServiceAverageCPUUtilization"
    }
    assert policy["ScalingTargetId"] == "<ScalableTarget>"


def test_a_service_that_is_stopped_stays_stopped(stack: Callable[..., Any]) -> None:
    """Autoscaling is told so: the target that is left to the clean-up of an update would start it again."""
    app = stack("python", InstancesCount="0", InstancesMaximum="6")
    target = app.properties("ScalableTarget")

    assert app.properties("Service")["DesiredCount"] == "0"
    assert (target["MinCapacity"], target["MaxCapacity"]) == ("0", 0)
    assert "ScalableTarget" not in stack("python", InstancesCount="0").resources


@pytest.mark.parametrize(
    ("parameters", "read_only"),
    [
        ({"SecretsDelivery": "task", "AppEnv": "prod"}, True),
        ({"SecretsDelivery": "task", "AppEnv": "stage"}, False),
        ({"SecretsDelivery": "task", "AppEnv": "stage", "EnableExec": "false"}, True),
        ({"SecretsDelivery": "task", "AppEnv": "prod", "EnableExec": "true"}, False),
        ({"SecretsDelivery": "image", "AppEnv": "prod"}, False),
    ],
)
def test_the_root_is_read_only_where_no_shell_needs_it(
    parameters: dict[str, str], read_only: bool, stack: Callable[..., Any]
) -> None:
    task = stack("python", **parameters).properties("TaskDefinition")
    container = task["ContainerDefinitions"][0]

    assert container["ReadonlyRootFilesystem"] is read_only
    assert [m["ContainerPath"] for m in container["MountPoints"]] == [
        "/mnt/shared",
        *(["/tmp"] if read_only else []),  # noqa: S108 - a path in the container
    ]
    assert [v["Name"] for v in task["Volumes"]] == ["shared", *(["tmp"] if read_only else [])]


def test_a_task_knows_its_share_of_a_processor(stack: Callable[..., Any]) -> None:
    """In every delivery: an app of the legacy platform is none the worse for it."""
    for parameters in ({}, {"SecretsDelivery": "task"}):
        task = stack("python", TaskCpu="2048", **parameters).properties("TaskDefinition")
        assert {"Name": "TASK_CPU", "Value": "2048"} in task["ContainerDefinitions"][0]["Environment"]


def test_port_and_health_are_the_runtimes_contract(stack: Callable[..., Any]) -> None:
    app = stack("python")
    container = app.properties("TaskDefinition")["ContainerDefinitions"][0]
    group = app.properties("TargetGroup")

    assert container["PortMappings"] == [{"ContainerPort": 8080, "Protocol": "tcp"}]
    assert app.properties("Service")["LoadBalancers"][0]["ContainerPort"] == 8080
    assert (group["Port"], group["HealthCheckPath"], group["Matcher"]) == (
        8080,
        "/health",
        {"HttpCode": "200"},
    )
    assert container["MountPoints"][0]["ContainerPath"] == "/mnt/shared"


COORDINATES = {
    "PGHOST": "host",
    "PGPORT": "port",
    "PGDATABASE": "dbname",
    "PGUSER": "username",
    "PGPASSWORD": "password",
    "DATABASE_HOST": "host",
    "DATABASE_PORT": "port",
    "DATABASE_NAME": "dbname",
    "DATABASE_USER": "username",
    "DATABASE_PASSWORD": "password",
}
"""Keys of the database's secret: under PostgreSQL's own names, and under the legacy platform's."""


@pytest.mark.parametrize(
    ("delivery", "instance_class", "expected"),
    [
        ("task", "none", ["SINK_SECRET_CORE"]),
        ("image", "none", None),
        ("image", "db.t4g.micro", list(COORDINATES)),
        ("task", "db.t4g.micro", ["SINK_SECRET_CORE", *COORDINATES]),
    ],
)
def test_a_task_is_given_its_secrets_and_may_read_just_those(
    delivery: str, instance_class: str, expected: list[str] | None, stack: Callable[..., Any]
) -> None:
    app = stack("python", SecretsDelivery=delivery, RDSInstanceClass=instance_class)
    container = app.properties("TaskDefinition")["ContainerDefinitions"][0]
    allowed = [
        statement["Resource"]
        for statement in app.properties("ExecutionRole")["Policies"][0]["PolicyDocument"]["Statement"]
        if statement["Action"] == "secretsmanager:GetSecretValue"
    ]

    assert [s["Name"] for s in container["Secrets"]] == expected if expected else "Secrets" not in container
    assert ("<import demo-app-stage-SecretArn>" in allowed) == (delivery == "task")
    assert ("<DatabaseSecret.Id>" in allowed) == (instance_class != "none")
    if delivery == "task":
        assert container["Secrets"][0]["ValueFrom"] == "<import demo-app-stage-SecretArn>"


def test_a_database_is_told_of_under_both_names(stack: Callable[..., Any]) -> None:
    container = stack("python").properties("TaskDefinition")["ContainerDefinitions"][0]

    assert {s["Name"]: s["ValueFrom"] for s in container["Secrets"]} == {
        name: f"<DatabaseSecretAttachment>:{key}::" for name, key in COORDINATES.items()
    }
    assert {"Name": "DATABASE_ENGINE", "Value": "postgres"} in container["Environment"]
    without = stack("python", RDSInstanceClass="none").properties("TaskDefinition")
    assert "DATABASE_" not in str(without)


def test_without_a_database_nothing_of_it_is_made(stack: Callable[..., Any]) -> None:
    resources = stack("python", RDSInstanceClass="none").resources

    assert [i for i, r in resources.items() if "RDS" in r["Type"] or i.startswith("Database")] == []


@pytest.mark.parametrize(("asked", "passed"), [("16.3", "16"), ("17", "17"), ("15.12", "15")])
def test_aws_chooses_the_minor_version(asked: str, passed: str, stack: Callable[..., Any]) -> None:
    assert stack("python", RDSEngineVersion=asked).properties("Database")["EngineVersion"] == passed


@pytest.mark.parametrize(
    ("domain", "certificate", "url"),
    [
        ("", "", "http://<LoadBalancer.DNSName>"),
        ("demo.example.org", "", "http://demo.example.org"),
        ("demo.example.org", "arn:aws:acm:eu-west-1:1:certificate/1", "https://demo.example.org"),
        ("", "arn:aws:acm:eu-west-1:1:certificate/1", "https://<LoadBalancer.DNSName>"),
        ("demo.example.org", "the platform's", "https://demo.example.org"),
    ],
)
def test_the_address_follows_domain_and_certificate(
    domain: str, certificate: str, url: str, stack: Callable[..., Any]
) -> None:
    own = "" if certificate == "the platform's" else certificate
    app = stack(
        "python",
        UniqueDomainName=domain,
        UniqueDomainNameCertificateArn=own,
        UsePlatformCertificate=str(own != certificate).lower(),
    )

    assert app.outputs["EcsAlbDNSName"]["Value"] == "<LoadBalancer.DNSName>"
    assert app.outputs["Url"]["Value"] == url
    assert ("HttpsListener" in app.resources) == bool(certificate)
    assert ("HttpsRedirect" in app.resources) == bool(certificate)
    # The service needs a listener that names its target group before it exists, with or without HTTPS.
    assert app.properties("HttpListener")["DefaultActions"] == [
        {"Type": "forward", "TargetGroupArn": "<TargetGroup>"}
    ]
    assert "HttpListener" in app.resources["Service"]["DependsOn"]


def test_an_apps_own_certificate_goes_before_the_platforms(stack: Callable[..., Any]) -> None:
    def certificates(**parameters: str) -> list[dict[str, str]]:
        listener = stack("python", UsePlatformCertificate="true", **parameters).properties("HttpsListener")
        return listener["Certificates"]

    assert certificates() == [{"CertificateArn": "<import the-sink-CertificateArn>"}]
    assert certificates(UniqueDomainNameCertificateArn="arn:own") == [{"CertificateArn": "arn:own"}]


def test_tasks_start_where_their_files_are(stack: Callable[..., Any]) -> None:
    app = stack("python")
    subnets = app.properties("Service")["NetworkConfiguration"]["AwsvpcConfiguration"]["Subnets"]

    assert subnets == [app.properties(f"FileSystemMountTarget{zone}")["SubnetId"] for zone in "AB"]
    assert {"FileSystemMountTargetA", "FileSystemMountTargetB"} <= set(app.resources["Service"]["DependsOn"])


@pytest.mark.parametrize(("scheme", "kind"), [("internal", "Private"), ("internet-facing", "Public")])
def test_a_load_balancer_takes_one_subnet_of_each_of_two_zones(
    scheme: str, kind: str, stack: Callable[..., Any]
) -> None:
    """Of three subnets, two of which are in one zone, it would be refused; a database takes all of them."""
    app = stack("python", EcsAlbScheme=scheme)
    subnets = f"<import the-sink-{kind}SubnetIds>"

    assert app.properties("LoadBalancer")["Subnets"] == [f"{subnets}[0]", f"{subnets}[1]"]
    assert app.properties("DatabaseSubnetGroup")["SubnetIds"] == ["<import the-sink-PrivateSubnetIds>"]
