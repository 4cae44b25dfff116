"""Roles without a permissions boundary, of an environment that is to get one."""

from __future__ import annotations

from the_sink.aws.session import Aws
from the_sink.naming import Names

_ROLE = "AWS::IAM::Role"
_NESTED = "AWS::CloudFormation::Stack"


def find_unbounded(aws: Aws, names: Names) -> tuple[str, ...]:
    """Return the names of an environment's roles that nothing bounds: its delivery's, and its app's.

    Those of the app's stacks get their boundary with the next deploy, the others with the next bootstrap.
    """
    stacks = [stack for stack in (names.pipeline_stack, names.app_stack) if aws.stacks.describe(stack)]
    roles: list[str] = []
    while stacks:
        stack = stacks.pop(0)
        roles += aws.stacks.resources(stack, _ROLE)
        stacks += aws.stacks.resources(stack, _NESTED)
    return tuple(role for role in roles if aws.roles.boundary(role) == "")
