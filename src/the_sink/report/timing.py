"""The modelled rollout as text: a table of its terms, the sum as a formula, and when ECS gives up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from the_sink.checks.rollout import Timing
from the_sink.report.tables import render_table


def render_timings(timings: Mapping[str, Timing]) -> str:
    """Return what is modelled for each environment; those that are equal are said once."""
    alike: dict[Timing, list[str]] = {}
    for env, timing in timings.items():
        alike.setdefault(timing, []).append(env)
    return "\n\n".join(_render(", ".join(envs), timing) for timing, envs in alike.items())


def timings_as_data(timings: Mapping[str, Timing]) -> list[dict[str, Any]]:
    """Return the same for a script."""
    return [
        {
            "environment": env,
            "rollout_s": timing.rollout_s,
            "terms": [
                {"name": term.name, "seconds": term.seconds, "source": term.source} for term in timing.terms
            ],
            "gives_up_s": timing.gives_up_s,
            "pipeline_waits_s": timing.pipeline_waits_s,
        }
        for env, timing in timings.items()
    ]


def _render(envs: str, timing: Timing) -> str:
    rows = [(term.name, f"{term.seconds} s", term.source) for term in timing.terms]
    terms = " + ".join(str(term.seconds) for term in timing.terms)
    failing = " + ".join(str(term.seconds) for term in timing.failed_terms)
    lines = [
        f"{envs}: a rollout of one task, modelled for AWS, without alarms",
        render_table(("what happens", "takes", "from"), rows),
        f"In all: {terms} = {timing.rollout_s} s",
        f"A release that never becomes healthy is rolled back after {timing.failures} x ({failing}) = "
        f"{timing.gives_up_s} s at most; the pipeline waits {timing.pipeline_waits_s} s.",
    ]
    if timing.has_alarm_rollback:
        lines.append("AlarmRollback adds the time for which ECS watches the alarm afterwards.")
    return "\n".join(lines)
