"""CloudWatch Logs: FilterLogEvents in pages, and for the streams of one prefix.

The emulator returns the first 10,000 events of the range, says nothing of the rest, and reads past
``logStreamNamePrefix``. https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import dropwhile, islice
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import cloudwatch_logs

_PAGE_EVENTS = 10_000
_PAGE_BYTES = 1024 * 1024


def install() -> None:
    """Replace the request's handler."""
    cloudwatch_logs._filter_log_events = _filter_log_events


def _filter_log_events(data: dict[str, Any]) -> Any:
    name = cloudwatch_logs._resolve_log_group_name(data)
    group = cloudwatch_logs._log_groups.get(name)
    if group is None:
        return error_response_json(
            "ResourceNotFoundException", f"The specified log group does not exist: {name}", 400
        )
    if data.get("logStreamNames") and data.get("logStreamNamePrefix"):
        return error_response_json(
            "InvalidParameterException",
            "Specify either logStreamNames or logStreamNamePrefix, but not both.",
            400,
        )
    events: Iterator[dict[str, Any]] = heapq.merge(*_histories(group, data), key=_order)
    if token := data.get("nextToken"):  # the last event of the page before
        events = islice(dropwhile(lambda event: event["eventId"] != token, events), 1, None)
    matches = cloudwatch_logs._compile_filter_pattern(data.get("filterPattern", ""))
    largest = min(int(data.get("limit", _PAGE_EVENTS)), _PAGE_EVENTS)
    page: list[dict[str, Any]] = []
    size = 0
    for event in events:
        if not matches(event["message"]):
            continue
        size += len(event["message"].encode())
        if page and (len(page) == largest or size > _PAGE_BYTES):
            return json_response({"events": page, "searchedLogStreams": [], "nextToken": page[-1]["eventId"]})
        page.append(event)
    return json_response({"events": page, "searchedLogStreams": []})


def _histories(group: dict[str, Any], data: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The events in the asked-for time, a list for each asked-for stream."""
    names, prefix = data.get("logStreamNames") or (), data.get("logStreamNamePrefix") or ""
    first, last = data.get("startTime"), data.get("endTime")
    found = []
    with cloudwatch_logs._log_events_lock:
        for name, stream in group["streams"].items():
            if not name.startswith(prefix) or (names and name not in names):
                continue
            history, by_time = stream["events"], cloudwatch_logs._event_timestamp
            begin = 0 if first is None else bisect_left(history, first, key=by_time)
            end = len(history) if last is None else bisect_right(history, last, key=by_time)
            found.append([{**event, "logStreamName": name} for event in history[begin:end]])
    return found


def _order(event: dict[str, Any]) -> tuple[int, int]:
    return event["timestamp"], event["ingestionTime"]
