"""What an execution that has not ended is doing, or waits for, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC

from the_sink.models import ActionRun, Pipeline


@dataclass(frozen=True)
class Standing:
    """Where an execution stands.

    Attributes:
        sentence: The end of "the deploy of 3f2c1ab9 …", without a full stop.
        hint: What lets it go on; "" where nothing is needed.
        is_waiting: Whether it waits for a person.
    """

    sentence: str
    hint: str = ""
    is_waiting: bool = False


def describe_standing(
    pipeline: Pipeline, execution_id: str, actions: tuple[ActionRun, ...], env: str, flags: str
) -> Standing:
    """Return where an execution under way stands.

    Args:
        pipeline: As it stands.
        execution_id: The execution.
        actions: Its actions, oldest first.
        env: The environment's name.
        flags: What a command ends with to mean the same AWS.
    """
    for approval in pipeline.waiting:
        if approval.execution_id == execution_id:
            since = f" since {approval.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if approval.since else ""
            return Standing(
                f"waits for an approval in stage {approval.stage}{since}",
                f"Answer it: invoke approve --env {env}{flags} (or: invoke reject --env {env}{flags})",
                is_waiting=True,
            )
    at_work = [each.name for each in actions if not each.is_over]
    if at_work:
        return Standing(f"is under way: {at_work[-1]} is at work")
    next_stage = _next_stage(pipeline, actions)
    for gate in pipeline.closed:
        if gate.stage == next_stage:
            return Standing(
                f"stands before stage {gate.stage}, whose transition is disabled: "
                f"{gate.reason.rstrip('.') or 'no reason given'}",
                f"Enable it: aws codepipeline enable-stage-transition --pipeline-name {pipeline.name} "
                f"--stage-name {gate.stage} --transition-type Inbound",
                is_waiting=True,
            )
    if next_stage:
        return Standing(f"is under way, before stage {next_stage}")
    return Standing("is under way")


def _next_stage(pipeline: Pipeline, actions: tuple[ActionRun, ...]) -> str:
    """Return the stage that comes after those which an execution has been in, "" after the last."""
    reached = [pipeline.stages.index(each.stage) for each in actions if each.stage in pipeline.stages]
    following = pipeline.stages[max(reached, default=-1) + 1 :]
    return following[0] if following else ""
