"""CloudFormation refuses here what AWS refuses, and updates what AWS updates.

Corrections of requests: template addresses in the virtual-host style, parameters that the template does
not have, names that nothing defines, capabilities, stacks whose creation was rolled back, and change sets
that only a condition or a nested stack makes necessary.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlparse

from ministack.services import cloudformation
from ministack.services.cloudformation import (
    _ACTION_HANDLERS,
    _change_sets,
    _stacks,
    changesets,
    engine,
    handlers,
    helpers,
)

NESTED = "AWS::CloudFormation::Stack"

_UPDATABLE = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    }
)

_INTERRUPTED = {
    "CREATE_IN_PROGRESS": "ROLLBACK_COMPLETE",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_COMPLETE",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
}
"""What a stack becomes that the sandbox's end caught at work; one that was being updated can be again."""

_VIRTUAL_HOST = re.compile(
    r"^(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?$"
)


def install() -> None:
    """Apply the corrections."""
    _resolve_virtual_hosts()
    _refuse_unknown_parameters()
    _word_refused_values()
    _refuse_undefined_names()
    handlers._capabilities_enforced = lambda: True
    _refuse_by_state()
    _never_overlook_nested_stacks()
    _diff_by_condition()
    _change_outputs()
    _settle_what_was_interrupted()


def _settle_what_was_interrupted() -> None:
    """No operation survives its process: a stack that was at work could never be changed again."""
    load = cloudformation.load_persisted_state

    def load_and_settle(data: Any) -> None:
        load(data)
        for _, stack in _stacks.all_items():
            status = str(stack.get("StackStatus", ""))
            if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
                stack["StackStatus"] = _INTERRUPTED.get(status, "UPDATE_ROLLBACK_COMPLETE")
                stack["StackStatusReason"] = f"The sandbox ended while this stack was {status}."

    cloudformation.load_persisted_state = load_and_settle


def path_style(url: str) -> str:
    """Return an S3 address with the bucket in the path, which is what the emulator reads."""
    parsed = urlparse(url)
    match = _VIRTUAL_HOST.match(parsed.netloc)
    return f"https://s3.amazonaws.com/{match['bucket']}{unquote(parsed.path)}" if match else url


def _resolve_virtual_hosts() -> None:
    resolve = helpers._resolve_document

    def resolve_document(params: dict[str, Any], body_key: str, url_key: str, label: str) -> Any:
        url = helpers._p(params, url_key)
        if url:
            params = {**params, url_key: [path_style(url)]}
        return resolve(params, body_key, url_key, label)

    helpers._resolve_document = resolve_document


def _refuse_unknown_parameters() -> None:
    resolve = engine._resolve_parameters

    def resolve_parameters(
        template: dict[str, Any], provided: list[dict[str, Any]], previous: dict[str, Any] | None = None
    ) -> Any:
        known = template.get("Parameters") or {}
        unknown = [entry["Key"] for entry in provided if "Key" in entry and entry["Key"] not in known]
        if unknown:
            raise ValueError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
        return resolve(template, provided, previous)

    for module in (engine, handlers, changesets):
        module._resolve_parameters = resolve_parameters


def _word_refused_values() -> None:
    """Put the words around a constraint's description that AWS puts there.

    Its documentation shows other ones (Malformed input-Parameter …); these are what the API answers, as in
    https://github.com/aws/amazon-ecs-cli/pull/340.
    """
    word = engine._constraint_error

    def constraint_error(name: str, defn: dict[str, Any], reason: str) -> ValueError:
        if described := defn.get("ConstraintDescription"):
            return ValueError(f"Parameter {name} failed to satisfy constraint: {described}")
        return word(name, defn, reason)

    engine._constraint_error = constraint_error


def _refuse_undefined_names() -> None:
    check = engine._validate_template_statics

    def validate_statics(template: dict[str, Any]) -> None:
        check(template)
        undefined = undefined_names(template)
        if undefined:
            raise ValueError(
                f"Template format error: Unresolved resource dependencies [{', '.join(undefined)}] "
                "in the Resources block of the template"
            )

    engine._validate_template_statics = validate_statics


def undefined_names(template: dict[str, Any]) -> list[str]:
    """Return what the resources refer to and the template does not define."""
    resources = template.get("Resources") or {}
    known = {*resources, *(template.get("Parameters") or {})}
    named = {name for definition in resources.values() for name in referred_names(definition)}
    return sorted(name for name in named if name not in known and not name.startswith("AWS::"))


def referred_names(node: Any) -> Iterator[str]:
    """Yield what a template, or a part of it, refers to: logical ids, parameters, pseudo-parameters."""
    if isinstance(node, list):
        for item in node:
            yield from referred_names(item)
    if not isinstance(node, dict):
        return
    if set(node) == {"Ref"} and isinstance(node["Ref"], str):
        yield node["Ref"]
        return
    if set(node) == {"Fn::GetAtt"}:
        target = node["Fn::GetAtt"]
        yield str(target if isinstance(target, str) else target[0]).partition(".")[0]
        return
    if set(node) == {"Fn::Sub"}:
        text = node["Fn::Sub"]
        own: dict[str, Any] = {}
        if isinstance(text, list):
            text, own = text[0], text[1] if len(text) > 1 else {}
            yield from referred_names(list(own.values()))
        for variable in re.findall(r"\$\{([^!}][^}]*)\}", str(text)):
            name = variable.strip().partition(".")[0]
            if variable.strip() not in own and not variable.startswith("AWS::"):
                yield name
        return
    depends = node.get("DependsOn", [])
    if "Type" in node and depends:
        yield from [depends] if isinstance(depends, str) else depends
    for value in node.values():
        yield from referred_names(value)


def _refuse_by_state() -> None:
    create, update = _ACTION_HANDLERS["CreateStack"], _ACTION_HANDLERS["UpdateStack"]

    def create_stack(params: dict[str, Any]) -> Any:
        name = helpers._p(params, "StackName")
        if _stacks.get(name, {}).get("StackStatus") == "ROLLBACK_COMPLETE":
            # AWS keeps the name until the failed stack is deleted.
            return helpers._error("AlreadyExistsException", f"Stack [{name}] already exists")
        return create(params)

    def update_stack(params: dict[str, Any]) -> Any:
        stack = handlers._resolve_stack(helpers._p(params, "StackName"))
        status = (stack or {}).get("StackStatus")
        if stack and status != "DELETE_COMPLETE" and status not in _UPDATABLE:
            return helpers._error(
                "ValidationError", f"Stack:{stack['StackId']} is in {status} state and can not be updated."
            )
        return update(params)

    _ACTION_HANDLERS.update(CreateStack=create_stack, UpdateStack=update_stack)


def has_nested_stacks(template: dict[str, Any]) -> bool:
    """Whether a template has nested stacks, whose templates may have changed behind their addresses."""
    return any(
        isinstance(definition, dict) and definition.get("Type") == NESTED
        for definition in (template.get("Resources") or {}).values()
    )


def _never_overlook_nested_stacks() -> None:
    """CloudFormation always attempts nested updates: aws/aws-cdk#6216, #4488."""
    has_no_updates, diff = handlers._stack_has_no_updates, changesets._diff_resources

    def stack_has_no_updates(
        stack: dict[str, Any], template: dict[str, Any], *rest: Any, **named: Any
    ) -> bool:
        return not has_nested_stacks(template) and bool(has_no_updates(stack, template, *rest, **named))

    def diff_resources(old: dict[str, Any], new: dict[str, Any], resources: Any = None, *rest: Any) -> Any:
        changes = diff(old, new, resources, *rest)
        seen = {change["ResourceChange"]["LogicalResourceId"] for change in changes}
        for name, definition in (new.get("Resources") or {}).items():
            if definition.get("Type") == NESTED and name in (old.get("Resources") or {}) and name not in seen:
                changes.append(_automatic_change(name, (resources or {}).get(name, {})))
        return changes

    handlers._stack_has_no_updates = stack_has_no_updates
    changesets._diff_resources = diff_resources


def _automatic_change(name: str, resource: dict[str, Any]) -> dict[str, Any]:
    target = {"Attribute": "Properties", "Name": "TemplateURL", "RequiresRecreation": "Never"}
    return {
        "ResourceChange": {
            "Action": "Modify",
            "LogicalResourceId": name,
            "PhysicalResourceId": resource.get("PhysicalResourceId", ""),
            "ResourceType": NESTED,
            "Replacement": "False",
            "Scope": ["Properties"],
            "Details": [{"Target": target, "Evaluation": "Dynamic", "ChangeSource": "Automatic"}],
        }
    }


def _diff_by_condition() -> None:
    """A resource whose condition is false is not there; the emulator compares definitions alone."""
    resolve = changesets._resolve_props_for_diff

    def resolve_props(template: dict[str, Any], params: dict[str, Any], *rest: Any) -> Any:
        resolved = resolve(template, params, *rest)
        conditions = engine._evaluate_conditions(template, params) if template else {}
        present = {
            name: definition
            for name, definition in (resolved.get("Resources") or {}).items()
            if conditions.get(definition.get("Condition"), True)
        }
        return {**resolved, "Resources": present, "Outputs": _said(template, params, conditions)}

    changesets._resolve_props_for_diff = resolve_props


def _said(template: dict[str, Any], params: dict[str, Any], conditions: dict[str, bool]) -> dict[str, Any]:
    """Return the outputs that are there, each with the parameters it hangs on, to be compared."""
    said = {}
    for name, body in (template.get("Outputs") or {}).items():
        if conditions.get(body.get("Condition"), True):
            text = json.dumps(body, default=str)
            used = [p for p in params if f'"{p}"' in text or f"${{{p}}}" in text]
            said[name] = (text, {p: params[p].get("Value") for p in used})
    return said


class _OutputsOnly(list[Any]):
    """No change of any resource, and a change all the same."""

    def __bool__(self) -> bool:
        return True


def _change_outputs() -> None:
    """A change set that changes outputs alone has no changes in it and can be executed.

    Seen in https://github.com/jenkinsci/pipeline-aws-plugin/issues/210.
    """
    diff = changesets._diff_resources
    create = _ACTION_HANDLERS["CreateChangeSet"]

    def diff_resources(old: dict[str, Any], new: dict[str, Any], *rest: Any) -> Any:
        changes = diff(old, new, *rest)
        return changes or (_OutputsOnly() if old.get("Outputs") != new.get("Outputs") else changes)

    def create_change_set(params: dict[str, Any]) -> Any:
        answer = create(params)
        for _, change_set in _change_sets.all_items():
            change_set["Changes"] = list(change_set["Changes"])  # it is kept: as the plain list that it is
        return answer

    changesets._diff_resources = diff_resources
    _ACTION_HANDLERS["CreateChangeSet"] = create_change_set
