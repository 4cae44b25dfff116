"""``history``: every release that was sent to an environment, and what became of it.

The ledger knows what served: for ever, and by whom it was released and approved. CodePipeline knows what did
not, for twelve months. Both are joined by the execution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from the_sink.aws.s3 import RELEASED_BY, ROLLED_BACK_FROM
from the_sink.aws.session import Aws
from the_sink.diagnosis.causes import describe_failure
from the_sink.diagnosis.waiting import describe_standing
from the_sink.errors import NotFound, SinkError
from the_sink.models import UNKNOWN_COMMIT, ActionRun, Execution, HistoryEntry, Pipeline, ReleaseRecord
from the_sink.models.history import Outcome
from the_sink.models.summaries import commit_of, name_of, subject_of
from the_sink.naming import Names, tag_key
from the_sink.verbs.serving import describe_serving

_SELF_STARTED = 1
"""A pipeline's creation starts one execution, which carries no release."""

_OUTCOMES: dict[str, Outcome] = {
    "Succeeded": "succeeded",
    "Failed": "failed",
    "Superseded": "superseded",
    "Stopped": "stopped",
    "Cancelled": "cancelled",
}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def describe_history(
    aws: Aws, names: Names, bucket: str, tag: str, limit: int | None
) -> tuple[HistoryEntry, ...]:
    """Return the releases of an environment, newest first; changes nothing.

    A release that did not serve costs some calls: its cause is looked for.

    Args:
        aws: The environment's account.
        names: Of the app there.
        bucket: The platform's.
        tag: Which archive the environment follows.
        limit: How many at most; None for all of them.

    Raises:
        NotFound: the environment has no pipeline, and no release was ever recorded there.
    """
    pipeline = aws.pipelines.describe(names.pipeline)
    wanted = None if limit is None else limit + _SELF_STARTED
    executions = aws.pipelines.executions(names.pipeline, wanted) if pipeline else ()
    reader = _Reader(aws, names, bucket, tag_key(names.app, tag), pipeline, executions)
    records = aws.ledger.releases(bucket, names.app, names.env, limit)
    if pipeline is None and not records:
        raise NotFound(
            f"The pipeline {names.pipeline} does not exist, and the ledger has no release of {names.app} in "
            f"{names.env}.",
            f"Create it: invoke bootstrap --env {names.env}{aws.target.flags}",
        )
    # An execution that the ledger knows is told by its record, one that AWS has forgotten too.
    found: dict[str, Execution | ReleaseRecord] = {
        each.execution_id: each for each in executions if not each.is_self_started
    }
    found |= {record.execution_id: record for record in records}
    newest = sorted(found.values(), key=lambda each: each.started_at or _LONG_AGO, reverse=True)[:limit]
    entries = tuple(
        _recorded(each) if isinstance(each, ReleaseRecord) else reader.read(each) for each in newest
    )
    return _mark_serving(entries, aws, names)


def _recorded(record: ReleaseRecord) -> HistoryEntry:
    return HistoryEntry(
        execution_id=record.execution_id,
        commit="" if record.commit == UNKNOWN_COMMIT else record.commit,
        subject=record.subject,
        outcome="succeeded",
        released_by=record.released_by,
        approved_by=record.approved_by,
        started_at=record.started_at,
        finished_at=record.finished_at,
        digest=record.digest,
        rolled_back_from=record.rolled_back_from,
    )


def _mark_serving(entries: tuple[HistoryEntry, ...], aws: Aws, names: Names) -> tuple[HistoryEntry, ...]:
    """Mark the newest release of the image that every task runs."""
    serving = describe_serving(aws, names, None)
    digest = serving.digest if serving else ""
    position = next((i for i, each in enumerate(entries) if digest and each.digest == digest), None)
    return tuple(replace(each, is_serving=i == position) for i, each in enumerate(entries))


@dataclass(frozen=True)
class _Reader:
    """Tells what became of executions that the ledger does not know."""

    aws: Aws
    names: Names
    bucket: str
    key: str
    pipeline: Pipeline | None
    executions: tuple[Execution, ...]
    """Newest first."""

    def read(self, execution: Execution) -> HistoryEntry:
        actions = self.aws.pipelines.actions(self.names.pipeline, execution.execution_id)
        outcome = _OUTCOMES.get(execution.status, "running")
        cause = ""
        if execution.status == "Failed":
            cause = self._describe_failure(execution, actions)
        elif execution.status == "Superseded":
            cause = f"superseded by {self._describe_newer(execution)}"
        elif execution.status == "Stopped":
            cause = execution.stop_reason or execution.status_summary
        elif execution.status == "Cancelled":
            cause = "its pipeline was changed meanwhile"
        elif not execution.is_over and self.pipeline:
            flags = self.aws.target.flags
            standing = describe_standing(
                self.pipeline, execution.execution_id, actions, self.names.env, flags
            )
            cause, outcome = standing.sentence, "waiting" if standing.is_waiting else "running"
        metadata = self._read_metadata(execution)
        answered = (each.updated_by for each in actions if each.provider == "Manual" and each.is_over)
        return HistoryEntry(
            execution_id=execution.execution_id,
            commit=commit_of(execution.summary),
            subject=subject_of(execution.summary),
            outcome=outcome,
            cause=cause.rstrip("."),
            released_by=metadata.get(RELEASED_BY, ""),
            rolled_back_from=metadata.get(ROLLED_BACK_FROM, ""),
            approved_by=next((who for who in answered if who), "") if outcome != "failed" else "",
            started_at=execution.started_at,
            finished_at=execution.updated_at if execution.is_over else None,
        )

    def _describe_failure(self, execution: Execution, actions: tuple[ActionRun, ...]) -> str:
        try:
            cause = describe_failure(self.aws, self.names, actions)
        except SinkError:  # what it would be read from is gone
            cause = next((f"{each.name}: {each.error}" for each in actions if each.status == "Failed"), "")
        return " ".join((cause or execution.status_summary or "AWS gives no reason").split())

    def _describe_newer(self, execution: Execution) -> str:
        """AWS names no execution that took another's place: it is the next newer one."""
        position = self.executions.index(execution)
        return name_of(self.executions[position - 1].summary) if position else "a newer one"

    def _read_metadata(self, execution: Execution) -> Mapping[str, str]:
        """Return what the archive says that an execution carries, nothing if that has expired."""
        if not execution.revision:
            return {}
        archive = self.aws.objects.describe(self.bucket, self.key, execution.revision)
        return archive.metadata if archive else {}
