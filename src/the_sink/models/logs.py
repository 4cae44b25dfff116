"""CloudWatch Logs: what was written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class LogEvent:
    """One event of a log stream.

    Attributes:
        event_id: No other event has it.
        at: The moment that the writer gave it, to the millisecond.
        stream: The log stream's name; of a task's container it ends with the task's id.
        message: As it was written: usually one line, without its end.
    """

    event_id: str
    at: datetime
    stream: str
    message: str
