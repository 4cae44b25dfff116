"""cfn-lint, which knows the schemas of AWS, finds nothing in any combination that makes a difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:demo-app-stage-secret-core-AbCdEf"
APP = {"AppName": "demo-app", "AppEnv": "stage", "RuntimeVersion": "3.13"}
DELIVERY = {"AppName": "demo-app", "AppEnv": "stage", "ArchiveTag": "latest", "EcrTag": "latest"}

COMBINATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "platform": ("platform", {}),
    "platform in an existing network": (
        "platform",
        {"VpcId": "vpc-0123456789abcdef0", "PrivateSubnetIds": ["subnet-0a1b2c3d", "subnet-1a1b2c3d"]},
    ),
    "platform with two NAT gateways": ("platform", {"NetworkEgress": "nat-per-zone"}),
    "platform without a way out": ("platform", {"NetworkEgress": "endpoints"}),
    "platform with GitHub": ("platform", {"GitHubOrganization": "acme", "PermissionsBoundaryArn": BOUNDARY}),
    "app without database": ("python", {**APP, "RDSInstanceClass": "none", "SecretsDelivery": "task"}),
    "app with database": ("python", {**APP, "RDSInstanceClass": "db.t4g.small", "SecretsDelivery": "task"}),
    "app of the earlier platform": ("python", {**APP, "AppEnv": "uat"}),
    "app with everything in prod": (
        "python",
        {
            **APP,
            "AppEnv": "prod",
            "SecretsDelivery": "task",
            "UniqueDomainName": "demo.example.org",
            "UniqueDomainNameCertificateArn": CERTIFICATE,
            "EcsAlbScheme": "internet-facing",
            "Architecture": "ARM64",
            "EnableExec": "true",
            "PermissionsBoundaryArn": BOUNDARY,
        },
    ),
    "app with neither secret": ("python", {**APP, "RDSInstanceClass": "none", "SecretsDelivery": "image"}),
    "pipeline of stage": ("pipeline", DELIVERY),
    "pipeline of uat": ("pipeline", {**DELIVERY, "AppEnv": "uat", "ArchiveTag": "uat", "EcrTag": "uat"}),
    "pipeline of prod with approval": (
        "pipeline",
        {
            **DELIVERY,
            "AppEnv": "prod",
            "ArchiveTag": "prod",
            "EcrTag": "prod",
            "RequireApproval": "true",
            "NotificationTopicArn": TOPIC,
            "PermissionsBoundaryArn": BOUNDARY,
            "AdditionalPolicyArns": [BOUNDARY],
            "Architecture": "ARM64",
        },
    ),
    "pipeline that adopts": (
        "pipeline",
        {**DELIVERY, "ExistingSecretArn": SECRET, "SecretsDelivery": "image"},
    ),
}


def findings(text: str, parameters: dict[str, Any]) -> list[str]:
    """What cfn-lint says of a template with these values, which it holds against the template too."""
    settings: dict[str, Any] = {"regions": ["eu-west-1"], "include_checks": ["I"]}
    found = lint(text, config=ManualArgs(**settings, parameters=[parameters]))
    return [f"{match.rule.id} line {match.linenumber}: {match.message}" for match in found]


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_clean(combination: str, template_text: Callable[..., str]) -> None:
    name, parameters = COMBINATIONS[combination]

    assert findings(template_text(name), parameters) == []


@pytest.mark.parametrize("env", ["stage", "uat", "prod"])
def test_generated_app_is_clean(
    env: str, template_text: Callable[..., str], configuration: Callable[..., Any]
) -> None:
    assert findings(template_text("app"), configuration(env)["Parameters"]) == []


@pytest.mark.parametrize(
    ("name", "break_it"),
    [
        ("platform", lambda text: text.replace("EnableDnsSupport", "EnableDns")),
        ("python", lambda text: text.replace("DesiredCount: !Ref", "DesiredCount: !GetAtt")),
        ("pipeline", lambda text: text.replace("PipelineType: V2", "PipelineType: V3")),
    ],
)
def test_linting_would_notice(
    name: str, break_it: Callable[[str], str], template_text: Callable[..., str]
) -> None:
    _, parameters = next(c for c in COMBINATIONS.values() if c[0] == name)

    assert findings(break_it(template_text(name)), parameters)


@pytest.mark.parametrize("name", ["platform", "python", "pipeline", "app"])
def test_no_finding_is_switched_off(name: str, template_text: Callable[..., str]) -> None:
    text = template_text(name)

    assert "cfn-lint" not in text
    assert "ignore_checks" not in text
