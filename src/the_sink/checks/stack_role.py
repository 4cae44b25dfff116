"""Whether the role that CloudFormation makes an app's stack under may make every kind of its resources.

What an environment's role may do besides is on AWS alone, in the managed policies that ``sink.toml`` names:
an environment that names some is left to the deploy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sink_host.templates.conditions import holds
from sink_host.templates.creating_actions import creating_actions
from the_sink.config.environment_file import effective_parameters, file_name, parse_environment_file
from the_sink.config.files import Folder
from the_sink.config.problems import Problem
from the_sink.config.settings import Environment, read_app
from the_sink.config.stack_template import FILE as TEMPLATE_FILE
from the_sink.config.stack_template import parse_template, read_parameters
from the_sink.resources import resource_path

_ROLE = "StackRole"


def check_resources(root: Path) -> list[Problem]:
    """Return an error for each resource of the app's template that no deploy could make on AWS.

    Left out is whatever is not certain: a type of which nobody can tell what its creation takes, and a
    resource whose condition cannot be worked out.
    """
    settings, _ = read_app(root)
    template, unread = _read(root, TEMPLATE_FILE)
    if settings is None or unread:
        return []  # said by whoever reads these files first
    refused: dict[tuple[str, str, str], list[str]] = {}
    allowed = _shipped_actions()
    for environment in settings.environments:
        if not environment.additional_policies:
            for found in _beyond_reach(root, template, environment, allowed):
                refused.setdefault(found, []).append(environment.name)
    return [
        Problem(
            TEMPLATE_FILE,
            f"{logical_id} ({kind}) cannot be made in {', '.join(names)}: {_ROLE} lacks {action}.",
            f"Name a managed policy that allows it in additional_policies of sink.toml "
            f"(docs/how-to/add-a-resource.md), and run invoke bootstrap --env {names[0]}.",
        )
        for (logical_id, kind, action), names in refused.items()
    ]


def allowed_actions(stack: Mapping[str, Any]) -> set[str]:
    """Return the patterns of the actions that a pipeline's template allows its StackRole on anything."""
    documents = []
    for name, resource in stack["Resources"].items():
        properties = resource.get("Properties", {})
        if name == _ROLE or {"Ref": _ROLE} in properties.get("Roles", []):
            documents += [properties.get("Policies", []), properties.get("PolicyDocument", {})]
    return set(_allowed(documents))


def may_make(kind: str, region: str, allowed: Collection[str]) -> bool:
    """Return whether a role with these patterns of allowed actions may make a type, for all that is known."""
    actions = creating_actions(kind, region)
    return not actions or any(
        fnmatchcase(action.lower(), pattern.lower()) for action in actions for pattern in allowed
    )


def _shipped_actions() -> set[str]:
    text = resource_path("stacks/python/pipeline.yml").read_text(encoding="utf-8")
    return allowed_actions(parse_template(text, "stacks/python/pipeline.yml")[0])


def _beyond_reach(
    root: Path, template: Mapping[str, Any], environment: Environment, allowed: Collection[str]
) -> Iterator[tuple[str, str, str]]:
    """Yield logical id, type and the action that the role lacks."""
    parameters = _parameters(root, template, environment.name)
    resources = template.get("Resources")
    for logical_id, resource in resources.items() if isinstance(resources, dict) else ():
        kind = resource.get("Type") if isinstance(resource, dict) else None
        if not isinstance(kind, str) or may_make(kind, environment.region, allowed):
            continue
        if "Condition" not in resource or _holds(resource["Condition"], template, parameters):
            yield str(logical_id), kind, creating_actions(kind, environment.region)[0]


def _holds(condition: Any, template: Mapping[str, Any], parameters: Mapping[str, str]) -> bool:
    """Whether a condition surely holds."""
    try:
        return holds(condition, template, parameters)
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def _parameters(root: Path, template: Mapping[str, Any], env: str) -> dict[str, str]:
    text, unread = Folder(root).read(file_name(env))
    if unread:
        return {}
    content, _ = parse_environment_file(text, file_name(env))
    return effective_parameters(content, read_parameters(template)[0])


def _read(root: Path, file: str) -> tuple[dict[str, Any], list[Problem]]:
    text, problems = Folder(root).read(file)
    return ({}, problems) if problems else parse_template(text)


def _allowed(policy: Any) -> Iterator[str]:
    if isinstance(policy, list):
        for each in policy:
            yield from _allowed(each)
    elif isinstance(policy, dict) and policy.get("Effect") == "Allow":
        actions = policy.get("Action", "*")
        yield from [actions] if isinstance(actions, str) else actions
    elif isinstance(policy, dict):
        yield from _allowed(list(policy.values()))
