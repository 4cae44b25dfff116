"""An environment's history, and how a deploy was ended, as text (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from the_sink.models import Aborted, HistoryEntry
from the_sink.report.wording import format_duration, format_time, shorten_digest


def render_history(app: str, env: str, entries: Iterable[HistoryEntry]) -> str:
    """Return a paragraph for each release, newest first; ``*`` marks the one that serves."""
    shown = [_render_entry(each) for each in entries]
    if not shown:
        return f"Nothing was released to {app} {env} yet."
    return "\n".join(shown)


def _render_entry(entry: HistoryEntry) -> str:
    mark = "*" if entry.is_serving else " "
    lines = [f"{mark} {entry.commit[:8] or 'unknown '} {entry.subject}{' (serves)' * entry.is_serving}"]
    took = f" after {format_duration(entry.duration_s)}" if entry.duration_s is not None else ""
    told = [f"{entry.outcome}{took}"]
    if entry.started_at:
        told.append(f"began {format_time(entry.started_at)}")
    if entry.rolled_back_from:
        told.append(f"rolled back from {entry.rolled_back_from[:8]}")
    if entry.released_by:
        told.append(f"released by {entry.released_by}")
    if entry.approved_by:
        told.append(f"approved by {shorten_person(entry.approved_by)}")
    lines.append(f"    {', '.join(told)}")
    if entry.cause:
        lines.append(f"    {entry.cause}.")
    lines.append(f"    execution {entry.execution_id}")
    return "\n".join(lines)


def shorten_person(arn: str) -> str:
    """Return who an ARN names, as people quote it: ``jane`` of ``arn:aws:iam::1:user/jane``."""
    return arn.rpartition(":")[2].rpartition("/")[2] if arn.startswith("arn:") else arn


def render_aborted(aborted: Aborted) -> str:
    """Return what became of a deploy that was ended, and what serves then."""
    serving = aborted.serving
    serves = "nothing serves"
    if serving is not None and serving.running:
        what = aborted.serving_commit[:8] or shorten_digest(serving.digest) or "two releases side by side"
        serves = f"{what} serves, {serving.running}/{serving.desired} tasks"
    after = f" {aborted.next_release} goes on now." if aborted.next_release else ""
    return f"The deploy of {aborted.release} to {aborted.env} is stopped; {serves}.{after}"
