"""Variables of actions: which a definition may refer to, and what they are when an action begins (pure).

https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sink_sandbox.services.codepipeline.errors import ServiceError

_REFERENCE = re.compile(r"#\{([A-Za-z0-9@_-]+)\.([A-Za-z0-9@_-]+)\}")

_OF_EVERY_EXECUTION = "codepipeline"
_OF_THE_PIPELINE = "variables"

_KEYS = {
    "S3": frozenset({"BucketName", "ETag", "ObjectKey", "VersionId"}),
    "ECS": frozenset[str](),
    "Manual": frozenset[str](),
}
"""What the actions of a provider put out, where that is fixed; builds and stacks put out what they like."""


class Unresolved(Exception):
    """A reference to a variable that has no value; the message is for the action's error details."""


def resolve_variables(text: str, namespaces: Mapping[str, Mapping[str, str]]) -> str:
    """Return ``text`` with ``#{namespace.name}`` replaced.

    Raises:
        Unresolved: no action before has put the variable out.
    """

    def value(match: re.Match[str]) -> str:
        found = namespaces.get(match[1], {}).get(match[2])
        if found is None:
            raise Unresolved(f"The variable {match[0]} could not be resolved: nothing has set it.")
        return found

    return _REFERENCE.sub(value, text)


def check_variables(declaration: Mapping[str, Any], artifacts: set[str]) -> None:
    """Refuse a namespace that is not unique, and a reference to what surely has no value.

    Args:
        declaration: The API's pipeline declaration, complete.
        artifacts: The names of its artifacts, which no namespace may have.

    Raises:
        ServiceError: InvalidActionDeclarationException.
    """
    own = {variable["name"] for variable in declaration.get("variables") or []}
    known: dict[str, frozenset[str] | None] = {
        _OF_EVERY_EXECUTION: frozenset({"PipelineExecutionId"}),
        _OF_THE_PIPELINE: frozenset(own),
    }
    for stage in declaration["stages"]:
        for together in _by_run_order(stage):
            for action in together:
                _check_references(stage["name"], action, known)
            for action in together:
                namespace = action.get("namespace")
                if not namespace:
                    continue
                if namespace in known:
                    # As in https://github.com/aws/aws-cdk/issues/6111
                    raise _refused(
                        "Namespaces must be unique across the pipeline definition. The following occur more "
                        f"than once in the pipeline. StageName=[{stage['name']}], "
                        f"ActionName=[{action['name']}], Namespace=[{namespace}]"
                    )
                if namespace in artifacts:
                    raise _refused(f"The namespace {namespace} of {action['name']} is an artifact's name.")
                known[namespace] = _put_out(action)


def _by_run_order(stage: Mapping[str, Any]) -> Iterator[list[Mapping[str, Any]]]:
    for order in sorted({action["runOrder"] for action in stage["actions"]}):
        yield [action for action in stage["actions"] if action["runOrder"] == order]


def _put_out(action: Mapping[str, Any]) -> frozenset[str] | None:
    provider = action["actionTypeId"]["provider"]
    if provider == "Commands":
        return frozenset(action.get("outputVariables") or ())
    return _KEYS.get(provider)


def _check_references(
    stage: str, action: Mapping[str, Any], known: Mapping[str, frozenset[str] | None]
) -> None:
    told = json.dumps([action["configuration"], action.get("commands")])
    for namespace, name in _REFERENCE.findall(told):
        where = f"The action {action['name']} of the stage {stage} refers to #{{{namespace}.{name}}}"
        if namespace not in known:
            raise _refused(f"{where}, but no action before it has the namespace {namespace}.")
        keys = known[namespace]
        if keys is not None and name not in keys:
            raise _refused(f"{where}, but nothing gives that variable a value.")


def _refused(message: str) -> ServiceError:
    return ServiceError("InvalidActionDeclarationException", message)
