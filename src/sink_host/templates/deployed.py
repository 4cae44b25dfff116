"""A template as CloudFormation will deploy it: without the branches that its parameters rule out.

A property that only one environment has, and that is empty by default, would else be judged with a value that
it never gets. Works on YAML's nodes, so that quotes, tags and the lines of the file are kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sink_host.templates.conditions import holds

if TYPE_CHECKING:
    import yaml

_LIST = re.compile(r"CommaDelimitedList|List<|AWS::SSM::Parameter::Value<(List<|CommaDelimitedList)")
_SHORT_IF, _LONG_IF = "!If", "Fn::If"
_STRING = "tag:yaml.org,2002:str"


@dataclass(frozen=True)
class DeployedTemplate:
    """A template for one set of parameters.

    Attributes:
        text: YAML, with every branch that cannot be left out; as it was written where it is not YAML.
        parameters: The known values that are not the default's, by name; never one with ``NoEcho``.
        lines: Of the original, for each line of the text; both count from 1.
    """

    text: str
    parameters: Mapping[str, str]
    lines: tuple[int, ...] = ()

    def original_line(self, line: int | None) -> int:
        """Return where a line of ``text`` came from; 0 where that is not known."""
        if not line:
            return 0
        if not self.lines:
            return line
        return self.lines[min(line, len(self.lines)) - 1]


def deployed_template(text: str, parameters: Mapping[str, str | None]) -> DeployedTemplate:
    """Resolve the conditions of a template.

    A condition whose outcome the parameters do not tell stays, with both of its branches.

    Args:
        text: The template, YAML or JSON.
        parameters: By name; None for a value that is given and not known before the stack exists.
    """
    import yaml

    if text.lstrip().startswith("{"):
        text = text.replace("\t", " ")  # as JSON has it, and YAML has not
    try:
        return _deploy(text, parameters)
    except (yaml.YAMLError, RecursionError):  # an alias may stand for what it is in
        return DeployedTemplate(text, {})


def _deploy(text: str, parameters: Mapping[str, str | None]) -> DeployedTemplate:
    import yaml

    root = yaml.compose(text, _loader())
    if not isinstance(root, yaml.MappingNode):
        return DeployedTemplate(text, {})
    sections = _entries(root)
    declared = _entries(sections.get("Parameters"))
    secret = {
        name for name, body in declared.items() if _text(_entries(body).get("NoEcho")).lower() == "true"
    }
    known = {
        name: value
        for name, value in parameters.items()
        if value is not None and name in declared and name not in secret and value != _default(declared[name])
    }
    unknown = secret | {name for name, value in parameters.items() if value is None}
    outcomes = _outcomes(sections.get("Conditions"), declared, {**dict.fromkeys(unknown), **known})
    resolved = _Resolver(outcomes, unknown).template(root)
    made = yaml.serialize(resolved, Dumper=_dumper(), width=2**31 - 1, allow_unicode=True)
    lines = _lines(resolved, yaml.compose(made, _loader()), len(made.splitlines()))
    return DeployedTemplate(made, known, lines)


class _Resolver:
    def __init__(self, outcomes: Mapping[str, bool], unknown: set[str]) -> None:
        self._outcomes = outcomes
        self._unknown = unknown

    def template(self, root: yaml.MappingNode) -> yaml.MappingNode:
        entries = []
        absent = {
            name for name, body in _entries(_entries(root).get("Resources")).items() if self._is_absent(body)
        }
        for key, section in root.value:
            match key.value:
                case "Resources" | "Outputs":
                    section = self._section(section, absent)
                case "Parameters":
                    section = self._without_defaults(section)
                case "Conditions" if len(self._outcomes) == len(_entries(section)):
                    continue
            entries.append((key, section))
        return _mapping(root, entries)

    def _is_absent(self, body: yaml.Node) -> bool:
        return self._outcomes.get(_text(_entries(body).get("Condition")), True) is False

    def _section(self, section: yaml.Node, absent: set[str]) -> yaml.Node:
        if not _is_mapping(section):
            return section
        return _mapping(
            section,
            [(key, self._entry(body, absent)) for key, body in section.value if not self._is_absent(body)],
        )

    def _entry(self, body: yaml.Node, absent: set[str]) -> yaml.Node:
        """A resource or an output, which is there."""
        if not _is_mapping(body):
            return body
        kept = []
        for key, value in body.value:
            if key.value == "Condition" and self._outcomes.get(_text(value)):
                continue
            resolved = self._depends_on(value, absent) if key.value == "DependsOn" else self._resolve(value)
            if resolved is not None:
                kept.append((key, resolved))
        return _mapping(body, kept)

    def _depends_on(self, value: yaml.Node, absent: set[str]) -> yaml.Node | None:
        """CloudFormation waits for nothing that is not there."""
        if _is_sequence(value):
            return _sequence(value, [item for item in value.value if _text(item) not in absent])
        return None if _text(value) in absent else value

    def _without_defaults(self, section: yaml.Node) -> yaml.Node:
        """Nothing is judged by the default of a parameter that is given another value."""
        if not _is_mapping(section):
            return section
        return _mapping(
            section,
            [
                (
                    key,
                    _mapping(body, [entry for entry in body.value if entry[0].value != "Default"])
                    if key.value in self._unknown and _is_mapping(body)
                    else body,
                )
                for key, body in section.value
            ],
        )

    def _resolve(self, node: yaml.Node) -> yaml.Node | None:
        """What comes of a value; None for ``AWS::NoValue``."""
        branches = _branches(node)
        if branches is not None:
            condition, when, otherwise = branches
            outcome = self._outcomes.get(_text(condition))
            if outcome is not None:
                return self._resolve(when if outcome else otherwise)
            return _if(node, [condition, self._resolve(when) or when, self._resolve(otherwise) or otherwise])
        if _is_no_value(node):
            return None
        if _is_sequence(node):
            return _sequence(node, [made for item in node.value if (made := self._resolve(item)) is not None])
        if _is_mapping(node):
            entries = ((key, self._resolve(value)) for key, value in node.value)
            return _mapping(node, [(key, value) for key, value in entries if value is not None])
        return node


def _outcomes(
    section: yaml.Node | None, declared: Mapping[str, yaml.Node], values: Mapping[str, str | None]
) -> dict[str, bool]:
    """What the conditions come to that can be worked out."""
    parameters: dict[str, Any] = {}
    for name, body in declared.items():
        value = values.get(name, _default(body))
        if value is not None:
            is_list = _LIST.match(_text(_entries(body).get("Type")))
            parameters[name] = [item.strip() for item in value.split(",")] if is_list else value
    conditions = {"Conditions": {name: _plain(body) for name, body in _entries(section).items()}}
    found = {}
    for name in conditions["Conditions"]:
        # What is wrong with it, or needs a mapping or AWS's own values, is not decided here.
        with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
            found[name] = holds(name, conditions, parameters)
    return found


def _default(body: yaml.Node) -> str | None:
    default = _entries(body).get("Default")
    return None if default is None else _text(default)


def _branches(node: yaml.Node) -> list[yaml.Node] | None:
    arguments = node
    if _is_mapping(node) and len(node.value) == 1 and node.value[0][0].value == _LONG_IF:
        arguments = node.value[0][1]
    elif node.tag != _SHORT_IF:
        return None
    return list(arguments.value) if _is_sequence(arguments) and len(arguments.value) == 3 else None


def _if(node: yaml.Node, arguments: list[yaml.Node]) -> yaml.Node:
    if node.tag == _SHORT_IF:
        return _sequence(node, arguments)
    ((key, value),) = node.value
    return _mapping(node, [(key, _sequence(value, arguments))])


def _is_no_value(node: yaml.Node) -> bool:
    if _is_mapping(node) and len(node.value) == 1 and node.value[0][0].value == "Ref":
        return _text(node.value[0][1]) == "AWS::NoValue"
    return bool(node.tag == "!Ref" and node.value == "AWS::NoValue")


def _is_mapping(node: yaml.Node | None) -> bool:
    return getattr(node, "id", "") == "mapping"


def _is_sequence(node: yaml.Node | None) -> bool:
    return getattr(node, "id", "") == "sequence"


def _entries(node: yaml.Node | None) -> dict[str, yaml.Node]:
    return (
        {str(key.value): value for key, value in node.value} if node is not None and _is_mapping(node) else {}
    )


def _text(node: yaml.Node | None) -> str:
    return str(node.value) if node is not None and getattr(node, "id", "") == "scalar" else ""


def _plain(node: yaml.Node) -> Any:
    """A condition as :func:`holds` takes it."""
    value: Any = str(node.value)
    if _is_mapping(node):
        value = {str(key.value): _plain(item) for key, item in node.value}
    elif _is_sequence(node):
        value = [_plain(item) for item in node.value]
    if not node.tag.startswith("!"):
        return value
    name = node.tag[1:]
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


def _mapping(node: yaml.Node, entries: list[tuple[yaml.Node, yaml.Node]]) -> yaml.MappingNode:
    import yaml

    return yaml.MappingNode(node.tag, entries, node.start_mark, node.end_mark, flow_style=False)


def _sequence(node: yaml.Node, items: list[yaml.Node]) -> yaml.SequenceNode:
    import yaml

    return yaml.SequenceNode(node.tag, items, node.start_mark, node.end_mark, flow_style=False)


def _lines(before: yaml.Node, after: Any, count: int) -> tuple[int, ...]:
    """The original's line for each line of what was made of it: both have the same nodes."""
    found: dict[int, int] = {}
    pending: list[tuple[Any, Any]] = [(before, after)]
    while pending:
        old, new = pending.pop()
        found.setdefault(new.start_mark.line, old.start_mark.line)
        if _is_mapping(new):
            for (old_key, old_value), (new_key, new_value) in zip(old.value, new.value, strict=True):
                found[new_key.start_mark.line] = old_key.start_mark.line
                pending.append((old_value, new_value))
        elif _is_sequence(new):
            pending += zip(old.value, new.value, strict=True)
    lines, last = [], 0
    for line in range(count):
        last = found.get(line, last)
        lines.append(last + 1)
    return tuple(lines)


def _loader() -> Any:
    """Return libyaml's loader where PyYAML was built with it: a tenth of the time."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _dumper() -> Any:
    import yaml

    return getattr(yaml, "CSafeDumper", yaml.SafeDumper)
