"""A program of its own: judges templates by AWS's validator and by cdk-preflight's rules.

``python3 -I validator_program.py <folder>`` reads a request from standard input and answers on standard
output, both in JSON. Nothing of this package is imported: the folder holds all that is needed. The native
library and its some 400 MB stay out of the process that asks.

Request: ``{"region": …, "templates": [{"text": …, "parameters": {…}, "types": […]}]}``.
Answer: for each template a list of ``{"rule", "severity", "entity", "message", "fix", "line"}``; the severity
is ``error``, ``warning``, or ``advice`` where only the validator itself, and not cfn-lint, warns.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_REFUSED = ("W3030",)
"""Warnings that are refusals: a value that the service does not know."""

MISTAKEN = {
    # As soon as the role's path is known, the ARN of a role is taken for its name (1.14.0).
    "E3050": "GetAtt of a role's Arn is refused as if it were a Ref",
    # A guess by the parameter's name, which every app's SecretsDelivery has.
    "W2509": "a parameter whose name contains a word such as secret is taken for one",
}
"""Rules of the validator that are wrong themselves; a test holds that they still are."""


def main() -> int:
    """Answer the request of standard input."""
    folder = Path(sys.argv[1])
    sys.path.insert(0, str(folder))
    request = json.load(sys.stdin)
    json.dump(judge(folder / "rules", request), sys.stdout)
    return 0


def judge(rules: Path, request: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Return what was found in each template."""
    import cloudformation_validate as aws

    types = {kind for template in request["templates"] for kind in template["types"]}
    sources = [
        aws.ExternalRuleSource(name=name, content=rego)
        for name, rego in _rules(rules, types, request["region"])
    ]
    engine = aws.CompositeEngine(aws.CompositeEngineConfig(rego_rules=sources))
    answers = []
    for template in request["templates"]:
        settings = aws.ValidateConfig(
            exclude=aws.RuleFilterConfig(ids=list(MISTAKEN)),
            severity_level=aws.Severity.WARN,
            detail_level=aws.DetailLevel.STANDARD,
            parameter_overrides=template["parameters"],
            pseudo_parameter_overrides=aws.PseudoParameterOverrides(region=request["region"]),
        )
        report = engine.validate_template(aws.TemplateContent(template["text"]), settings)
        answers.append([_finding(each) for each in report.diagnostics])
    return answers


def _rules(folder: Path, types: set[str], region: str) -> list[tuple[str, str]]:
    """The rules about these types, and what they share."""
    services = {"-".join(kind.split("::")[:2]) for kind in types} | {"every"}
    files = [file for service in sorted(services) if (file := folder / f"{service}.json").is_file()]
    found = {
        rule["id"]: rule["rego"]
        for file in files
        for rule in json.loads(file.read_bytes())
        if types.intersection(rule["types"]) or "*" in rule["types"]
    }
    shared = {each["id"]: each["rego"] for each in json.loads((folder / "shared.json").read_bytes())}
    # What rules about regions ask for.
    where = f"package cdk_preflight\n\nimport rego.v1\n\ndeploy_region := {json.dumps(region)}\n"
    return [*shared.items(), ("region", where), *found.items()]


def _finding(diagnostic: Any) -> dict[str, Any]:
    entity = diagnostic.entity
    severity = "warning" if diagnostic.source.name == "CFN_LINT" else "advice"
    if diagnostic.severity.name in ("FATAL", "ERROR") or diagnostic.rule_id in _REFUSED:
        severity = "error"
    return {
        "rule": diagnostic.rule_id,
        "severity": severity,
        "entity": entity.logical_id if entity else "",
        "message": diagnostic.message,
        "fix": diagnostic.suggested_fix or "",
        "line": diagnostic.start_line or 0,
    }


if __name__ == "__main__":
    sys.exit(main())
