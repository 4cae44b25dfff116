"""Stacks of our own: created, brought up to date, or said to be stuck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from the_sink.errors import SinkError
from the_sink.models import Stack
from the_sink.plan.steps import Step


@dataclass(frozen=True)
class WaitForStack(Step):
    """Someone else is changing the stack; their change ends first."""

    stack: str

    def __str__(self) -> str:
        return f"wait for the change of stack {self.stack} that is under way"


@dataclass(frozen=True)
class DeleteStack(Step):
    """Remove what a failed first creation left, so that the name is free again."""

    stack: str
    status: str

    def __str__(self) -> str:
        return f"delete stack {self.stack}, whose creation failed ({self.status})"


@dataclass(frozen=True)
class ApplyStack(Step):
    """Create a stack or bring it up to date through a change set."""

    stack: str
    is_new: bool
    template: str
    parameters: Mapping[str, str]
    keep: frozenset[str]
    """Parameters whose value stays what it is."""
    tags: Mapping[str, str]

    def __str__(self) -> str:
        if self.is_new:
            return f"create stack {self.stack} from {self.template}"
        return f"bring stack {self.stack} up to date with {self.template}"


@dataclass(frozen=True)
class MakeServiceRole(Step):
    """Make the role that a service of AWS acts under in this account, before a stack needs it."""

    service: str

    def __str__(self) -> str:
        return f"make the service-linked role of {self.service}"


def plan_stack(
    name: str,
    observed: Stack | None,
    *,
    template: str,
    declared: frozenset[str],
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
    may_delete: bool = False,
) -> tuple[Step, ...]:
    """Return the steps that bring one stack of ours to what it should be.

    Args:
        name: The stack's name.
        observed: The stack as it stands, None if there is none.
        template: What it is made from, as people call it.
        declared: The parameters that the template has.
        parameters: Those to set. Others that the stack has keep their value.
        tags: The stack's tags.
        may_delete: Whether a stack whose creation failed may be deleted to start over.

    Raises:
        SinkError: the stack is stuck in a state that only a person may leave; the hint says how.
    """
    steps: list[Step] = []
    is_new = observed is None or observed.status.is_never_created
    if observed is not None and observed.status.is_in_progress:
        steps.append(WaitForStack(name))
    elif observed is not None and observed.status.must_be_deleted:
        if not may_delete:
            raise SinkError(
                f"Stack {name} is in {observed.status}: its creation failed, and all that AWS allows is to "
                "delete it.",
                "Run the same command with --yes: it deletes what is left of the stack and creates it anew.",
            )
        steps.append(DeleteStack(name, str(observed.status)))
        is_new = True
    elif observed is not None and observed.status.needs_continued_rollback:
        raise SinkError(
            f"Stack {name} is in {observed.status}: an update failed, and so did going back.",
            f"Continue with `aws cloudformation continue-update-rollback --stack-name {name}`, then run the "
            "same command again.",
        )
    had = frozenset() if observed is None or is_new else frozenset(observed.parameters)
    keep = (declared & had) - set(parameters)
    steps.append(ApplyStack(name, is_new, template, dict(parameters), keep, dict(tags)))
    return tuple(steps)
