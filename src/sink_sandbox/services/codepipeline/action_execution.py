"""What passes between the engine and who plays an action: the run, its outcome, its failure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sink_sandbox.services.codepipeline.errors import ServiceError


@dataclass(frozen=True)
class Location:
    """Where an artifact lies."""

    bucket: str
    key: str


@dataclass(frozen=True)
class Revision:
    """What a source action fetched."""

    revision_id: str
    summary: str
    created: float


@dataclass(frozen=True)
class Outcome:
    """How an action succeeded."""

    summary: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, Location] = field(default_factory=dict)
    revision: Revision | None = None


@dataclass(frozen=True)
class ActionRun:
    """One run of one action, as the player sees it.

    ``report`` makes the id and the summary of what the action started visible while it runs;
    ``cancelled`` is set when the execution is abandoned, and the player should return soon.
    """

    pipeline: str
    region: str
    execution_id: str
    stage: str
    action: dict[str, Any]
    configuration: dict[str, str]
    artifact_store: str
    role: str
    """The ARN of the role that the action is played under."""
    through: str
    """The ARN of the pipeline's role where the action has one of its own, which that one assumes; else ""."""
    inputs: dict[str, Location]
    revisions: dict[str, str]
    """The revision of each input artifact that a source action put out, by artifact."""
    source_revision: str | None
    cancelled: threading.Event
    report: Callable[..., None]


class ActionFailed(Exception):
    """The action failed as AWS would record it: an error code of its API and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Cancelled(Exception):
    """The player stopped because the run was cancelled."""


class Observer:
    """Who hears of changes; called with the store locked, so it must not wait for anything."""

    def execution_changed(self, execution: dict[str, Any], state: str) -> None:
        """An execution began or ended; ``state`` as CodePipeline's events name it."""

    def approval_opened(self, execution: dict[str, Any], record: dict[str, Any]) -> None:
        """An approval waits for an answer."""


Player = Callable[[ActionRun], Outcome]

_SUMMARY_LENGTH = 512
"""https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ApprovalResult.html"""


def check_approval_result(result: dict[str, str]) -> None:
    """Refuse an answer that is neither yes nor no, and one with too much to say."""
    if result.get("status") not in ("Approved", "Rejected"):
        raise ServiceError("ValidationException", "result.status must be Approved or Rejected.")
    if len(result["summary"]) > _SUMMARY_LENGTH:
        raise ServiceError(
            "ValidationException", f"result.summary may have {_SUMMARY_LENGTH} characters at most."
        )
