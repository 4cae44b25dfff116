"""How many processes serve: one for each whole processor of the task."""

from __future__ import annotations

from collections.abc import Mapping

from sink_runtime.layout import Refusal

CPU = "TASK_CPU"
"""The task's CPU units, as its task definition has them: 1024 are one virtual CPU."""

CONCURRENCY = "WEB_CONCURRENCY"
"""What gunicorn and uvicorn take their number of worker processes from:
https://gunicorn.org/reference/settings/#workers and https://www.uvicorn.org/settings/"""

_UNITS_OF_A_CPU = 1024


def choose_concurrency(environment: Mapping[str, str]) -> dict[str, str]:
    """Return WEB_CONCURRENCY for a task of this size; nothing where somebody has set it, or no size is known.

    One process for each whole CPU, one up to the first: a process of Python computes on one CPU at a time,
    and what only waits needs threads or tasks, not processes. Memory needs no further bound: Fargate has no
    task with less than 2 GiB for each whole CPU
    (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html).

    Raises:
        Refusal: the size is no number.
    """
    units = environment.get(CPU, "")
    if environment.get(CONCURRENCY) or not units:
        return {}
    if not (units.isascii() and units.isdigit()):
        raise Refusal(f"{CPU} is {units!r}; it must be a number of CPU units: 1024 are one virtual CPU.")
    return {CONCURRENCY: str(max(1, int(units) // _UNITS_OF_A_CPU))}
