"""What AWS would refuse of an app's template and of the platform's stack, in each of its environments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sink_host.templates.deployed import DeployedTemplate, deployed_template
from sink_host.templates.validator import Finding, judge_templates
from sink_host.templates.validator_files import ValidatorUnavailable
from the_sink.checks.nested import passed_values
from the_sink.config.environment_file import file_name, parse_environment_file
from the_sink.config.problems import Problem
from the_sink.config.settings import read_app
from the_sink.config.stack_template import FILE as TEMPLATE_FILE
from the_sink.config.stack_template import parse_template, read_parameters
from the_sink.local import tool_checks as checks
from the_sink.naming import ENVIRONMENTS
from the_sink.resources import resource_path

VALIDATOR, CFN_LINT = "cloudformation-validate", "cfn-lint"
_DEFAULT_REGION = "us-east-1"
"""Whose services are the most, for an app whose settings name no region."""


@dataclass(frozen=True)
class TemplateVerdict:
    """What was found, and who looked.

    Attributes:
        judged_by: ``VALIDATOR``, ``CFN_LINT``, or "" where neither is to be had.
        note: One sentence where it was not the validator.
    """

    problems: list[Problem]
    judged_by: str
    note: str = ""


@dataclass(frozen=True)
class _Deployed:
    """One template in one environment."""

    file: str
    env: str
    region: str
    template: DeployedTemplate
    is_nested: bool = False


def check_templates(root: Path, stack: str | None = None) -> TemplateVerdict:
    """Judge the app's template, and the platform's stack with what each environment passes to it.

    A machine's first call fetches the validator. Without it cfn-lint judges the app's template, where it is
    installed.

    Args:
        root: The app's.
        stack: The platform's stack; None for the installed package's, so of the pinned version.

    Raises:
        ValidatorFailed: the validator gave no answer.
    """
    if not (root / TEMPLATE_FILE).is_file():
        return TemplateVerdict([], VALIDATOR)
    try:
        return TemplateVerdict(_judge(root, stack), VALIDATOR)
    except ValidatorUnavailable as unavailable:
        cfn_lint = checks.find_cfn_lint()
        if cfn_lint is None:
            note = f"{TEMPLATE_FILE} was read, not judged: {unavailable.message}"
            return TemplateVerdict([], "", note)
        note = f"{unavailable.message} cfn-lint judged {TEMPLATE_FILE} instead."
        return TemplateVerdict(checks.lint_template(root, cfn_lint), CFN_LINT, note)


def _judge(root: Path, stack: str | None) -> list[Problem]:
    text = (root / TEMPLATE_FILE).read_text(encoding="utf-8")
    if parse_template(text)[1]:
        return []  # said by whoever reads that file first
    settings, _ = read_app(root)
    regions = (
        {env: settings.environment(env).region for env in settings.environment_names} if settings else {}
    )
    deployed = list(_deployed(root, text, stack, regions))
    region = next(iter(regions.values()), _DEFAULT_REGION)
    # Whether a parameter is used is a question to the template as it is written, with all of its branches.
    written = _Deployed(TEMPLATE_FILE, "", region, DeployedTemplate(text, {}))
    found: dict[tuple[str, Finding], list[str]] = {}
    for each, findings in _findings([*deployed, written]):
        wanted = "warning" if each is written else "error"
        for finding in findings:
            if finding.severity == wanted:
                found.setdefault((each.file, finding), []).append(each.env)
    environments = {each.env for each in deployed if not each.is_nested}
    return [_problem(file, finding, envs, environments) for (file, finding), envs in found.items()]


def _deployed(root: Path, text: str, stack: str | None, regions: dict[str, str]) -> Iterator[_Deployed]:
    template, _ = parse_template(text)
    own, _ = read_parameters(template)
    if stack is None:
        stack = resource_path("stacks/python/cfn-template.yml").read_text(encoding="utf-8")
    found = False
    for env in ENVIRONMENTS:
        file = root / file_name(env)
        if not file.is_file():
            continue
        found = True
        region = regions.get(env, _DEFAULT_REGION)
        content, _ = parse_environment_file(
            file.read_text(encoding="utf-8", errors="replace"), file_name(env)
        )
        yield _Deployed(TEMPLATE_FILE, env, region, deployed_template(text, content.parameters))
        for passed in passed_values(env, template, own, content).values():
            yield _Deployed(file_name(env), env, region, deployed_template(stack, passed), is_nested=True)
    if not found:
        yield _Deployed(TEMPLATE_FILE, "", _DEFAULT_REGION, deployed_template(text, {}))


def _findings(deployed: list[_Deployed]) -> Iterator[tuple[_Deployed, tuple[Finding, ...]]]:
    for region in dict.fromkeys(each.region for each in deployed):
        there = [each for each in deployed if each.region == region]
        yield from zip(there, judge_templates([each.template for each in there], region), strict=True)


def _problem(file: str, finding: Finding, envs: list[str], all_envs: set[str]) -> Problem:
    if file != TEMPLATE_FILE:
        message = f"with these values AWS refuses {finding.place} of the platform's stack: {_said(finding)}"
        return Problem(file, message, finding.fix and f"{finding.fix.rstrip('.')}.")
    line = f"line {finding.line}: " if finding.line else ""
    where = f" in {' and '.join(envs)}" if all_envs - set(envs) and any(envs) else ""
    return Problem(
        file,
        f"{line}{finding.place}{where}: {_said(finding)}",
        finding.fix and f"{finding.fix.rstrip('.')}.",
        is_warning=finding.severity == "warning",
    )


def _said(finding: Finding) -> str:
    return f"{finding.message.rstrip('.')} ({finding.rule})."
