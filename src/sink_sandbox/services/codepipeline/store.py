"""What the service remembers: pipelines and their executions.

One condition guards all of it; who changes something notifies, who waits for a change waits on it.
Pipelines are told apart by region and name: a sandbox has one account.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from sink_sandbox.client.lifecycle import ACCOUNT_ID
from sink_sandbox.services.codepipeline import errors, state_file
from sink_sandbox.services.codepipeline.executions import Execution, Pipeline

_KEPT_EXECUTIONS = 200
"""Per pipeline; AWS keeps a year of them."""


class Store:
    """Pipelines and executions."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.clock = clock
        self._pipelines: dict[str, Pipeline] = {}
        self._executions: dict[str, list[Execution]] = {}
        self._sequence = 0

    def pipeline(self, region: str, name: str) -> Pipeline:
        """Return a pipeline.

        Raises:
            ServiceError: there is none.
        """
        found = self._pipelines.get(_key(region, name))
        if found is None:
            raise errors.pipeline_not_found(name)
        return found

    def has(self, region: str, name: str) -> bool:
        """Whether the pipeline exists."""
        return _key(region, name) in self._pipelines

    def pipelines(self, region: str) -> list[Pipeline]:
        """Return the region's pipelines by name."""
        found = (pipeline for pipeline in self._pipelines.values() if pipeline.region == region)
        return sorted(found, key=lambda pipeline: pipeline.name)

    def put_pipeline(self, region: str, declaration: dict[str, Any], tags: list[dict[str, str]]) -> Pipeline:
        """Create the pipeline, or a further version of it."""
        name = declaration["name"]
        now = self.clock()
        known = self._pipelines.get(_key(region, name))
        pipeline = Pipeline(
            region=region,
            arn=f"arn:aws:codepipeline:{region}:{ACCOUNT_ID}:{name}",
            declaration={**declaration, "version": known.version + 1 if known else 1},
            created=known.created if known else now,
            updated=now,
            tags=tags,
            transitions=known.transitions if known else {},
            stages=known.stages if known else {},
        )
        self._pipelines[_key(region, name)] = pipeline
        self._executions.setdefault(_key(region, name), [])
        self.changed.notify_all()
        return pipeline

    def remove_pipeline(self, region: str, name: str) -> None:
        """Forget the pipeline and its executions; those that run notice."""
        self._pipelines.pop(_key(region, name), None)
        self._executions.pop(_key(region, name), None)
        self.changed.notify_all()

    def executions(self, region: str, name: str) -> list[Execution]:
        """Return a pipeline's executions, oldest first."""
        return self._executions.get(_key(region, name), [])

    def all_executions(self) -> list[Execution]:
        """Return every execution of every pipeline."""
        return [execution for executions in self._executions.values() for execution in executions]

    def execution(self, region: str, name: str, execution_id: str) -> Execution:
        """Return one execution.

        Raises:
            ServiceError: the pipeline or the execution does not exist.
        """
        self.pipeline(region, name)
        for execution in self.executions(region, name):
            if execution.id == execution_id:
                return execution
        raise errors.execution_not_found(name, execution_id)

    def add_execution(self, execution: Execution) -> None:
        """Keep a new execution; the oldest make room."""
        self._sequence += 1
        execution.sequence = self._sequence
        kept = self._executions.setdefault(_key(execution.region, execution.pipeline), [])
        kept.append(execution)
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
            state = {
                "pipelines": {
                    key: state_file.pipeline_to_data(pipeline) for key, pipeline in self._pipelines.items()
                },
                "executions": {
                    key: [state_file.execution_to_data(execution) for execution in executions]
                    for key, executions in self._executions.items()
                },
                "sequence": self._sequence,
            }
        return json.dumps(state).encode()

    def load(self, content: bytes) -> None:
        """Take the state that ``dump`` returned, of this version or an earlier one."""
        state = json.loads(content)
        with self.changed:
            self._pipelines = {
                key: state_file.pipeline_from_data(data) for key, data in state["pipelines"].items()
            }
            self._executions = {
                key: [state_file.execution_from_data(data) for data in entries]
                for key, entries in state["executions"].items()
            }
            self._sequence = state["sequence"]


def _key(region: str, name: str) -> str:
    return f"{region}/{name}"
