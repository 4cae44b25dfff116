"""An export that another stack imports can neither change nor go.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html
The words are CloudFormation's, and so is that no event ends in FAILED: the rollback says why it began
(aws/aws-cdk#604, aws/aws-cdk#8671, serverless/serverless#3935).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ministack.services.cloudformation import _exports, _stacks, engine, handlers, stacks

from sink_sandbox.services.cloudformation.patch.stack_events import StackEvent, Tell, intercept_events

_refused: dict[str, str] = {}
"""Why an update goes back, by stack name."""


def install() -> None:
    """Apply the corrections."""
    _import_what_is_there()
    _refuse_changes()
    intercept_events(_tell_why)


def _import_what_is_there() -> None:
    """A stack imports nothing for what its conditions leave out."""
    imported = handlers._imported_export_names

    def imported_names(stack: dict[str, Any], name: str) -> set[str]:
        present = _present(stack.get("_template") or {}, stack.get("_resolved_params") or {})
        return set(imported({**stack, "_template": present}, name))

    handlers._imported_export_names = imported_names


def _present(template: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    # The stack's own record of its conditions is not put back by a rollback.
    conditions = engine._evaluate_conditions(template, parameters)

    def choose(node: Any) -> Any:
        if isinstance(node, list):
            return [choose(item) for item in node]
        if not isinstance(node, dict):
            return node
        if set(node) == {"Fn::If"}:
            condition, when, otherwise = node["Fn::If"]
            return choose(when if conditions.get(condition) else otherwise)
        return {key: choose(item) for key, item in node.items()}

    def there(section: str) -> dict[str, Any]:
        return {
            name: choose(body)
            for name, body in (template.get(section) or {}).items()
            if conditions.get(body.get("Condition"), True)
        }

    return {**template, "Resources": there("Resources"), "Outputs": there("Outputs")}


def _refuse_changes() -> None:
    resolve_outputs = stacks._resolve_stack_outputs

    def resolve_stack_outputs(*arguments: Any) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
        outputs, exports = resolve_outputs(*arguments)
        *_, stack_name, stack_id = arguments
        before = {name: export for name, export in _exports.items() if export["StackId"] == stack_id}
        if reason := _find_reason(stack_name, before, exports):
            _refused[stack_name] = reason
            raise ValueError(reason)
        # Nothing can fail any more, and the emulator only adds.
        for name in before.keys() - exports.keys():
            del _exports[name]
        return outputs, exports

    stacks._resolve_stack_outputs = resolve_stack_outputs


def _find_reason(stack_name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    for name, export in before.items():
        if name in after and after[name]["Value"] == export["Value"]:
            continue
        importers = sorted(
            other
            for other, stack in _stacks.items()
            if other != stack_name
            and stack["StackStatus"] not in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")
            and name in handlers._imported_export_names(stack, other)
        )
        if importers:
            verb = "updated" if name in after else "deleted"
            return f"Export {name} cannot be {verb} as it is in use by {' and '.join(importers)}"
    return ""


def _tell_why(event: StackEvent, tell: Tell) -> None:
    reason = _refused.get(event.stack_name) if event.logical_id == event.stack_name else None
    if reason is None:
        tell(event)
    elif event.status == "UPDATE_ROLLBACK_IN_PROGRESS":
        del _refused[event.stack_name]
        tell(replace(event, reason=reason))
    elif event.reason != reason:
        tell(event)
