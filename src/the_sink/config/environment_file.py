"""``aws/cfn-template-configuration-<env>.json``: what CodePipeline passes to the app's stack.

CodePipeline fails its CloudFormation action on anything but the three keys, on values that are no
strings and on parameters that the template does not have, minutes after the deploy began; here it takes
milliseconds. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-cfn-artifacts.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from the_sink.config.problems import Problem, did_you_mean
from the_sink.config.stack_template import Parameter

KEYS = ("Parameters", "Tags", "StackPolicy")


@dataclass(frozen=True)
class EnvironmentFile:
    """One environment's configuration file: what of it can be passed on.

    Attributes:
        parameters: Those whose values are strings.
        tags: Likewise.
        named: Every parameter that is there, whatever its value; None where there are no Parameters.
    """

    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    named: frozenset[str] | None = None


@dataclass(frozen=True)
class _Number:
    """A JSON number as it was written: 3.10 and 3.1 are the same number."""

    written: str


def file_name(env: str) -> str:
    """Return the path of an environment's file inside an app."""
    return f"aws/cfn-template-configuration-{env}.json"


def parse_environment_file(text: str, file: str) -> tuple[EnvironmentFile, list[Problem]]:
    """Return what the file says, with whatever cannot be passed on left out and named."""
    problems: list[Problem] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in found]
        problems.extend(
            Problem(file, f"{name} is there twice; only the last one would count.")
            for name in sorted({name for name in names if names.count(name) > 1})
        )
        return dict(found)

    try:
        document = json.loads(
            text.removeprefix("\ufeff"), object_pairs_hook=pairs, parse_float=_Number, parse_int=_Number
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        message = error.msg[0].lower() + error.msg[1:]
        hint = "JSON has double quotes only, no comments, and no comma after the last entry."
        return EnvironmentFile(), [Problem(file, f"it is not JSON: {message} in {place}.", hint)]
    if text.startswith("\ufeff"):
        problems.append(Problem(file, "it begins with a byte order mark.", "Save it as UTF-8 without one."))
    if not isinstance(document, dict):
        return EnvironmentFile(), [
            *problems,
            Problem(file, f"it is {_kind(document)}; expected: an object with Parameters and Tags."),
        ]
    known = f"Known are {', '.join(KEYS)}."
    problems.extend(
        Problem(file, f"{key} is no key of it.{did_you_mean(key, KEYS)}", known)
        for key in document
        if key not in KEYS
    )
    if "Parameters" not in document:
        problems.append(Problem(file, "Parameters is missing.", 'Write "Parameters": {…}.'))
    if not isinstance(document.get("StackPolicy", {}), dict):
        problems.append(
            Problem(file, f"StackPolicy is {_kind(document['StackPolicy'])}; expected: an object.")
        )
    given = document.get("Parameters")
    content = EnvironmentFile(
        parameters=_strings(document, "Parameters", file, problems),
        tags=_strings(document, "Tags", file, problems),
        named=frozenset(given) if isinstance(given, dict) else None,
    )
    return content, problems


def effective_parameters(content: EnvironmentFile, declared: Mapping[str, Parameter]) -> dict[str, str]:
    """Return the values that the app's stack will have: the file's, and the defaults of its template.

    A parameter that the file names with something other than text has none, and of a file without
    Parameters nobody knows what it was to leave to the defaults.
    """
    if content.named is None:
        return {}
    defaults = {
        name: parameter.default
        for name, parameter in declared.items()
        if parameter.default is not None and name not in content.named
    }
    return {**defaults, **content.parameters}


def _strings(document: Mapping[str, Any], key: str, file: str, problems: list[Problem]) -> dict[str, str]:
    values = document.get(key, {})
    if not isinstance(values, dict):
        problems.append(Problem(file, f"{key} is {_kind(values)}; expected: an object of strings."))
        return {}
    for name, value in values.items():
        if not isinstance(value, str):
            problems.append(Problem(file, f"{name} is {_kind(value)}; {_repair(name, value)}"))
    return {name: value for name, value in values.items() if isinstance(value, str)}


def _repair(name: str, value: object) -> str:
    only = "CloudFormation takes strings only"
    if name == "RuntimeVersion" and isinstance(value, _Number) and float(value.written) == 3.1:
        return f'{only}, and as numbers 3.10 and 3.1 are the same: write "3.10".'
    if isinstance(value, _Number):
        return f'{only}: write "{value.written}".'
    if isinstance(value, bool):
        return f'{only}: write "{str(value).lower()}".'
    return f"{only}."


def _kind(value: object) -> str:
    if isinstance(value, _Number):
        return f"the number {value.written}"
    if isinstance(value, bool):
        return str(value).lower()
    names: dict[type, str] = {
        str: "text",
        list: "a list",
        dict: "an object",
        type(None): "null",
        float: "no JSON",
    }
    return names[type(value)]
