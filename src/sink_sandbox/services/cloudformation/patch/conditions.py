"""Conditions over lists: ``Fn::Join`` of a list parameter, which the emulator never takes for empty.

It is the one way to ask whether a CommaDelimitedList is empty.
"""

from __future__ import annotations

from typing import Any

from ministack.services.cloudformation import changesets, engine, handlers, stacks


def install() -> None:
    """Let every operation on stacks work such conditions out."""
    evaluate = engine._evaluate_conditions

    def evaluate_joined(template: dict[str, Any], params: dict[str, Any]) -> Any:
        return evaluate({**template, "Conditions": _joined(template.get("Conditions", {}), params)}, params)

    for module in (changesets, engine, handlers, stacks):
        module._evaluate_conditions = evaluate_joined


def _joined(value: Any, params: dict[str, Any]) -> Any:
    """Put the text of each join in its place."""
    if isinstance(value, list):
        return [_joined(item, params) for item in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Join" in value:
        separator, items = value["Fn::Join"]
        name = items.get("Ref", "") if isinstance(items, dict) else ""
        given = params.get(name, {}).get("Value")
        if isinstance(given, str):
            return str(separator).join(part.strip() for part in given.split(","))
    return {key: _joined(item, params) for key, item in value.items()}
