"""What the tasks and builds of the sandbox have written, as CloudWatch tells it."""

from __future__ import annotations

from typing import Any


def read_group(logs: Any, name: str) -> str:
    """All that a log group holds, one stream after the other."""
    streams = logs.describe_log_streams(logGroupName=name)["logStreams"]
    answers = [
        logs.get_log_events(logGroupName=name, logStreamName=each["logStreamName"], startFromHead=True)
        for each in streams
    ]
    return "\n".join(event["message"] for answer in answers for event in answer["events"])
