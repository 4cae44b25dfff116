"""No stack is made of a template that AWS would refuse: the emulator takes much that AWS does not."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sink_host.templates.deployed import deployed_template
from sink_host.templates.validator import Finding, Wait, judge_templates
from sink_host.templates.validator_files import ValidatorUnavailable
from sink_sandbox.services.cloudformation.cfn_lint import CfnLint

_TOLD = 5
"""Findings in a message; who has more mends these first."""

_FETCH_AGAIN_S = 600.0
"""Before which a machine that could not fetch the validator does not try again."""


@dataclass(frozen=True)
class StackTemplate:
    """A template that a stack is to be made of.

    Attributes:
        name: What messages call it; "" where there is nothing to confuse it with.
        parameters: By name; None for a value that only the stack's creation will show.
    """

    name: str
    text: str
    parameters: Mapping[str, str | None]


class TemplateRefused(Exception):
    """AWS would refuse a template; the message is the answer of CloudFormation."""


class TemplateGate:
    """AWS's validator, and cfn-lint on a machine that cannot have it.

    Args:
        folder: Of the sandbox; where cfn-lint's verdicts are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._cfn_lint = CfnLint(folder)
        self._unavailable: tuple[float, str] | None = None

    def check(self, templates: Sequence[StackTemplate], region: str, wait: Wait | None = None) -> None:
        """Judge templates before anything is made of them.

        Args:
            templates: The stack's, and those of its nested stacks.
            region: Where the stack is to be.
            wait: How to wait for the verdict.

        Raises:
            TemplateRefused: a template has errors; warnings are ``invoke validate``'s.
            ValidatorFailed: there is no verdict.
        """
        problems = [
            f"{template.name}, {finding}" if template.name else f"{finding}"
            for template, findings in zip(templates, self._judge(templates, region, wait), strict=True)
            for finding in findings
            if finding.severity == "error"
        ]
        if problems:
            more = f"; and {len(problems) - _TOLD} more" if len(problems) > _TOLD else ""
            raise TemplateRefused(f"Template validation error: {'; '.join(problems[:_TOLD])}{more}.")

    def notes(self) -> list[str]:
        """Return the sentence that says that the validator is missing, where it is."""
        if self._unavailable is None:
            return []
        return [f"{self._unavailable[1]} cfn-lint judges templates in its place, and refuses less."]

    def _judge(
        self, templates: Sequence[StackTemplate], region: str, wait: Wait | None
    ) -> Sequence[Sequence[Finding]]:
        if self._unavailable is None or time.monotonic() - self._unavailable[0] > _FETCH_AGAIN_S:
            deployed = [deployed_template(each.text, each.parameters) for each in templates]
            try:
                verdicts = judge_templates(deployed, region, wait=wait)
            except ValidatorUnavailable as error:
                self._unavailable = (time.monotonic(), error.message)
            else:
                self._unavailable = None
                return verdicts
        return self._cfn_lint.find([each.text for each in templates], region, wait)
