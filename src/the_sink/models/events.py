"""What a verb tells while it works; ``report`` decides how it is shown."""

from __future__ import annotations

from dataclasses import dataclass

from the_sink.models.stacks import StackStatus


@dataclass(frozen=True)
class Event:
    """Something that a watcher should see; ``report`` decides how."""


@dataclass(frozen=True)
class Said(Event):
    """One sentence about what was just done or is waited for."""

    text: str


@dataclass(frozen=True)
class Warned(Event):
    """One sentence about something that is not as it should be and does not stop the work."""

    text: str


@dataclass(frozen=True)
class ActionChanged(Event):
    """An action of the followed run began, ended, or says something new of itself."""

    name: str
    """Stage and action, as people call them."""
    status: str
    detail: str = ""
    elapsed_s: float = 0.0
    expected_s: float | None = None


@dataclass(frozen=True)
class PhaseChanged(Event):
    """A build entered or left a phase."""

    phase: str
    status: str
    duration_s: int = 0


@dataclass(frozen=True)
class ResourceChanged(Event):
    """CloudFormation began or ended work on one resource."""

    stack: str
    logical_id: str
    resource_type: str
    status: StackStatus
    reason: str = ""


@dataclass(frozen=True)
class TasksChanged(Event):
    """A service's tasks changed in number."""

    running: int
    pending: int
    desired: int


@dataclass(frozen=True)
class Evidence(Event):
    """Lines that show why something failed: the end of a log."""

    title: str
    lines: tuple[str, ...]
