"""Times as the ``aws`` command line prints them, and as records hold them: ISO 8601, UTC."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any


def parse_time(value: Any) -> datetime:
    """Return a time of an answer: version 2 of ``aws`` prints ISO 8601, version 1 seconds since 1970."""
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, tz=timezone.utc)
    # Python before 3.11 does not know the letter.
    found = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return found.astimezone(timezone.utc)


def format_time(moment: datetime) -> str:
    """Return a time as records hold it: ``2026-03-01T12:00:00Z``."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_clock() -> datetime:
    """Return the time now."""
    return datetime.now(timezone.utc)
