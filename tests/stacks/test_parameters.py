"""The parameters of an app's stack: what apps of the legacy platform pass, and what a generated one does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from the_sink import naming

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
"""The sixteen parameters that apps of the legacy platform pass, and nothing else: what they accept, to the
letter. A change here refuses values that such an app may have, or changes what it gets without them."""


def limits(declared: dict[str, Any]) -> dict[str, Any]:
    """What a parameter accepts, and its default."""
    return {k: v for k, v in declared.items() if k not in ("Description", "ConstraintDescription")}


def test_parameters_of_the_legacy_platform_keep_name_and_limits(stack: Callable[..., Any]) -> None:
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


def test_an_app_of_the_legacy_platform_gets_what_it_had(stack: Callable[..., Any]) -> None:
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


def test_the_app_passes_every_parameter_on(stack: Callable[..., Any]) -> None:
    """Not one may be set in a configuration file without effect, nor be out of the app's reach."""
    app, nested = stack("app").template, stack("python").template
    passed = app["Resources"]["StackPython"]["Properties"]["Parameters"]

    boundary = passed.pop("PermissionsBoundaryArn")
    assert passed == {
        name: {"Ref": name} for name in nested["Parameters"] if name != "PermissionsBoundaryArn"
    }
    assert boundary["Fn::If"][::2] == ["HasPlatformBoundary", {"Ref": "PermissionsBoundaryArn"}]
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
