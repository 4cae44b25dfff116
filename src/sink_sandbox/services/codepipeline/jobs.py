"""What passes between the engine and an action's job worker: the job, its outcome, its failure.

The words are those of https://docs.aws.amazon.com/codepipeline/latest/userguide/actions-create-custom-action.html.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sink_sandbox.services.codepipeline.errors import ServiceError
from sink_sandbox.services.codepipeline.executions import ActionExecution, Execution, Location


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


class Report(Protocol):
    """Makes visible, while an action runs, what it has started; what is not given stays as it is."""

    def __call__(self, *, external_id: str = "", summary: str = "", log_stream_arn: str = "") -> None:
        """Change the action execution."""


@dataclass(frozen=True)
class ActionJob:
    """One execution of one action, as the job worker sees it.

    ``cancelled`` is set when the execution is abandoned, and the worker should return soon.
    """

    pipeline: str
    region: str
    execution_id: str
    stage: str
    action: Mapping[str, Any]
    configuration: dict[str, str]
    artifact_store: str
    role: str
    """The ARN of the role that the action runs under."""
    through: str
    """The ARN of the pipeline's role where the action has one of its own, which that one assumes; else ""."""
    inputs: dict[str, Location]
    revisions: dict[str, str]
    """The revision of each input artifact that a source action put out, by artifact."""
    source_revision: str | None
    cancelled: threading.Event
    report: Report


class ActionFailed(Exception):
    """The action failed as AWS would record it: an error code of its API and a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Cancelled(Exception):
    """The worker stopped because the action was abandoned."""


class Observer:
    """Who hears of changes; called with the store locked, so it must not wait for anything."""

    def execution_changed(self, execution: Execution, state: str) -> None:
        """An execution began or ended; ``state`` as CodePipeline's events name it."""

    def approval_opened(self, execution: Execution, action: ActionExecution) -> None:
        """An approval waits for an answer."""


Worker = Callable[[ActionJob], Outcome]

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
