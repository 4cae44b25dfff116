"""CloudWatch Logs: the last lines of a build or a task."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from the_sink.aws.target import Target
from the_sink.aws.translation import error_code, translated

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
