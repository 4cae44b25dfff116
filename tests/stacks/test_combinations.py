"""cfn-lint over every combination of conditions that can be, not over a choice of them.

A template of a dozen conditions has thousands of combinations, but no resource hangs on more than a few: so
each resource is resolved for every combination of its own conditions that some parameters bring about, and
what comes of it, each different outcome once, is linted side by side in one template without conditions.
Whether a resource refers to one that is not there in some combination, cfn-lint works out by itself, from
the template as it stands (W1001); ``test_lint`` shows it that.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from cfnlint.config import ConfigMixIn
from cfnlint.decode.decode import decode_str
from cfnlint.runner import Runner, run_template_by_data

SAMPLES = {
    "VpcId": "vpc-0123456789abcdef0",
    "PublicSubnetIds": "subnet-0a1b2c3d",
    "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary",
    "CertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/1",
    "GitHubOrganization": "acme",
    "GitHubRepository": "acme@123456/demo-app@456789",
    "GitHubOidcProviderArn": "arn:aws:iam::123456789012:oidc-provider/x",
    "AppEnv": "uat",
    "UniqueDomainName": "demo.example.org",
    "UniqueDomainNameCertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/1",
    "InstancesMaximum": "4",
    "HealthCheckGracePeriod": "120",
    "AlarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms",
    "NotificationTopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms",
    "ExistingSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s-AbCdEf",
    "VpcOwnerId": "210987654321",
    "PrivateSubnetIdsV2": "subnet-1a2b3c4d",
    "PublicSubnetIdsV2": "subnet-2a2b3c4d",
    "RDSMaxAllocatedStorage": "100",
    "RDSSnapshotIdentifier": "demo-app-stage-db-before",
    "AdditionalPolicyArns": "arn:aws:iam::123456789012:policy/more",
}
"""A value that no condition asks for, where neither default nor allowed values have one; and what a parameter
is taken to be once its condition is resolved, which an empty default would contradict."""

REQUIRED = {
    "AppName": "demo-app",
    "RuntimeVersion": "3.13",
    "ArchiveTag": "latest",
    "EcrTag": "latest",
}

# The copies of a resource share its name, and parameters that only conditions read are read no more.
SETTINGS: dict[str, Any] = {
    "regions": ["eu-west-1"],
    "include_checks": ["I"],
    "ignore_checks": ["E3019", "W2001"],
}


@cache
def _rules() -> Any:
    return Runner(ConfigMixIn(**SETTINGS)).rules


def findings(template: dict[str, Any]) -> list[Any]:
    """What cfn-lint says of an unfolded template."""
    decoded, problems = decode_str(json.dumps(template))
    given = {**SAMPLES, **REQUIRED}
    values = {name: given[name] for name in template["Parameters"] if name in given}
    lists = [name for name in values if template["Parameters"][name]["Type"] == "CommaDelimitedList"]
    values |= {name: [values[name]] for name in lists}
    return problems or list(
        run_template_by_data(decoded, ConfigMixIn(**SETTINGS, parameters=[values]), _rules())
    )


def _walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key of a mapping below ``value``, with what it holds."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key, item
            yield from _walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item)


def conditions_of(body: dict[str, Any]) -> set[str]:
    """The conditions that decide what comes of a resource or an output."""
    used = {argument[0] for key, argument in _walk(body) if key == "Fn::If"}
    return used | ({body["Condition"]} if "Condition" in body else set())


def parameters_of(template: dict[str, Any], condition: str) -> set[str]:
    expression = template["Conditions"][condition]
    found = {item for key, item in _walk(expression) if key == "Ref"}
    for key, item in _walk(expression):
        if key == "Condition":
            found |= parameters_of(template, item)
    return found


def values(template: dict[str, Any], parameter: str) -> list[str]:
    """What tells the conditions apart: every literal that the parameter is compared with, and one other."""
    literals = {
        str(operand)
        for key, operands in _walk(template["Conditions"])
        if key == "Fn::Equals" and any(item == parameter for k, item in _walk(operands) if k == "Ref")
        for operand in operands
        if not isinstance(operand, dict)
    }
    declared = template["Parameters"][parameter]
    others = [*declared.get("AllowedValues", []), declared.get("Default", ""), SAMPLES.get(parameter, "")]
    other = next(str(value) for value in others if str(value) not in literals)
    return [*sorted(literals), other]


def combinations(resolve: Callable[..., Any], name: str, conditions: set[str]) -> set[frozenset[str]]:
    """The sets of those conditions that can hold at the same time, all others of them not."""
    template = resolve(name).template
    parameters = sorted(set().union(*(parameters_of(template, c) for c in conditions)))
    choices = itertools.product(*(values(template, parameter) for parameter in parameters))
    stacks = (resolve(name, **dict(zip(parameters, chosen, strict=True))) for chosen in choices)
    return {frozenset(c for c in conditions if made.has(c)) for made in stacks}


_NOTHING = object()


def resolved(value: Any, holding: frozenset[str]) -> Any:
    """``value`` without its ``Fn::If``, everything else as it stands."""
    if isinstance(value, list):
        return [item for item in (resolved(item, holding) for item in value) if item is not _NOTHING]
    if not isinstance(value, dict):
        return value
    if value == {"Ref": "AWS::NoValue"}:
        return _NOTHING
    if "Fn::If" in value:
        condition, when, otherwise = value["Fn::If"]
        return resolved(when if condition in holding else otherwise, holding)
    if isinstance(value.get("Fn::GetAtt"), str):
        return {"Fn::GetAtt": value["Fn::GetAtt"].split(".", 1)}  # as JSON has it
    items = {key: resolved(item, holding) for key, item in value.items()}
    return {key: item for key, item in items.items() if item is not _NOTHING}


def variants(resolve: Callable[..., Any], name: str, section: str) -> dict[str, list[dict[str, Any]]]:
    """What can come of each resource or output, every different outcome once."""
    found: dict[str, list[dict[str, Any]]] = {}
    for logical_id, body in resolve(name).template[section].items():
        outcomes = found.setdefault(logical_id, [])
        for holding in combinations(resolve, name, conditions_of(body)):
            if body.get("Condition", "") in holding | {""}:
                outcome = resolved({k: v for k, v in body.items() if k != "Condition"}, holding)
                if outcome not in outcomes:
                    outcomes.append(outcome)
    return found


def unfolded(resolve: Callable[..., Any], name: str) -> dict[str, Any]:
    """The template with every outcome of every resource and output beside one another."""
    template = {k: v for k, v in resolve(name).template.items() if k not in ("Conditions", "Metadata")}
    for section in ("Resources", "Outputs"):
        template[section] = {
            f"{logical_id}{number or ''}": outcome
            for logical_id, outcomes in variants(resolve, name, section).items()
            for number, outcome in enumerate(outcomes)
        }
    return template


@pytest.mark.parametrize("name", ["platform", "python", "pipeline"])
def test_every_combination_of_conditions_is_clean(name: str, stack: Callable[..., Any]) -> None:
    found = findings(unfolded(stack, name))

    assert [f"{match.rule.id} {match.path}: {match.message}" for match in found] == []


@pytest.mark.parametrize("name", ["platform", "python", "pipeline"])
def test_every_condition_is_both_true_and_false_there(name: str, stack: Callable[..., Any]) -> None:
    template = stack(name).template

    for condition in template["Conditions"]:
        seen = combinations(stack, name, {condition})
        assert seen == {frozenset(), frozenset({condition})}, condition


def test_a_service_is_seen_in_all_that_its_conditions_make_of_it(stack: Callable[..., Any]) -> None:
    """Shells, autoscaling, rollback by alarm, and three grace periods, each with each."""
    services = variants(stack, "python", "Resources")["Service"]

    assert len(services) == 2 * 2 * 2 * 3


def test_what_cannot_be_is_not_looked_at(stack: Callable[..., Any]) -> None:
    """An app in prod with shells "auto" has none, so never a root to write to while its delivery is task."""
    seen = combinations(stack, "python", {"HasExec", "IsTaskDelivery", "IsRootReadOnly"})

    assert frozenset({"HasExec", "IsTaskDelivery", "IsRootReadOnly"}) not in seen
    assert frozenset({"IsTaskDelivery", "IsRootReadOnly"}) in seen
    assert frozenset({"IsTaskDelivery"}) not in seen


def test_a_mistake_in_a_rare_combination_is_found(stack: Callable[..., Any]) -> None:
    """Of a kind that only shows where its conditions meet."""
    template = unfolded(stack, "python")
    (rare,) = [
        logical_id
        for logical_id, body in template["Resources"].items()
        if body["Type"] == "AWS::ECS::Service"
        and not body["Properties"]["EnableExecuteCommand"]
        and "DesiredCount" not in body["Properties"]
        and body["Properties"]["DeploymentConfiguration"]["Alarms"]["Enable"]
        and body["Properties"]["HealthCheckGracePeriodSeconds"] == 90
    ]
    template["Resources"][rare]["Properties"]["PropagateTags"] = "NOBODY"
    # One outcome of everything else is enough here.
    template["Resources"] = {k: v for k, v in template["Resources"].items() if k == rare or k.isalpha()}

    assert [(match.rule.id, match.path[1]) for match in findings(template)] == [("E3030", rare)]
