"""What the conditions of a stack template come to with given parameters.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-conditions.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOTHING = object()
"""What ``Ref: AWS::NoValue`` stands for: the property or entry is not there."""


def holds(condition: str, template: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
    """Return whether a condition of a parsed template holds.

    Args:
        condition: Its name.
        template: With the functions in their long form, as ``parse_template`` returns it.
        parameters: A value for every parameter that conditions read: text, or a list of texts.

    Raises:
        ValueError: a function that is none of conditions.
    """
    return _test(template["Conditions"][condition], template, parameters)


def resolve(value: Any, template: Mapping[str, Any], parameters: Mapping[str, Any]) -> Any:
    """Return ``value`` with every ``Fn::If`` and ``Ref`` of a parameter worked out, the rest as it stands."""
    if isinstance(value, list):
        resolved = [resolve(item, template, parameters) for item in value]
        return [item for item in resolved if item is not NOTHING]
    if not isinstance(value, Mapping):
        return value
    if "Fn::If" in value:
        condition, when, otherwise = value["Fn::If"]
        chosen = when if holds(condition, template, parameters) else otherwise
        return resolve(chosen, template, parameters)
    if "Ref" in value:
        name = value["Ref"]
        return NOTHING if name == "AWS::NoValue" else parameters.get(name, value)
    items = {key: resolve(item, template, parameters) for key, item in value.items()}
    return {key: item for key, item in items.items() if item is not NOTHING}


def _test(expression: Mapping[str, Any], template: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
    ((function, operands),) = expression.items()
    match function:
        case "Condition":
            return holds(operands, template, parameters)
        case "Fn::Equals":
            left, right = (_text(operand, parameters) for operand in operands)
            return left == right
        case "Fn::Not":
            return not _test(operands[0], template, parameters)
        case "Fn::And":
            return all(_test(operand, template, parameters) for operand in operands)
        case "Fn::Or":
            return any(_test(operand, template, parameters) for operand in operands)
    raise ValueError(f"{function} is no function of conditions.")


def _text(operand: Any, parameters: Mapping[str, Any]) -> str:
    """An operand as CloudFormation compares it: as text, so that 0 and "0" are equal."""
    if not isinstance(operand, Mapping):
        return str(operand)
    ((function, argument),) = operand.items()
    if function == "Ref":
        return str(parameters[argument])
    if function == "Fn::Join":
        separator, items = argument
        return str(separator).join(parameters[items["Ref"]])
    raise ValueError(f"{function} is no operand that is known here.")
