"""CloudWatch Logs: the last lines of a build or a task, and all that a log group has from a moment on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from the_sink.aws.target import Target
from the_sink.aws.translation import error_code, translate_errors, translated
from the_sink.errors import NotFound
from the_sink.models import LogEvent

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""What colours a terminal, https://learn.microsoft.com/windows/console/console-virtual-terminal-sequences."""


@translated("CloudWatch Logs")
class Logs:
    """The log groups of an account and region."""

    def __init__(self, client: CloudWatchLogsClient, target: Target) -> None:
        self._client = client
        self._target = target

    def last_lines(self, group: str, stream: str, limit: int = 20) -> tuple[str, ...]:
        """Return the newest lines of a stream, oldest first; none if the stream does not exist.

        Without colours: Docker's own builder puts them around every line of standard error, and then no
        line begins with its own words.
        """
        try:
            answer = self._client.get_log_events(
                logGroupName=group, logStreamName=stream, limit=limit, startFromHead=False
            )
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return ()
            raise
        lines = [
            _COLOURS.sub("", event.get("message", "")).rstrip("\n") for event in answer.get("events", [])
        ]
        return tuple(line for message in lines for line in message.split("\n"))[-limit:]

    def pages(
        self, group: str, since_ms: int, *, stream: str = "", prefix: str = ""
    ) -> Iterator[tuple[LogEvent, ...]]:
        """Yield the events of a group from a moment on, oldest first; a page may be empty.

        A page holds up to 10,000 events or 1 MB, and only one without a token is the last:
        https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html

        Args:
            group: The log group's name.
            since_ms: Milliseconds since 1970, UTC; an event counts by its own timestamp.
            stream: Of this stream alone.
            prefix: Of the streams alone whose names begin with it.

        Raises:
            NotFound: the group or the stream does not exist.
        """
        wanted: dict[str, Any] = {"logGroupName": group, "startTime": since_ms}
        if stream:
            wanted["logStreamNames"] = [stream]
        elif prefix:
            wanted["logStreamNamePrefix"] = prefix
        # Around the whole: a generator's body runs after the method that the class decorator wraps.
        with translate_errors("CloudWatch Logs", self._target):
            try:
                for page in self._client.get_paginator("filter_log_events").paginate(**wanted):
                    yield tuple(_event(each) for each in page.get("events", []))
            except ClientError as error:
                if error_code(error) == "ResourceNotFoundException":
                    raise NotFound(f"There is no log group {group}.") from error
                raise


def _event(event: Any) -> LogEvent:
    return LogEvent(
        event_id=event["eventId"],
        at=datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
        stream=event.get("logStreamName", ""),
        message=event.get("message", ""),
    )
