"""The revision summary that an archive carries: its commit, and the commit's subject."""

from __future__ import annotations

import re


def commit_of(summary: str) -> str:
    """Return the full commit that a revision's summary begins with, "" if it names none."""
    found = re.match(r"[0-9a-f]{40}\b", summary)
    return found[0] if found else ""


def subject_of(summary: str) -> str:
    """Return what a revision's summary says after the commit."""
    return summary[40:].strip() if commit_of(summary) else summary


def name_of(summary: str) -> str:
    """Return what people call the release of a revision: its short commit and its subject, if named."""
    commit = commit_of(summary)
    return f"{commit[:8]} {subject_of(summary)}".strip() if commit else summary or "one without a name"
