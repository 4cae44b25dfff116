"""FilterLogEvents returns everything, page by page."""

from __future__ import annotations

from typing import Any

import pytest

AT = 1_800_000_000_000


def put(logs: Any, stream: str, *events: tuple[int, str]) -> None:
    logs.put_log_events(
        logGroupName="/app",
        logStreamName=stream,
        logEvents=[{"timestamp": AT + at, "message": text} for at, text in events],
    )


@pytest.fixture
def logs(aws: Any) -> Any:
    client = aws("logs")
    client.create_log_group(logGroupName="/app")
    for stream in ("app/web/1", "app/web/2", "other"):
        client.create_log_stream(logGroupName="/app", logStreamName=stream)
    return client


def read(logs: Any, **wanted: Any) -> list[str]:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/app", **wanted)
    return [event["message"] for page in pages for event in page["events"]]


def test_what_is_larger_than_a_page_comes_in_several(logs: Any) -> None:
    texts = [f"{number:02d}" + "x" * 200_000 for number in range(12)]
    for number in range(0, 12, 4):
        put(logs, "app/web/1", *[(0, text) for text in texts[number : number + 4]])

    first = logs.filter_log_events(logGroupName="/app")

    assert len(first["events"]) == 5
    assert read(logs) == texts
    assert read(logs, limit=1) == texts


def test_streams_are_mixed_by_time_and_chosen_by_a_prefix(logs: Any) -> None:
    put(logs, "app/web/1", (1, "b"), (3, "d"))
    put(logs, "app/web/2", (2, "c"))
    put(logs, "other", (0, "a"))

    assert read(logs) == ["a", "b", "c", "d"]
    assert read(logs, logStreamNamePrefix="app/web/") == ["b", "c", "d"]
    assert read(logs, logStreamNames=["app/web/2", "other"]) == ["a", "c"]
    assert read(logs, startTime=AT + 1, endTime=AT + 2) == ["b", "c"]
    assert read(logs, logStreamNamePrefix="nobody") == []


def test_a_request_that_contradicts_itself_is_refused(logs: Any) -> None:
    with pytest.raises(logs.exceptions.InvalidParameterException, match="logStreamNamePrefix"):
        logs.filter_log_events(logGroupName="/app", logStreamNames=["other"], logStreamNamePrefix="o")
