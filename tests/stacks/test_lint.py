"""cfn-lint, which knows the schemas of AWS, finds nothing in any combination that makes a difference."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from cfnlint.config import ConfigMixIn
from cfnlint.decode.decode import decode_str
from cfnlint.rules import Rules
from cfnlint.runner import Runner, run_template_by_data

CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
PROVIDER = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
APP = {"AppName": "demo-app", "AppEnv": "stage", "RuntimeVersion": "3.13"}
DELIVERY = {"AppName": "demo-app", "AppEnv": "stage", "ArchiveTag": "latest", "EcrTag": "latest"}

COMBINATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "platform": ("platform", {}),
    "platform in an existing network": (
        "platform",
        {"VpcId": "vpc-0123456789abcdef0", "PrivateSubnetIds": ["subnet-0a1b2c3d", "subnet-1a1b2c3d"]},
    ),
    "platform with two NAT gateways and GitHub": (
        "platform",
        {
            "NetworkEgress": "nat-per-zone",
            "GitHubOrganization": "acme",
            "CertificateArn": CERTIFICATE,
        },
    ),
    "app of the legacy platform": ("python", {**APP, "AppEnv": "uat"}),
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
            "EnableExec": "false",
            "PermissionsBoundaryArn": BOUNDARY,
            "InstancesCount": 2,
            "InstancesMaximum": 6,
            "HealthCheckGracePeriod": "120",
            "AlarmTopicArn": TOPIC,
            "AlarmRollback": "true",
        },
    ),
    "pipeline of stage": ("pipeline", DELIVERY),
    "pipeline of prod with approval": (
        "pipeline",
        {
            **DELIVERY,
            "AppEnv": "prod",
            "ArchiveTag": "prod",
            "EcrTag": "prod",
            "PromotedFrom": "uat",
            "RequireApproval": "true",
            "NotificationTopicArn": TOPIC,
            "PermissionsBoundaryArn": BOUNDARY,
            "AdditionalPolicyArns": [BOUNDARY],
            "GitHubRepository": "acme@123456/demo-app@456789",
            "Architecture": "ARM64",
        },
    ),
}
"""Each template with its defaults and with all it can have; ``test_combinations`` sees to the rest."""


SETTINGS: dict[str, Any] = {"regions": ["eu-west-1"], "include_checks": ["I"]}


@cache
def rules() -> Rules:
    """Loaded once for all templates, as cfn-lint does in a run of its own: it takes a second."""
    return Runner(ConfigMixIn(**SETTINGS)).rules


def findings(text: str, parameters: dict[str, Any] | None = None) -> list[str]:
    """What cfn-lint says of a template with these values, which it holds against the template too.

    Without any it takes every condition for either, and tells what refers to something that may be absent.
    """
    template, problems = decode_str(text)
    config = ConfigMixIn(**SETTINGS, **({"parameters": [parameters]} if parameters else {}))
    found = problems or run_template_by_data(template, config, rules())
    return [f"{match.rule.id} line {match.linenumber}: {match.message}" for match in found]


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_clean(combination: str, template_text: Callable[..., str]) -> None:
    name, parameters = COMBINATIONS[combination]

    assert findings(template_text(name), parameters) == []


@pytest.mark.parametrize("name", ["platform", "python", "pipeline"])
def test_clean_whatever_the_conditions(name: str, template_text: Callable[..., str]) -> None:
    assert findings(template_text(name)) == []


@pytest.mark.parametrize("env", ["stage", "uat", "prod"])
def test_generated_app_is_clean(
    env: str, template_text: Callable[..., str], configuration: Callable[..., Any]
) -> None:
    assert findings(template_text("app"), configuration(env)["Parameters"]) == []


def test_linting_would_notice(template_text: Callable[..., str]) -> None:
    """An unknown property or value, a reference to nothing, and one to what may be absent."""
    mistakes = {
        "PropagateTags: SERVICE": "PropagateTag: SERVICE",
        "TaskDefinition: !Ref TaskDefinition": "TaskDefinition: !Ref TaskDefinitions",
        "awslogs-group: !Ref LogGroup": "awslogs-group: !Ref DatabaseSubnetGroup",
        "LaunchType: FARGATE": "LaunchType: FARGAT",
    }
    text = template_text("python")
    for right, wrong in mistakes.items():
        assert right in text
        text = text.replace(right, wrong)
    wrong = tuple(mistakes.values())
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.strip().startswith(wrong)]
    noticed = " ".join(findings(text))

    assert [number for number in lines if f"line {number}:" not in noticed] == []
    assert len(lines) == len(mistakes)


@pytest.mark.parametrize("name", ["platform", "python", "pipeline", "app"])
def test_no_finding_is_switched_off(name: str, template_text: Callable[..., str]) -> None:
    text = template_text(name)

    assert "cfn-lint" not in text
    assert "ignore_checks" not in text
