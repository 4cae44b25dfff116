"""What holds for every template: its sections, its parameters, and how its stacks find one another."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from the_sink import naming
from the_sink.naming import Names

REPOSITORY = Path(__file__).resolve().parents[2]
SECTIONS = [
    *("Description", "Metadata", "Parameters", "Rules"),
    *("Mappings", "Conditions", "Resources", "Outputs"),
]

CONTRACT: dict[str, dict[str, Any]] = {
    "PlatformName": {"Type": "String", "MinLength": 1, "MaxLength": 30, "Default": "the-sink"},
    "AppName": {"Type": "String", "MinLength": 5, "MaxLength": 24, "AllowedPattern": "[a-z0-9-]*[a-z0-9]"},
    "AppEnv": {"Type": "String", "MinLength": 1, "MaxLength": 5, "AllowedPattern": "[a-z0-9]+"},
    "RuntimeVersion": {"Type": "String", "AllowedValues": ["3.10", "3.11", "3.12", "3.13", "3.14"]},
    "TaskCpu": {
        "Type": "Number",
        "Default": 256,
        "AllowedValues": [256, 512, 1024, 2048, 4096, 8192, 16384],
    },
    "TaskMemory": {"Type": "Number", "Default": 512, "MinValue": 512, "MaxValue": 122880},
    "TaskEphemeralStorage": {"Type": "Number", "Default": 21, "MinValue": 21, "MaxValue": 200},
    "EcsAlbIdleTimeout": {"Type": "Number", "Default": 60, "MinValue": 1, "MaxValue": 4000},
    "InstancesCount": {"Type": "Number", "Default": 1, "MinValue": 0},
    "EcrTag": {"Type": "String", "Default": "latest"},
    "RDSInstanceClass": {
        "Type": "String",
        "Default": "db.t4g.micro",
        "AllowedPattern": r"none|db\.[a-z0-9.-]+",
    },
    "RDSStorageType": {"Type": "String", "Default": "gp2", "AllowedValues": ["gp2", "gp3"]},
    "RDSAllocatedStorage": {"Type": "Number", "Default": 20, "MinValue": 20, "MaxValue": 65536},
    "RDSEngineVersion": {"Type": "String", "Default": "16.3", "AllowedPattern": r"\d+(\.\d+)?"},
    "UniqueDomainName": {"Type": "String", "Default": ""},
    "UniqueDomainNameCertificateArn": {"Type": "String", "Default": ""},
}
"""The sixteen parameters that apps of the earlier platform pass, and nothing else: what they accept, to the
letter. A change here refuses values that such an app may have, or changes what it gets without them."""

EXPORTS = {
    "PipelineS3Bucket",
    "ArtifactS3Bucket",
    "AccessLogsS3Bucket",
    "RuntimeRepositoryName",
    "RuntimeRepositoryUri",
    "RuntimeArmRepositoryName",
    "RuntimeArmRepositoryUri",
    "VpcId",
    "PrivateSubnetIds",
    "PublicSubnetIds",
    "UserPoolId",
    "GitHubRoleArn",
    "GitHubUatRoleArn",
    "GitHubProdRoleArn",
    "CertificateArn",
}

ALL = ["platform", "python", "pipeline", "app"]


@pytest.mark.parametrize("name", ALL)
def test_sections_come_in_one_order(name: str, template_text: Callable[..., str]) -> None:
    found = re.findall(r"^(\w+):", template_text(name), flags=re.MULTILINE)

    assert found[0] == "AWSTemplateFormatVersion"
    assert found[1:] == [section for section in SECTIONS if section in found]


@pytest.mark.parametrize("name", ALL)
def test_every_parameter_and_output_is_described(name: str, stack: Callable[..., Any]) -> None:
    template = stack(name).template

    assert [p for p, declared in template["Parameters"].items() if not declared.get("Description")] == []
    assert [o for o, declared in template["Outputs"].items() if not declared.get("Description")] == []


@pytest.mark.parametrize("name", ["platform", "python", "pipeline"])
def test_the_console_shows_every_parameter_in_a_group(name: str, stack: Callable[..., Any]) -> None:
    template = stack(name).template
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]

    assert sorted(template["Parameters"]) == sorted(p for group in groups for p in group["Parameters"])


@pytest.mark.parametrize("name", ["platform", "python", "pipeline"])
def test_conditions_read_as_questions(name: str, stack: Callable[..., Any]) -> None:
    assert [c for c in stack(name).template["Conditions"] if not re.match("(Is|Has)[A-Z]", c)] == []


@pytest.mark.parametrize("name", ALL)
def test_template_fits_the_limits_of_cloudformation(name: str, template_text: Callable[..., str]) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html

    The platform's travels in a request: there is no bucket yet that it could be read from. The others are
    read from one.
    """
    assert len(template_text(name).encode()) < (51_200 if name == "platform" else 1_000_000)


def limits(declared: dict[str, Any]) -> dict[str, Any]:
    """What a parameter accepts, and its default."""
    return {k: v for k, v in declared.items() if k not in ("Description", "ConstraintDescription")}


def test_parameters_of_the_earlier_platform_keep_name_and_limits(stack: Callable[..., Any]) -> None:
    declared = stack("python").template["Parameters"]

    assert list(declared)[:16] == list(CONTRACT)
    assert {name: limits(declared[name]) for name in CONTRACT} == CONTRACT


def test_a_generated_app_accepts_at_least_what_the_contract_does(stack: Callable[..., Any]) -> None:
    """Patterns are the nested stack's alone. Such an app says for itself whether it has a database."""
    declared = stack("app").template["Parameters"]
    own = {"PlatformName": {"Default": None}, "RDSInstanceClass": {"Default": "none"}}

    assert list(declared)[:16] == list(CONTRACT)
    for name, contract in CONTRACT.items():
        wanted = {k: v for k, v in {**contract, **own.get(name, {})}.items() if v is not None}
        wanted.pop("AllowedPattern", None)
        assert limits(declared[name]) == wanted, name


def test_an_app_needs_nothing_beyond_them(stack: Callable[..., Any]) -> None:
    declared = stack("python").template["Parameters"]

    assert [p for p in declared if p not in CONTRACT and "Default" not in declared[p]] == []


def test_an_app_of_the_earlier_platform_gets_what_it_had(stack: Callable[..., Any]) -> None:
    """Its image holds its .env, and its database is there although nobody said so."""
    resources = stack("python").resources
    container = resources["TaskDefinition"]["Properties"]["ContainerDefinitions"][0]

    assert "Database" in resources
    assert "SINK_SECRET_CORE" not in [secret["Name"] for secret in container["Secrets"]]
    assert container["ReadonlyRootFilesystem"] is False


@pytest.mark.parametrize("name", ["platform", "python", "pipeline"])
def test_what_is_no_arn_is_refused_before_anything_is_made(name: str, stack: Callable[..., Any]) -> None:
    """But for the one of the contract, whose limits stay: ``validate`` knows better."""
    declared = stack(name).template["Parameters"]
    arns = [p for p in declared if p.endswith("Arn") and p not in CONTRACT]

    assert arns
    for parameter in arns:
        pattern = declared[parameter]["AllowedPattern"]
        assert re.fullmatch(pattern, ""), parameter
        assert not re.fullmatch(pattern, "alarms"), parameter
        assert declared[parameter]["ConstraintDescription"].startswith("empty, or the ARN of a"), parameter


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


def test_the_app_passes_every_parameter_on(stack: Callable[..., Any]) -> None:
    """Not one may be set in a configuration file without effect, nor be out of the app's reach."""
    app, nested = stack("app").template, stack("python").template
    passed = app["Resources"]["StackPython"]["Properties"]["Parameters"]

    assert passed == {name: {"Ref": name} for name in nested["Parameters"]}
    assert list(app["Parameters"]) == list(nested["Parameters"])


def test_a_generated_app_says_how_its_secrets_travel(
    stack: Callable[..., Any], template_text: Callable[..., str]
) -> None:
    assert stack("app").template["Parameters"]["SecretsDelivery"]["Default"] == "task"
    assert "    Default: image\n" in template_text("app", secrets_delivery="image")


@pytest.mark.parametrize("env", naming.ENVIRONMENTS)
def test_configuration_files_hold_the_fourteen_parameters(
    env: str, configuration: Callable[..., Any], stack: Callable[..., Any]
) -> None:
    file = configuration(env)
    parameters = file["Parameters"]

    assert list(file) == ["Parameters", "Tags"]
    assert list(parameters) == list(CONTRACT)[:14]
    assert all(type(value) is str for section in file.values() for value in section.values())
    assert parameters["AppEnv"] == env
    assert parameters["EcrTag"] == naming.DEFAULT_TAGS[env]
    # They are the whole of what the app's template does not know by itself.
    required = {p for p, d in stack("app").template["Parameters"].items() if "Default" not in d}
    assert required <= parameters.keys()
    assert not stack("python", **parameters).has("HasDatabase")
    defaults = {
        p: str(d["Default"]) for p, d in stack("app").template["Parameters"].items() if "Default" in d
    }
    assert {p: v for p, v in parameters.items() if p in defaults and p != "EcrTag"} == {
        p: v for p, v in defaults.items() if p in parameters and p != "EcrTag"
    }


def test_configuration_files_carry_the_cost_tags(configuration: Callable[..., Any]) -> None:
    assert configuration("uat", project_group='"R&D" group')["Tags"] == {
        "CostCenterID": "4711",
        "PrimaryOwner": "first@example.org",
        "SecondaryOwner": "second@example.org",
        "ProjectGroup": '"R&D" group',
        "ProjectCode": "demo-1",
        "Name": "demo-app-uat",
    }


def test_the_app_names_its_environments_channel(stack: Callable[..., Any]) -> None:
    url = stack("app", AppEnv="uat").properties("StackPython")["TemplateURL"]

    key = naming.stack_channel_key(1, "uat")
    assert (
        url
        == f"https://<import {naming.platform_export('the-sink', 'PipelineS3Bucket')}>.s3.amazonaws.com/{key}"
    )


def test_the_platform_exports_what_others_rely_on(stack: Callable[..., Any]) -> None:
    outputs = stack(
        "platform", PlatformName="plant", GitHubOrganization="acme", CertificateArn="arn:certificate"
    ).outputs

    assert {o: body["Export"]["Name"] for o, body in outputs.items()} == {
        name: naming.platform_export("plant", name) for name in EXPORTS
    }


def test_only_what_exists_is_exported(stack: Callable[..., Any]) -> None:
    """CloudFormation has no empty exports: there is none to name of what the platform does without."""
    outputs = stack("platform", VpcId="vpc-1", PrivateSubnetIds="subnet-1,subnet-2").outputs

    assert outputs.keys() == {
        name for name in EXPORTS if "GitHub" not in name and name not in {"PublicSubnetIds", "CertificateArn"}
    }
    assert outputs["VpcId"]["Value"] == "vpc-1"
    assert outputs["PrivateSubnetIds"]["Value"] == "subnet-1,subnet-2"


@pytest.mark.parametrize(
    "parameters",
    [
        {"SecretsDelivery": "task"},
        {"SecretsDelivery": "image"},
        {"EcsAlbScheme": "internet-facing", "SecretsDelivery": "task"},
        {"UsePlatformCertificate": "true", "SecretsDelivery": "task"},
    ],
)
def test_every_import_has_its_export(parameters: dict[str, str], stack: Callable[..., Any]) -> None:
    exported = {
        body["Export"]["Name"]
        for name in ("platform", "pipeline")
        for body in stack(name, **({"CertificateArn": "a"} if name == "platform" else {})).outputs.values()
        if "Export" in body
    }
    imported = {
        name
        for user in (stack("python", **parameters), stack("pipeline"), stack("app"))
        for name in re.findall(r"<import ([^>]+)>", str([user.resources, user.outputs]))
    }

    assert imported <= exported
    assert "the-sink-PipelineS3Bucket" in imported
    assert ("the-sink-PublicSubnetIds" in imported) == ("EcsAlbScheme" in parameters)
    assert ("the-sink-CertificateArn" in imported) == ("UsePlatformCertificate" in parameters)


@pytest.mark.parametrize("delivery", ["task", "image"])
def test_a_pipelines_stack_cannot_go_before_the_apps(delivery: str, stack: Callable[..., Any]) -> None:
    """StackRole would go with it. What is imported is made in every pipeline's stack, of 1.0 too."""
    app = stack("python", SecretsDelivery=delivery, RDSInstanceClass="none")
    imported = set(re.findall(r"<import ([^>]+)>", str(app.resources)))
    exports = {o["Export"]["Name"] for o in stack("pipeline").outputs.values() if "Export" in o}

    assert imported & exports == {"demo-app-stage-SecretArn"}


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


@pytest.mark.parametrize("name", ["platform", "python", "pipeline"])
def test_every_resource_has_its_reason_and_its_cost(name: str, stack: Callable[..., Any]) -> None:
    page = (REPOSITORY / "docs" / "resources.md").read_text()

    assert [i for i in stack(name).template["Resources"] if f"`{i}`" not in page] == []


def test_only_resources_that_are_there_are_explained(stack: Callable[..., Any]) -> None:
    page = (REPOSITORY / "docs" / "resources.md").read_text()
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", page, flags=re.MULTILINE)
    explained = {i for row in rows for i in re.findall(r"`(\w+)`", row)}

    assert explained == {
        i for name in ("platform", "python", "pipeline") for i in stack(name).template["Resources"]
    }


@pytest.mark.parametrize(
    ("parameters", "absent"),
    [
        ({"UsePlatformCertificate": "true"}, set()),
        ({}, {"HttpsListenerArn"}),
        (
            {"UsePlatformCertificate": "true", "RDSInstanceClass": "none"},
            {"DatabaseSecurityGroupId", "DatabaseEndpoint", "DatabaseSecretArn"},
        ),
    ],
)
def test_an_apps_own_resources_find_what_is_there(
    parameters: dict[str, str], absent: set[str], stack: Callable[..., Any]
) -> None:
    app = stack("python", **parameters)
    page = (REPOSITORY / "docs" / "how-to" / "add-a-resource.md").read_text()
    promised = {
        o
        for row in re.findall(r"^\| (`.*?) \|", page, flags=re.MULTILINE)
        for o in re.findall(r"`(\w+)`", row)
    }

    assert set(app.template["Outputs"]) - set(app.outputs) == absent
    assert promised <= set(app.template["Outputs"])
    made = {
        "LoadBalancerArn": "<LoadBalancer>",
        "LoadBalancerHostedZoneId": "<LoadBalancer.CanonicalHostedZoneID>",
        "HttpsListenerArn": "<HttpsListener>",
        "FileSystemId": "<FileSystem>",
        "DatabaseSecurityGroupId": "<DatabaseSecurityGroup>",
        "TaskRoleName": "<TaskRole>",
        "TaskSecurityGroupId": "<TaskSecurityGroup>",
        "EcsAlbDNSName": "<LoadBalancer.DNSName>",
    }
    assert promised == set(made)
    assert {o: v["Value"] for o, v in app.outputs.items() if o in made} == {
        o: v for o, v in made.items() if o not in absent
    }
