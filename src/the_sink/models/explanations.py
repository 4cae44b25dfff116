"""What ``explain`` answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Explanation:
    """What became of an execution, and why.

    Attributes:
        env: The environment.
        execution_id: Of the pipeline.
        commit: That it carries, "" where nothing names it.
        status: CodePipeline's word for how it stands: Failed, Succeeded, InProgress, Superseded, …
        sentence: What became of it; of a failure, its cause.
        hint: The next step; "" where none is needed.
    """

    env: str
    execution_id: str
    commit: str
    status: str
    sentence: str
    hint: str = ""
