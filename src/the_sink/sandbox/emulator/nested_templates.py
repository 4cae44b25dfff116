"""Finds the templates of a template's nested stacks before a stack is made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ministack.core.responses import request_scope
from ministack.services.cloudformation import engine, helpers

from the_sink.sandbox.emulator.stacks import NESTED
from the_sink.sandbox.lifecycle import ACCOUNT_ID


def nested_templates(body: str, parameters: Mapping[str, str], region: str) -> dict[str, str]:
    """Return the nested templates by address, one level deep.

    Left out is what has no address before the stack exists, and what CloudFormation itself refuses to read:
    whatever is wrong with a template's parameters, conditions or imports, it says better.
    """
    with request_scope(ACCOUNT_ID, region):
        found = {}
        for url in _addresses(body, parameters):
            text, problem = helpers._resolve_template({"TemplateURL": [url]})
            if text and problem is None:
                found[url] = text
        return found


def _addresses(body: str, parameters: Mapping[str, str]) -> Iterator[str]:
    try:
        template = engine._parse_template(body)
        provided = [{"Key": key, "Value": value} for key, value in parameters.items()]
        values = engine._resolve_parameters(template, provided)
        conditions = engine._evaluate_conditions(template, values)
    except Exception:
        return
    for definition in (template.get("Resources") or {}).values():
        if definition.get("Type") == NESTED and conditions.get(definition.get("Condition"), True):
            url = _address(definition, template, values, conditions)
            if url:
                yield url


def _address(
    definition: dict[str, Any], template: dict[str, Any], values: dict[str, Any], conditions: dict[str, Any]
) -> str:
    try:
        url = definition["Properties"]["TemplateURL"]
        mappings = template.get("Mappings") or {}
        return str(engine._resolve_refs(url, {}, values, conditions, mappings, "", ""))
    except Exception:
        return ""
