"""AWS's own validator and the rules of cdk-preflight refuse nothing of what is shipped, and would.

Each stack is judged as CloudFormation deploys it, without the branches that its parameters rule out, under as
many sets of parameters as it takes to see every resource and output in every combination of its conditions.
What is passed over says why in place, as ``# validator:skip=<rule>: <reason>`` in the resource.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from sink_host.templates.conditions import holds
from sink_host.templates.deployed import DeployedTemplate, deployed_template
from sink_host.templates.validator import Finding, judge_templates
from sink_host.templates.validator_files import fetch_validator
from sink_host.templates.validator_program import MISTAKEN
from tests.stacks.conftest import FILES, configuration, template_text
from tests.stacks.test_combinations import REQUIRED, SAMPLES, conditions_of, parameters_of, values
from the_sink.checks.nested import passed_values
from the_sink.config.environment_file import parse_environment_file
from the_sink.config.stack_template import parse_template, read_parameters
from the_sink.naming import ENVIRONMENTS

from .conftest import tell

__all__ = ["configuration", "template_text"]

REGION = "eu-west-1"
RUNTIME_VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")

OF_ANOTHER_CHOICE = ("W2001", "W8001")
"""A parameter or a condition that nothing uses, because what uses it is not there with these parameters."""


def bodies(template: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from template["Resources"].values()
    yield from template.get("Outputs", {}).values()


def combinations(template: Mapping[str, Any], body: dict[str, Any]) -> dict[frozenset[str], dict[str, str]]:
    """Each set of a body's conditions that can hold at the same time, with parameters that bring it about."""
    conditions = conditions_of(body)
    names = sorted(set().union(*(parameters_of(template, each) for each in conditions)))
    found: dict[frozenset[str], dict[str, str]] = {}
    for chosen in itertools.product(*(allowed(template, name) for name in names)):
        choice = dict(zip(names, chosen, strict=True))
        found.setdefault(holding(template, conditions, choice), choice)
    return found


def allowed(template: Mapping[str, Any], name: str) -> list[str]:
    """Values of a parameter that tell its conditions apart and that its constraints let pass."""
    shortest = template["Parameters"][name].get("MinLength", 0)
    return [value if len(value) >= shortest else SAMPLES[name] for value in values(template, name)]


def holding(template: Mapping[str, Any], conditions: set[str], choice: Mapping[str, str]) -> frozenset[str]:
    typed = {
        name: value.split(",") if template["Parameters"][name]["Type"] == "CommaDelimitedList" else value
        for name, value in choice.items()
    }
    return frozenset(each for each in conditions if holds(each, template, typed))


def choices(template: Mapping[str, Any]) -> list[dict[str, str]]:
    """Sets of parameters under which every body is seen in every combination."""
    wanted = [choice for body in bodies(template) for choice in combinations(template, body).values()]
    found: list[dict[str, str]] = []
    for choice in sorted(wanted, key=len, reverse=True):
        agreeing = (each for each in found if all(each.get(k, v) == v for k, v in choice.items()))
        fitting = next(agreeing, None)
        if fitting is None:
            found.append(dict(choice))
        else:
            fitting.update(choice)
    declared = template["Parameters"]
    given = {**SAMPLES, **REQUIRED}
    needed = {name: given[name] for name, body in declared.items() if "Default" not in body and name in given}
    return [{**needed, **choice} for choice in found or [{}]]


def judged(templates: list[DeployedTemplate]) -> set[Finding]:
    found = {finding for findings in judge_templates(templates, REGION) for finding in findings}
    return {finding for finding in found if finding.rule not in OF_ANOTHER_CHOICE}


def skipped(text: str, place: str) -> dict[str, str]:
    """The rules that are passed over in the block of a resource or a parameter, with their reasons."""
    block = re.search(rf"^  {re.escape(place)}:\n((?:    .*\n|\n)*)", text, re.MULTILINE)
    where = block[1] if block else text
    return dict(re.findall(r"# validator:skip=(\w+): (.+)", where))


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_refused(name: str, template_text: Callable[..., str]) -> None:
    text = template_text(name)
    template, _ = parse_template(text)

    found = judged([deployed_template(text, choice) for choice in choices(template)])

    left = [each for each in found if each.rule not in skipped(text, each.place)]
    assert not left, tell(sorted(map(str, left)))
    written = re.findall(r"# validator:skip=(\w+): (.+)", text)
    assert {rule for rule, _ in written} <= {each.rule for each in found}, "an exception hides nothing"
    assert all(len(reason.split()) >= 4 for _, reason in written)


@pytest.mark.parametrize("name", FILES)
def test_every_body_is_seen_in_every_combination(name: str, template_text: Callable[..., str]) -> None:
    template, _ = parse_template(template_text(name))
    defaults = {k: str(body["Default"]) for k, body in template["Parameters"].items() if "Default" in body}
    given = [{**defaults, **choice} for choice in choices(template)]

    for body in bodies(template):
        conditions = conditions_of(body)
        seen = {holding(template, conditions, choice) for choice in given}
        assert seen >= combinations(template, body).keys()


def test_nothing_is_refused_of_a_generated_app(
    template_text: Callable[..., str], configuration: Callable[..., dict[str, dict[str, str]]]
) -> None:
    """In any environment, whatever was answered; what it passes to the platform's stack is judged there."""
    platform = template_text("python")
    templates: dict[str, DeployedTemplate] = {}
    for delivery, database, version in itertools.product(
        ("task", "image"), ("postgres", "none"), RUNTIME_VERSIONS
    ):
        answers = {"secrets_delivery": delivery, "database": database, "runtime_version": version}
        text = template_text("app", **answers)
        template, _ = parse_template(text)
        declared, _ = read_parameters(template)
        for env in ENVIRONMENTS:
            file = json.dumps(configuration(env, **answers))
            content, problems = parse_environment_file(file, env)
            assert problems == []
            (passed,) = passed_values(env, template, declared, content).values()
            for made in (deployed_template(text, content.parameters), deployed_template(platform, passed)):
                templates[f"{made.text}{made.parameters}"] = made

    found = judged(list(templates.values()))

    assert len(templates) > 2 * 2 * len(RUNTIME_VERSIONS)
    assert not found, tell(found)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "ExcludePunctuation: true\n",
            'ExcludeCharacters: "!\\"#$%&\'()*+,-./:;<=>?@[\\\\]^_`{|}~"\n',
            "All characters of the desired type have been excluded.",
        ),
        (
            "MinCapacity: !Ref InstancesCount\n",
            "MinCapacity: 9\n",
            "Maximum capacity cannot be less than minimum capacity",
        ),
        (
            '{ "Fn::ImportValue": !Sub "${PlatformName}-VpcId" }',
            '{ "Fn::ImportValue": !Sub "${Cluster}-VpcId" }',
            "must not depend on any resources",
        ),
    ],
    ids=["secret", "scaling", "import"],
)
def test_what_aws_refuses_is_found(
    before: str, after: str, said: str, template_text: Callable[..., str]
) -> None:
    text = re.sub(r"Fn::ImportValue: (!Sub .+)", r'{ "Fn::ImportValue": \1 }', template_text("python"))
    template, _ = parse_template(text)
    assert before in text

    found = judged([deployed_template(text.replace(before, after), choice) for choice in choices(template)])

    assert any(said in each.message and each.severity == "error" for each in found), tell(found)


def test_rules_that_are_mistaken_still_are() -> None:
    """An exception from a rule that was mended goes."""
    sound = """
    Parameters:
      SecretsDelivery: { Type: String, Default: task }
    Resources:
      Role:
        Type: AWS::IAM::Role
        Properties:
          Path: /somewhere/
          AssumeRolePolicyDocument:
            Statement:
              - { Effect: Allow, Principal: { Service: codebuild.amazonaws.com }, Action: "sts:AssumeRole" }
      Project:
        Type: AWS::CodeBuild::Project
        Properties:
          Description: !Ref SecretsDelivery
          ServiceRole: !GetAtt Role.Arn
          Source: { Type: CODEPIPELINE }
          Artifacts: { Type: CODEPIPELINE }
          Environment:
            { Type: LINUX_CONTAINER, Image: "aws/codebuild/standard:7.0", ComputeType: BUILD_GENERAL1_SMALL }
    """
    program = textwrap.dedent("""
        import sys
        sys.path.insert(0, sys.argv[1])
        import cloudformation_validate as aws
        report = aws.CompositeEngine().validate_template(aws.TemplateContent(sys.stdin.read()))
        print(*(each.rule_id for each in report.diagnostics))
    """)
    command = [sys.executable, "-I", "-c", program, str(fetch_validator())]

    said = subprocess.run(command, input=textwrap.dedent(sound), capture_output=True, text=True, check=True)

    assert set(MISTAKEN) <= set(said.stdout.split())
    assert judged([deployed_template(textwrap.dedent(sound), {})]) == set()
