"""What an app's ``aws/cfn-template.yml`` declares: its parameters, read from YAML with CloudFormation's tags.

The parameters of the app's own template decide what its configuration files must and may say, so a team
that adds one is not told that the platform does not know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from the_sink.config.problems import Problem

FILE = "aws/cfn-template.yml"

RUNTIME = "RuntimeVersion"
QUOTE_VERSIONS = f'Put every version of {RUNTIME} in quotes: "3.13".'


@dataclass(frozen=True)
class Parameter:
    """One parameter of a template, with the constraints that CloudFormation will hold its value against.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html

    Attributes:
        default: None where there is none, so that a value is required.
        has_lost_zero: Whether a version 3.10 stands there without quotes, so that YAML made 3.1 of it.
    """

    name: str
    type: str
    default: str | None = None
    allowed_values: tuple[str, ...] = ()
    allowed_pattern: str = ""
    constraint: str = ""
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    has_lost_zero: bool = False

    @property
    def is_required(self) -> bool:
        """Whether a stack cannot be made without a value for it."""
        return self.default is None


def parse_template(text: str, file: str = FILE) -> tuple[dict[str, Any], list[Problem]]:
    """Return a template as plain values, short forms such as ``!Ref`` as their long ones."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads every tag that begins with an exclamation mark as the function of that name."""

    def construct(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
        value: Any
        if isinstance(node, yaml.ScalarNode):
            value = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        elif isinstance(node, yaml.MappingNode):
            value = loader.construct_mapping(node, deep=True)
        return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}

    Loader.add_multi_constructor("!", construct)
    try:
        template = yaml.load(text, Loader)  # noqa: S506 (a SafeLoader, only taught tags)
    except yaml.YAMLError as error:
        return {}, [Problem(file, f"it is not YAML: {describe_yaml_error(error)}.")]
    if not isinstance(template, dict):
        return {}, [Problem(file, "it is empty, or no mapping; expected: Parameters, Resources and Outputs.")]
    return template, []


def read_parameters(
    template: Mapping[str, Any], file: str = FILE
) -> tuple[dict[str, Parameter], list[Problem]]:
    """Return a parsed template's parameters by name."""
    declared = template.get("Parameters", {})
    if not isinstance(declared, dict):
        return {}, [Problem(file, "Parameters must be a mapping of names.")]
    problems = []
    parameters = {}
    for name, body in declared.items():
        if not isinstance(body, dict):
            problems.append(Problem(file, f"the parameter {name} must be a mapping with a Type."))
            continue
        problems += _unquoted_problems(str(name), body, file)
        parameters[str(name)] = _parameter(str(name), body)
    return parameters, problems


def describe_yaml_error(error: Exception) -> str:
    """Return a YAML error in one line, with its place."""
    import yaml

    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{error.problem or 'a mistake'} in line {mark.line + 1}, column {mark.column + 1}"
    return " ".join(str(error).split())


def _parameter(name: str, body: Mapping[str, Any]) -> Parameter:
    values = body.get("AllowedValues", [])
    return Parameter(
        name=name,
        type=str(body.get("Type", "String")),
        default=as_text(body["Default"]) if "Default" in body else None,
        allowed_values=tuple(as_text(value) for value in values) if isinstance(values, list) else (),
        allowed_pattern=str(body.get("AllowedPattern", "")),
        constraint=str(body.get("ConstraintDescription", "")),
        minimum=_number(body.get("MinValue")),
        maximum=_number(body.get("MaxValue")),
        min_length=_length(body.get("MinLength")),
        max_length=_length(body.get("MaxLength")),
        has_lost_zero=3.1 in _unquoted_versions(name, body),
    )


def _unquoted_problems(name: str, body: Mapping[str, Any], file: str) -> list[Problem]:
    """Warn of versions without quotes: the legacy platform's templates have them, and mostly work.

    Only an environment that chooses 3.10 cannot be deployed; what its file says decides.
    """
    if not _unquoted_versions(name, body):
        return []
    message = f"{name} has versions without quotes: YAML reads 3.10 as the number 3.1."
    return [Problem(file, message, QUOTE_VERSIONS, is_warning=True)]


def _unquoted_versions(name: str, body: Mapping[str, Any]) -> list[float]:
    allowed = body.get("AllowedValues")
    versions = [body.get("Default"), *(allowed if isinstance(allowed, list) else [])]
    return [version for version in versions if isinstance(version, float)] if name == RUNTIME else []


def as_text(value: object) -> str:
    """Return a plain YAML value as CloudFormation reads it: YAML's true is "true" there."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _length(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)
