"""The stack templates as this tier sees them: as text, linted, and resolved for given parameters.

``stack("python", AppName="demo-app", …)`` evaluates the functions of CloudFormation that need no AWS, so
that a test compares values instead of expressions. What only AWS knows becomes a token in angle brackets:
``<LogicalId>``, ``<LogicalId.Attribute>``, ``<import the-sink-VpcId>``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from ipaddress import ip_network
from itertools import islice
from pathlib import Path
from typing import Any

import jinja2
import pytest
from jinja2_ansible_filters.core_filters import to_json

from sink_host.templates.conditions import holds
from the_sink.config.stack_template import parse_template
from the_sink.resources import resource_path

REPOSITORY = Path(__file__).resolve().parents[2]
FILES = {
    "platform": "stacks/platform/cfn-template.yml",
    "python": "stacks/python/cfn-template.yml",
    "pipeline": "stacks/python/pipeline.yml",
}
ANSWERS = {
    "app_name": "demo-app",
    "platform_name": "the-sink",
    "runtime_version": "3.13",
    "secrets_delivery": "task",
    "framework": "fastapi",
    "database": "none",
    "cost_center_id": "4711",
    "primary_owner": "first@example.org",
    "secondary_owner": "second@example.org",
    "project_group": "demos",
    "project_code": "demo-1",
}
PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Region": "eu-west-1",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "the-stack",
    "AWS::StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/the-stack/0-1-2-3-0123456789ab",
}
_NOTHING = object()


@dataclass(frozen=True)
class Stack:
    """A template, and what it comes to with the given parameters."""

    text: str
    template: dict[str, Any]
    parameters: dict[str, Any]

    def has(self, condition: str) -> bool:
        """Whether a condition of the template holds."""
        return holds(condition, self.template, self.parameters)

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """What would be made: resources whose condition holds, resolved."""
        return self._existing("Resources")

    @cached_property
    def outputs(self) -> dict[str, dict[str, Any]]:
        """What the stack would say of itself, resolved."""
        return self._existing("Outputs")

    def properties(self, logical_id: str) -> dict[str, Any]:
        """The resolved properties of one resource."""
        return self.resources[logical_id]["Properties"]

    def block(self, logical_id: str) -> str:
        """The source text of one resource."""
        return _block(self.text, logical_id)

    def _existing(self, section: str) -> dict[str, dict[str, Any]]:
        return {
            name: self._value({k: v for k, v in body.items() if k != "Condition"})
            for name, body in self.template[section].items()
            if "Condition" not in body or self.has(body["Condition"])
        }

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self._value, value) if item is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._call(function, argument)
        resolved = {key: self._value(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not _NOTHING}

    def _call(self, function: str, argument: Any) -> Any:
        match function:
            case "Ref":
                return self._ref(argument)
            case "Fn::GetAtt":
                return f"<{argument}>"
            case "Fn::ImportValue":
                return f"<import {self._value(argument)}>"
            case "Fn::Sub":
                return self._sub(argument)
            case "Fn::If":
                return self._value(argument[1] if self.has(argument[0]) else argument[2])
            case "Fn::Join":
                return argument[0].join(self._value(argument[1]))
            case "Fn::Split":
                return self._value(argument[1]).split(argument[0])
            case "Fn::Select":
                items = self._value(argument[1])
                one = len(items) == 1 and items[0].startswith("<")
                return f"{items[0]}[{argument[0]}]" if one else items[argument[0]]
            case "Fn::GetAZs":
                return ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
            case "Fn::Cidr":
                block, count, host_bits = self._value(argument)
                subnets = ip_network(block).subnets(new_prefix=32 - int(host_bits))
                return [str(subnet) for subnet in islice(subnets, int(count))]
        raise AssertionError(f"unknown function {function}")

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.template["Parameters"]:
            return self.parameters[name]
        assert name in self.template["Resources"], f"{name} is neither parameter nor resource"
        return f"<{name}>"

    def _sub(self, argument: Any) -> str:
        text, names = argument if isinstance(argument, list) else (argument, {})

        def fill(match: re.Match[str]) -> str:
            name = match[1]
            if name in names:
                return str(self._value(names[name]))
            return f"<{name}>" if "." in name else str(self._ref(name))

        return re.sub(r"\$\{([\w.:]+)\}", fill, text)


@cache
def _parsed(text: str) -> dict[str, Any]:
    """Half a second for each template, and no test changes what it gets."""
    template, problems = parse_template(text)
    assert problems == []
    return template


def _block(text: str, logical_id: str) -> str:
    lines = text.splitlines()
    start = lines.index(f"  {logical_id}:", lines.index("Resources:"))
    end = next((i for i in range(start + 1, len(lines)) if re.match(r"( {2})?\S", lines[i])), len(lines))
    return "\n".join(lines[start:end])


def _render(file: str, **answers: str) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)  # noqa: S701 - YAML and JSON
    environment.filters["to_json"] = to_json
    # A file that not every app has shows its condition in its name, around what it is called.
    (source,) = (each for each in (REPOSITORY / "template" / "aws").glob("*.jinja") if file in each.name)
    text = source.read_text()
    return environment.from_string(text).render({**ANSWERS, **answers})


@pytest.fixture(scope="session")
def template_text() -> Callable[..., str]:
    """A function that returns the text of a template: platform, python, pipeline, or app as generated."""

    def read(name: str, **answers: str) -> str:
        return (
            _render("cfn-template.yml", **answers)
            if name == "app"
            else resource_path(FILES[name]).read_text()
        )

    return read


@pytest.fixture(scope="session")
def configuration() -> Callable[..., dict[str, dict[str, str]]]:
    """A function that returns the configuration file of an environment as generated."""

    def read(env: str, **answers: str) -> dict[str, dict[str, str]]:
        return json.loads(_render(f"cfn-template-configuration-{env}.json", **answers))

    return read


@pytest.fixture(scope="session")
def stack(template_text: Callable[..., str]) -> Callable[..., Stack]:
    """A function that resolves a template: ``stack("pipeline", AppEnv="prod")``; defaults fill the rest."""
    required = {
        "PlatformName": "the-sink",
        "AppName": "demo-app",
        "AppEnv": "stage",
        "RuntimeVersion": "3.13",
        "ArchiveTag": "latest",
        "EcrTag": "latest",
    }

    def resolve(name: str, **parameters: str) -> Stack:
        text = template_text(name)
        template = _parsed(text)
        values: dict[str, Any] = {}
        for key, declared in template["Parameters"].items():
            value = parameters.get(key, declared.get("Default", required.get(key)))
            assert value is not None, f"{key} needs a value"
            values[key] = str(value).split(",") if declared["Type"] == "CommaDelimitedList" else str(value)
        assert parameters.keys() <= values.keys(), "a test passes a parameter that the template lacks"
        return Stack(text, template, values)

    return resolve
