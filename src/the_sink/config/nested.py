"""What an app passes to the platform's nested stack, held against the parameters that stack has.

CloudFormation fails the update on a parameter too many or too few, after the build; cfn-lint does not look
inside a template that lies in a bucket. ``validate`` asks with the stack of the pinned version,
``deploy`` with the one that the environment's channel holds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from the_sink.config.effective import platform_stacks
from the_sink.config.problems import Problem, did_you_mean
from the_sink.config.stack_template import FILE as TEMPLATE_FILE
from the_sink.config.stack_template import Parameter

_KEY = re.compile(r"stacks/python/cfn-template-v[\w.$\{\}-]+\.yml")


def check_passed(
    template: Mapping[str, Any],
    declared: Mapping[str, Parameter],
    whose: str = "the platform's stack",
    newer: Collection[str] = (),
) -> list[Problem]:
    """Return every parameter that is passed and not declared, or needed and not passed.

    Args:
        template: The app's, parsed.
        declared: The parameters of the platform's stack.
        whose: How messages call that stack.
        newer: Parameters of a newer version of it: none of them is misspelt.

    Returns:
        Problems with a hint where the app's own template is what must be mended.
    """
    found: list[Problem] = []
    for name, passed in platform_stacks(template).items():
        for key in passed:
            if key not in declared:
                near = "" if key in newer else did_you_mean(key, declared)
                hint = "Spell it so there, and commit." if near else ""
                found.append(
                    Problem(TEMPLATE_FILE, f"{name} passes {key}, no parameter of {whose}.{near}", hint)
                )
        found += [
            Problem(
                TEMPLATE_FILE, f"{name} does not pass {key}, which {whose} needs.", "Pass it, and commit."
            )
            for key, parameter in declared.items()
            if parameter.is_required and key not in passed
        ]
    return found


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
