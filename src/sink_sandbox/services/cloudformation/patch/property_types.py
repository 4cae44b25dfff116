"""Properties reach a resource's handler in the types that its schema has, whatever a template wrote.

CloudFormation itself passes every value on as a string
(https://github.com/aws-cloudformation/cloudformation-cli/issues/435), and a service reads from it what the
type's schema asks for. So ``Value: 1`` of a container's environment is ``"1"``, and ``DesiredCount: "2"``,
which is what a parameter of type Number gives, is 2. The emulator passes on what the template's parser made.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core.responses import get_region
from ministack.services.cloudformation import provisioners, stacks

from sink_host.templates.resource_schemas import resource_schema

Schema = dict[str, Any]


class WrongType(ValueError):
    """A property is not what the type's schema asks for, and cannot be read as that.

    The message is the one that the registry gives, as in
    https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2097.
    """

    def __init__(self, logical_id: str, problems: list[str]) -> None:
        lines = "\n".join(problems)
        super().__init__(f"Properties validation failed for resource {logical_id} with message:\n{lines}")


def install() -> None:
    """Convert what is created and updated, in stacks and in those nested in them."""
    with_stack_tags = provisioners._with_stack_tags

    def with_stack_tags_and_types(
        kind: str, props: Any, stack_tags: Any, stack_name: str, stack_id: str, logical_id: str
    ) -> Any:
        typed = typed_properties(kind, props, get_region(), logical_id)
        return with_stack_tags(kind, typed, stack_tags, stack_name, stack_id, logical_id)

    # The one step that properties pass before they are compared, and before a handler sees them.
    provisioners._with_stack_tags = with_stack_tags_and_types
    stacks._with_stack_tags = with_stack_tags_and_types


def typed_properties(kind: str, properties: Any, region: str, logical_id: str) -> Any:
    """Return the properties in the types of the schema; those of an unknown type as they are.

    Raises:
        WrongType: naming each property that cannot be read as what the schema asks for.
    """
    schema = resource_schema(kind, region)
    if not schema or not isinstance(properties, dict):
        return properties
    reader = _Reader(schema)
    typed = reader.read(properties, schema, "#")
    if reader.problems:
        raise WrongType(logical_id, reader.problems)
    return typed


class _Reader:
    def __init__(self, root: Schema) -> None:
        self._root = root
        self.problems: list[str] = []

    def read(self, value: Any, schema: Schema, path: str) -> Any:
        variants = list(self._variants(schema))
        if isinstance(value, dict | list):
            found = "object" if isinstance(value, dict) else "array"
            self._expect(found, _types(variants), path)
        if isinstance(value, dict):
            return {key: self._read_member(value, key, variants, path) for key in value}
        if isinstance(value, list):
            items: Schema = next((each["items"] for each in variants if "items" in each), {})
            return [self.read(item, items, f"{path}/{index}") for index, item in enumerate(value)]
        return self._read_scalar(value, _types(variants), path)

    def _read_member(self, owner: dict[str, Any], key: str, variants: list[Schema], path: str) -> Any:
        for each in variants:
            if key in each.get("properties", {}):
                return self.read(owner[key], each["properties"][key], f"{path}/{key}")
        for each in variants:
            for free in (*each.get("patternProperties", {}).values(), each.get("additionalProperties")):
                if isinstance(free, dict):
                    return self.read(owner[key], free, f"{path}/{key}")
        return owner[key]

    def _read_scalar(self, value: Any, types: set[str], path: str) -> Any:
        found = _name(value)
        if not types or found is None:
            return value
        if "string" in types:  # as CloudFormation passes it on, if other types would do as well
            return _string(value)
        if found in types or (found == "integer" and "number" in types):
            return value
        for wanted in _ORDER:
            if wanted in types:
                try:
                    return _CONVERSIONS[wanted](value)
                except ValueError:
                    continue
        self._expect(found, types, path)
        return value

    def _expect(self, found: str, types: set[str], path: str) -> None:
        if types and found not in types:
            wanted = next(name for name in (*_ORDER, *sorted(types)) if name in types)
            self.problems.append(f"{path}: expected type: {_said(wanted)}, found: {_said(found)}")

    def _variants(self, schema: Schema) -> Iterator[Schema]:
        """Yield what a schema is, or may be, all references followed."""
        reference = schema.get("$ref", "")
        if reference.startswith("#/"):
            target: Any = self._root
            for step in reference.removeprefix("#/").split("/"):
                target = target.get(step, {})
            yield from self._variants(target)
        yield schema
        for key in ("allOf", "anyOf", "oneOf"):
            for each in schema.get(key, ()):
                yield from self._variants(each)


def _types(variants: list[Schema]) -> set[str]:
    types: set[str] = set()
    for each in variants:
        named = each.get("type", ())
        types.update([named] if isinstance(named, str) else named)
    return types


def _name(value: Any) -> str | None:
    """Return the JSON type of a scalar; None for what is not one, such as a value that is left out."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "date" if isinstance(value, datetime.date) else None


def _said(name: str) -> str:
    """Return a type as the registry's messages call it, which are those of a Java library."""
    return {"object": "JSONObject", "array": "JSONArray", "date": "String"}.get(name, name.capitalize())


def _boolean(value: Any) -> bool:
    text = str(value).lower()
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _string(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime.date) else str(value)


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "integer": lambda value: int(_string(value)),
    "number": lambda value: float(_string(value)),
    "boolean": _boolean,
    "string": _string,
}
_ORDER = ("integer", "number", "boolean", "string")
