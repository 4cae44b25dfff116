"""CloudFormation: stacks, their history, and what a change would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class StackStatus:
    """A stack's or a stack resource's status; the questions are those that decide what may happen next."""

    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def is_in_progress(self) -> bool:
        """Whether AWS is still changing the stack."""
        return self.name.endswith("_IN_PROGRESS") and self.name != "REVIEW_IN_PROGRESS"

    @property
    def is_success(self) -> bool:
        """Whether the last change was made as it was asked for."""
        return self.name in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}

    @property
    def is_failure(self) -> bool:
        """Whether the last change failed, rolled back or not."""
        return self.name.endswith("_FAILED") or (
            self.name.endswith("ROLLBACK_COMPLETE") and not self.name.startswith("IMPORT")
        )

    @property
    def is_never_created(self) -> bool:
        """Whether only an unexecuted change set stands behind the stack's name."""
        return self.name == "REVIEW_IN_PROGRESS"

    @property
    def must_be_deleted(self) -> bool:
        """Whether the stack's first creation failed: it can only be deleted, never updated.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
        """
        return self.name in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}

    @property
    def needs_continued_rollback(self) -> bool:
        """Whether a rollback stopped halfway and waits for someone to continue it."""
        return self.name == "UPDATE_ROLLBACK_FAILED"


@dataclass(frozen=True)
class Stack:
    """A CloudFormation stack as it stands."""

    name: str
    stack_id: str
    status: StackStatus
    reason: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StackEvent:
    """One line of a stack's history."""

    event_id: str
    stack_id: str
    stack_name: str
    logical_id: str
    physical_id: str
    resource_type: str
    status: StackStatus
    reason: str
    at: datetime

    @property
    def is_about_stack(self) -> bool:
        """Whether the event speaks of the stack that wrote it, not of one of its resources."""
        return self.physical_id == self.stack_id

    @property
    def is_nested_stack(self) -> bool:
        """Whether the event speaks of a stack inside this one."""
        return self.resource_type == "AWS::CloudFormation::Stack" and not self.is_about_stack


@dataclass(frozen=True)
class ResourceChange:
    """What a change set would do to one resource: Add, Modify, Remove, Import or Dynamic."""

    action: str
    logical_id: str
    resource_type: str
    replacement: bool = False


@dataclass(frozen=True)
class ChangeSet:
    """A change that CloudFormation has computed and not yet made."""

    change_set_id: str
    stack_id: str
    changes: tuple[ResourceChange, ...]


@dataclass(frozen=True)
class StackApplied:
    """The end of one change of a stack of ours."""

    stack: Stack
    action: str
    """created, updated or unchanged."""
