"""A template's transforms exist, and whoever changes the stack may use them.

The emulator passes over a macro that nobody has defined, and asks nobody's leave for those that AWS hosts.
On AWS a transform is used by the stack's role, or by the caller where the stack has none
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html), who needs
``cloudformation:CreateChangeSet`` on it, whatever the operation is (aws/serverless-application-model#179).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_region
from ministack.services.cloudformation import changesets, engine, handlers, language_extensions, provisioners

from sink_sandbox.client.lifecycle import ACCOUNT_ID
from sink_sandbox.services.cloudformation.patch import stack_roles
from sink_sandbox.services.iam.access import RoleRefused
from sink_sandbox.services.iam.patch.roles import ServiceRoles

_APPLIED = frozenset({engine._INCLUDE_TRANSFORM, engine._SAM_TRANSFORM, language_extensions.TRANSFORM})

_HOSTED = _APPLIED | {
    "AWS::CodeDeployBlueGreen",
    "AWS::CodeStar",
    "AWS::SecretsManager-2020-07-23",
    "AWS::SecretsManager-2024-09-16",
    "AWS::ServiceCatalog",
}
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-reference.html"""


class TransformRefused(ValueError):
    """A transform does not exist, or may not be used; the message is CloudFormation's."""


def install(roles: ServiceRoles) -> None:
    """Look at the transforms before any is applied."""
    apply_transforms = engine._apply_transforms

    def check_and_apply(
        template: dict[str, Any], provided_params: Any = None, previous_params: Any = None
    ) -> Any:
        try:
            _check(template, roles)
        except TransformRefused as refused:
            return engine._TransformFailed(template, str(refused))  # which is told without a preface
        return apply_transforms(template, provided_params, previous_params)

    for module in (engine, handlers, changesets):
        module._apply_transforms = check_and_apply
    _refuse_in_nested_stacks(roles)


def _refuse_in_nested_stacks(roles: ServiceRoles) -> None:
    check_capabilities = provisioners._check_nested_stack_capabilities

    def check_nested_stack(parent_stack_name: str, template: dict[str, Any]) -> None:
        check_capabilities(parent_stack_name, template)
        _check(template, roles)
        for name in _named(template):
            raise TransformRefused(f"The sandbox does not apply the transform {name} in a nested stack.")

    provisioners._check_nested_stack_capabilities = check_nested_stack


def _check(template: dict[str, Any], roles: ServiceRoles) -> None:
    acting = stack_roles.acting() or roles.find(iam_evaluator.caller_arn())
    for name in _named(template):
        if name not in _HOSTED:
            whose = name if name.startswith("AWS::") else f"{ACCOUNT_ID}::{name}"
            raise TransformRefused(f"No transform named {whose} found.")
        if acting is not None:
            arn = f"arn:aws:cloudformation:{get_region()}:aws:transform/{name.removeprefix('AWS::')}"
            try:
                roles.check(acting, "cloudformation:CreateChangeSet", arn, get_region())
            except RoleRefused as refused:
                raise TransformRefused(str(refused)) from refused
        if name not in _APPLIED:
            raise TransformRefused(f"The sandbox does not apply the transform {name}.")


def _named(template: dict[str, Any]) -> Iterator[str]:
    """Yield the transforms of the whole template, and those of its parts."""
    yield from engine.declared_transforms(template)
    parts = [content for section, content in template.items() if section != "Transform"]
    while parts:
        node = parts.pop()
        if isinstance(node, list):
            parts.extend(node)
        elif isinstance(node, dict):
            part = node.get("Fn::Transform")
            if isinstance(part, dict) and isinstance(part.get("Name"), str):
                yield part["Name"]
            parts.extend(node.values())
