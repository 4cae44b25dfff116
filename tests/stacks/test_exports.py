"""How stacks find one another: what each exports or puts out, and what another reads of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from the_sink import naming

from .test_shape import REPOSITORY

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
    "PrivateSubnetIdsV2",
    "PublicSubnetIdsV2",
    "UserPoolId",
    "GitHubOidcProviderArn",
    "CertificateArn",
}


def test_the_app_names_its_environments_channel(stack: Callable[..., Any]) -> None:
    url = stack("app", AppEnv="uat").properties("StackPython")["TemplateURL"]

    key = naming.STACK_TEMPLATE.channel_key(1, "uat")
    bucket = f"<import {naming.platform_export('the-sink', 'PipelineS3Bucket')}>"
    assert url == f"https://{bucket}.s3.eu-west-1.amazonaws.com/{key}"


def test_the_platform_exports_what_others_rely_on(stack: Callable[..., Any]) -> None:
    outputs = stack(
        "platform",
        PlatformName="plant",
        GitHubOrganization="acme",
        CertificateArn="arn:certificate",
        PrivateSubnetIdsV2="subnet-1,subnet-2",
        PublicSubnetIdsV2="subnet-3,subnet-4",
    ).outputs

    assert {o: body["Export"]["Name"] for o, body in outputs.items() if "Export" in body} == {
        name: naming.platform_export("plant", name) for name in EXPORTS
    }


def test_only_what_exists_is_exported(stack: Callable[..., Any]) -> None:
    """CloudFormation has no empty exports: there is none to name of what the platform does without."""
    outputs = stack("platform", VpcId="vpc-1", PrivateSubnetIds="subnet-1,subnet-2").outputs

    absent = {"PublicSubnetIds", "PrivateSubnetIdsV2", "PublicSubnetIdsV2", "CertificateArn"}
    exported = {name for name, body in outputs.items() if "Export" in body}
    assert exported == {name for name in EXPORTS - absent if "GitHub" not in name}
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
