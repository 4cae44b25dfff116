"""What an app passes to the platform's nested stack and reads from it, held against what that stack has.

CloudFormation fails the update on a parameter too many or too few, after the build; cfn-lint does not look
inside a template that lies in a bucket. ``validate`` asks with the stack of the pinned version,
``deploy`` with the one that the environment's channel holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from the_sink.checks.effective import effective, platform_stacks
from the_sink.checks.parameters import check_value
from the_sink.config.environment_file import EnvironmentFile
from the_sink.config.problems import Problem, did_you_mean
from the_sink.config.stack_template import FILE as TEMPLATE_FILE
from the_sink.config.stack_template import Parameter, parse_template, read_parameters

_KEY = re.compile(r"stacks/python/cfn-template-v[\w.$\{\}-]+\.yml")


@dataclass(frozen=True)
class PlatformStack:
    """What a version of the platform's stack takes and gives.

    Attributes:
        parameters: By name.
        outputs: Their names.
    """

    parameters: Mapping[str, Parameter]
    outputs: frozenset[str] = frozenset()


def read_platform_stack(text: str) -> PlatformStack:
    """Return what a template of the platform declares; nothing where it cannot be read."""
    document, _ = parse_template(text)
    outputs = document.get("Outputs")
    return PlatformStack(
        read_parameters(document)[0], frozenset(outputs if isinstance(outputs, Mapping) else ())
    )


def check_passed(
    template: Mapping[str, Any],
    stack: PlatformStack,
    whose: str = "the platform's stack",
    newer: PlatformStack | None = None,
) -> list[Problem]:
    """Return every parameter that is passed and not declared, or needed and not passed, and unknown outputs.

    Args:
        template: The app's, parsed.
        stack: The platform's.
        whose: How messages call it.
        newer: A newer version of it, of whose names none is misspelt.

    Returns:
        Problems with a hint where the app's own template is what must be mended.
    """
    found: list[Problem] = []
    for name, passed in platform_stacks(template).items():
        for key in passed:
            if key not in stack.parameters:
                near = did_you_mean(key, stack.parameters) if not newer or key not in newer.parameters else ""
                found.append(_unknown(f"{name} passes {key}, no parameter of {whose}.{near}", near))
        found += [
            Problem(
                TEMPLATE_FILE, f"{name} does not pass {key}, which {whose} needs.", "Pass it, and commit."
            )
            for key, parameter in stack.parameters.items()
            if parameter.is_required and key not in passed
        ]
        for key in dict.fromkeys(_read_outputs(template, name)):
            if key not in stack.outputs:
                near = did_you_mean(key, stack.outputs) if not newer or key not in newer.outputs else ""
                found.append(_unknown(f"{name}.Outputs.{key} is read, no output of {whose}.{near}", near))
    return found


def check_values(
    env: str,
    template: Mapping[str, Any],
    own: Mapping[str, Parameter],
    content: EnvironmentFile,
    stack: PlatformStack,
) -> list[Problem]:
    """Return every value that an environment gives the platform's stack and its constraints refuse.

    Args:
        env: The environment's name.
        template: The app's, parsed.
        own: The parameters of that; what their own constraints refuse is left to
            :func:`the_sink.config.environment_file.check_environment_file`.
        content: The environment's configuration file.
        stack: The platform's.
    """
    if not platform_stacks(template):
        return []
    problems = []
    for name, parameter in stack.parameters.items():
        found = effective(name, env, template, own, content)
        if found is None:
            continue
        is_said = found.parameter and check_value(found.parameter, found.value, own.get(found.parameter))
        reason = "" if is_said else check_value(name, found.value, parameter)
        if reason:
            called = found.parameter or name
            problems.append(Problem(found.file, f"{called} {reason}", "Mend it there, and commit."))
    return problems


def passed_values(
    env: str, template: Mapping[str, Any], own: Mapping[str, Parameter], content: EnvironmentFile
) -> dict[str, dict[str, str | None]]:
    """Return what an environment passes to each nested stack of the platform's, by logical name.

    Returns:
        The parameters by name; None for what the files do not tell, an attribute of a resource for example.
    """
    return {
        stack: {
            name: found.value if (found := effective(name, env, template, own, content)) else None
            for name in passed
        }
        for stack, passed in platform_stacks(template).items()
    }


def _unknown(message: str, near: str) -> Problem:
    return Problem(TEMPLATE_FILE, message, "Spell it so there, and commit." if near else "")


def _read_outputs(value: object, stack: str) -> Iterator[str]:
    """Yield every output of a nested stack that a template, or a part of it, reads."""
    if isinstance(value, list):
        for each in value:
            yield from _read_outputs(each, stack)
    if not isinstance(value, Mapping):
        return
    for key, inner in value.items():
        if key == "Fn::GetAtt":
            path = inner if isinstance(inner, str) else ".".join(map(str, inner))
            read, _, output = path.partition(".Outputs.")
            if read == stack and output:
                yield output
        elif key == "Fn::Sub":
            text = inner[0] if isinstance(inner, list) and inner else inner
            yield from re.findall(rf"\$\{{{re.escape(stack)}\.Outputs\.(\w+)\}}", str(text))
            yield from _read_outputs(inner, stack)
        else:
            yield from _read_outputs(inner, stack)


def nested_template_keys(template: Mapping[str, Any], env: str) -> tuple[str, ...]:
    """Return the S3 keys of the platform's templates that an app nests in an environment.

    A key that hangs on anything but ``AppEnv`` is left out: what it becomes is CloudFormation's business.
    """
    resources = template.get("Resources")
    names = platform_stacks(template)
    found = []
    for name in names:
        url = str(resources[name]["Properties"]["TemplateURL"]) if isinstance(resources, Mapping) else ""
        for match in _KEY.findall(url):
            key = match.replace("${AppEnv}", env)
            if "$" not in key:
                found.append(key)
    return tuple(dict.fromkeys(found))
