"""What the service remembers: pipelines and their executions, as plain data that can be saved as JSON.

One condition guards all of it; who changes something notifies, who waits for a change waits on it.
Pipelines are told apart by region and name: a sandbox has one account.
"""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from sink_sandbox.client.lifecycle import ACCOUNT_ID
from sink_sandbox.services.codepipeline import errors

Record = dict[str, Any]

_KEPT_EXECUTIONS = 200
"""Per pipeline; AWS keeps a year of them."""


class Store:
    """Pipelines and executions."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.clock = clock
        self._pipelines: dict[str, Record] = {}
        self._executions: dict[str, list[Record]] = {}
        self._sequence = 0

    def pipeline(self, region: str, name: str) -> Record:
        """Return a pipeline's record.

        Raises:
            ServiceError: there is none.
        """
        record = self._pipelines.get(_key(region, name))
        if record is None:
            raise errors.pipeline_not_found(name)
        return record

    def has(self, region: str, name: str) -> bool:
        """Whether the pipeline exists."""
        return _key(region, name) in self._pipelines

    def pipelines(self, region: str) -> list[Record]:
        """Return the region's pipelines by name."""
        return sorted(
            (record for record in self._pipelines.values() if record["region"] == region),
            key=lambda record: str(record["declaration"]["name"]),
        )

    def put_pipeline(self, region: str, declaration: Record, tags: list[Record]) -> Record:
        """Create the pipeline, or a further version of it."""
        name = declaration["name"]
        now = self.clock()
        known = self._pipelines.get(_key(region, name))
        record = {
            "region": region,
            "arn": f"arn:aws:codepipeline:{region}:{ACCOUNT_ID}:{name}",
            "created": known["created"] if known else now,
            "updated": now,
            "tags": tags,
            "transitions": known["transitions"] if known else {},
            "stages": known["stages"] if known else {},
            "declaration": {**declaration, "version": known["declaration"]["version"] + 1 if known else 1},
        }
        self._pipelines[_key(region, name)] = record
        self._executions.setdefault(_key(region, name), [])
        self.changed.notify_all()
        return record

    def remove_pipeline(self, region: str, name: str) -> None:
        """Forget the pipeline and its executions; those that run notice."""
        self._pipelines.pop(_key(region, name), None)
        self._executions.pop(_key(region, name), None)
        self.changed.notify_all()

    def executions(self, region: str, name: str) -> list[Record]:
        """Return a pipeline's executions, oldest first."""
        return self._executions.get(_key(region, name), [])

    def all_executions(self) -> list[Record]:
        """Return every execution of every pipeline."""
        return [record for records in self._executions.values() for record in records]

    def execution(self, region: str, name: str, execution_id: str) -> Record:
        """Return one execution.

        Raises:
            ServiceError: the pipeline or the execution does not exist.
        """
        self.pipeline(region, name)
        for record in self.executions(region, name):
            if record["id"] == execution_id:
                return record
        raise errors.execution_not_found(name, execution_id)

    def add_execution(self, region: str, name: str, record: Record) -> None:
        """Keep a new execution; the oldest make room."""
        self._sequence += 1
        record["sequence"] = self._sequence
        kept = self._executions.setdefault(_key(region, name), [])
        kept.append(record)
        del kept[:-_KEPT_EXECUTIONS]
        self.changed.notify_all()

    def clear(self) -> None:
        """Forget everything."""
        with self.changed:
            self._pipelines.clear()
            self._executions.clear()
            self.changed.notify_all()

    def dump(self) -> bytes:
        """Return the state as the content of its file."""
        with self.changed:
            state = copy.deepcopy(
                {"pipelines": self._pipelines, "executions": self._executions, "sequence": self._sequence}
            )
        return json.dumps(state).encode()

    def load(self, content: bytes) -> None:
        """Take the state that ``dump`` returned."""
        state = json.loads(content)
        with self.changed:
            self._pipelines = state["pipelines"]
            self._executions = state["executions"]
            self._sequence = state["sequence"]


def _key(region: str, name: str) -> str:
    return f"{region}/{name}"
