"""What asks for a stack or a change set is answered once its templates are judged.

The emulator answers requests one after the other in one thread, and a verdict takes a second. So it is waited
for in another thread: load balancers and registries go on meanwhile.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from typing import Any

from ministack.core.responses import get_region
from ministack.services import cloudformation
from ministack.services.cloudformation import _ACTION_HANDLERS, engine, handlers, helpers

from sink_sandbox.errors import SinkError
from sink_sandbox.services.cloudformation.patch.nested_templates import nested_templates
from sink_sandbox.services.cloudformation.template_gate import StackTemplate, TemplateGate, TemplateRefused

OPERATIONS = ("CreateStack", "UpdateStack", "CreateChangeSet")


def install(gate: TemplateGate) -> None:
    """Put the gate in front of the operations, whatever else was put there before."""
    for operation in OPERATIONS:
        _ACTION_HANDLERS[operation] = _behind(gate, _ACTION_HANDLERS[operation])
    _await_answers()


def _behind(gate: TemplateGate, handle: Any) -> Any:
    def judge_and_handle(params: dict[str, Any]) -> Any:
        templates = _templates(params)
        if not templates:
            return handle(params)
        context = contextvars.copy_context()  # what the request has set ends before the verdict is there

        async def answer() -> Any:
            try:
                await asyncio.to_thread(gate.check, templates, get_region())
            except TemplateRefused as refused:
                return helpers._error("ValidationError", str(refused))
            except SinkError as failed:
                return helpers._error("InternalFailure", failed.message)
            return context.run(handle, params)

        return answer()

    return judge_and_handle


def _await_answers() -> None:
    handle_request = cloudformation.handle_request

    async def handle_and_await(*arguments: Any, **named: Any) -> Any:
        answer = await handle_request(*arguments, **named)
        return await answer if inspect.isawaitable(answer) else answer

    cloudformation.handle_request = handle_and_await


def _templates(params: dict[str, Any]) -> list[StackTemplate]:
    """Return what a request would make a stack of.

    Nothing for a request that CloudFormation itself refuses, and in better words: a template that cannot
    be read, parameters that do not fit, names that nothing defines.
    """
    try:
        text, problem = helpers._resolve_template(params)
        stack = handlers._resolve_stack(helpers._p(params, "StackName")) or {}
        if not text and helpers._p(params, "UsePreviousTemplate").lower() == "true":
            text = stack.get("_template_body", "")
        if problem or not text:
            return []
        given, before = helpers._extract_members(params, "Parameters"), stack.get("_resolved_params") or {}
        template = engine._parse_template(text)
        resolved = engine._resolve_parameters(template, given, before)
        conditions = engine._evaluate_conditions(template, resolved)
        handlers.validate_template_support(template, conditions, params=resolved)
    except Exception:
        return []
    values = {name: _value(entry) for name, entry in resolved.items()}
    return [StackTemplate("", text, values), *nested_templates(text, values, get_region())]


def _value(entry: dict[str, Any]) -> str | None:
    value = entry.get("Value")
    return ",".join(map(str, value)) if isinstance(value, list) else None if value is None else str(value)
