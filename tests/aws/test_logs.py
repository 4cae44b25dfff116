"""The last lines of a log are read as text."""

from __future__ import annotations

from typing import Any

from the_sink.aws.session import Aws


def test_lines_are_read_without_their_colours(connection: Aws, aws: Any) -> None:
    """As Docker's own builder writes what a command said to standard error."""
    logs = aws("logs")
    logs.create_log_group(logGroupName="/build")
    logs.create_log_stream(logGroupName="/build", logStreamName="one")
    said = ["Step 6/7 : RUN app-init app", "\x1b[91mapp-init: src/a.py line 1\x1b[0m\x1b[91m", "\x1b[0mends"]
    events = [{"timestamp": 1_800_000_000_000 + number, "message": line} for number, line in enumerate(said)]
    logs.put_log_events(logGroupName="/build", logStreamName="one", logEvents=events)

    read = connection.logs.last_lines("/build", "one")

    assert read == ("Step 6/7 : RUN app-init app", "app-init: src/a.py line 1", "ends")
