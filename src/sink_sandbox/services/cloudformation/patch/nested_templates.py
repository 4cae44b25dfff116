"""Finds the templates of a template's nested stacks before a stack is made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ministack.core.responses import request_scope
from ministack.services.cloudformation import engine, helpers

from sink_sandbox.client.lifecycle import ACCOUNT_ID
from sink_sandbox.services.cloudformation.patch.stacks import NESTED, referred_names
from sink_sandbox.services.cloudformation.template_gate import StackTemplate


def nested_templates(body: str, parameters: Mapping[str, str | None], region: str) -> list[StackTemplate]:
    """Return the nested templates, called by their addresses, one level deep.

    Left out is what has no address before the stack exists, and what CloudFormation itself refuses to read:
    whatever is wrong with a template's parameters, conditions or imports, it says better.
    """
    with request_scope(ACCOUNT_ID, region):
        found = []
        for url, passed in _nested(body, parameters):
            text, problem = helpers._resolve_template({"TemplateURL": [url]})
            if text and problem is None:
                found.append(StackTemplate(url, text, passed))
        return found


def _nested(body: str, parameters: Mapping[str, str | None]) -> Iterator[tuple[str, dict[str, str | None]]]:
    try:
        template = engine._parse_template(body)
        provided = [{"Key": key, "Value": value} for key, value in parameters.items()]
        values = engine._resolve_parameters(template, provided)
        conditions = engine._evaluate_conditions(template, values)
    except Exception:
        return
    mappings = template.get("Mappings") or {}

    made = set(template.get("Resources") or {})

    def resolve(value: Any) -> str | None:
        """What a value is already now; an attribute of what the stack will make is not."""
        if value == {"Ref": "AWS::NoValue"} or made.intersection(referred_names(value)):
            return None
        try:
            resolved = engine._resolve_refs(value, {}, values, conditions, mappings, "", "")
        except Exception:
            return None
        return ",".join(map(str, resolved)) if isinstance(resolved, list) else str(resolved)

    for definition in (template.get("Resources") or {}).values():
        if definition.get("Type") == NESTED and conditions.get(definition.get("Condition"), True):
            properties = definition.get("Properties") or {}
            if url := resolve(properties.get("TemplateURL")):
                passed = properties.get("Parameters") or {}
                yield url, {str(name): resolve(value) for name, value in passed.items()}
