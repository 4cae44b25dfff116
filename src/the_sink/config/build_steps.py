"""The calls of ``sink-build`` in a buildspec: which there are, and in which order.

The app's team writes steps of its own between them and edits around them; one that is lost in a merge would
show in the middle of a build.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from the_sink.config.problems import Problem

STEPS = ("login", "settings", "image", "push")
"""The commands of a build, in their order."""

_PHASES = ("install", "pre_build", "build", "post_build")
_CALL = re.compile(r"^[^#\n]*?(?<![\w/.-])sink-build +([\w-]+)", re.MULTILINE)


def find_steps(phases: object) -> tuple[str, ...]:
    """Return the commands of ``sink-build`` that the phases of a buildspec call, in order."""
    return tuple(step for _, step in _calls(phases))


def check_build_steps(phases: object, file: str) -> list[Problem]:
    """Return what is wrong with the calls; nothing where there is none, as in a buildspec of 1.0."""
    called = tuple(_calls(phases))
    steps = [step for _, step in called]
    if not steps:
        return []
    order = f"The order is: {', '.join(f'sink-build {step}' for step in STEPS)}."
    unknown = next((step for step in steps if step not in STEPS), "")
    if unknown:
        return [Problem(file, f"it calls sink-build {unknown}, which is not a step of a build.", order)]
    missing = next((step for step in STEPS if step not in steps), "")
    if missing:
        return [Problem(file, f"it does not call sink-build {missing}.", order)]
    if steps != sorted(steps, key=STEPS.index):
        return [Problem(file, f"it calls sink-build {', '.join(steps)}.", order)]
    return _check_abort(phases, {step: phase for phase, step in called}, file)


def _check_abort(phases: object, phase_of: Mapping[str, str], file: str) -> list[Problem]:
    """A later phase runs after a failed one, unless it aborts.

    https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details-phases.html
    """
    phase = phase_of["image"]
    aborts = isinstance(phases, dict) and str(phases[phase].get("on-failure", "")).upper() == "ABORT"
    if aborts or phase_of["push"] == phase:
        return []
    return [
        Problem(
            file,
            f"{phase} has no on-failure: ABORT, so a later step runs after sink-build image has failed.",
            f"Add it beside the commands of {phase}.",
        )
    ]


def _calls(phases: object) -> Iterator[tuple[str, str]]:
    """Yield each phase with a command that it calls."""
    if not isinstance(phases, dict):
        return
    for name in _PHASES:
        phase: Any = phases.get(name)
        commands = phase.get("commands") if isinstance(phase, dict) else None
        for command in commands if isinstance(commands, list) else [commands]:
            yield from ((name, step) for step in _CALL.findall(str(command or "")))
