"""``approve`` and ``reject``: somebody answers for a release that waits before an environment.

AWS records who answered. An approval belongs to one run, and only the run that stands at the stage can be
answered for; in an environment that is promoted to, later runs queue behind it
(https://docs.aws.amazon.com/codepipeline/latest/userguide/approvals.html).
"""

from __future__ import annotations

from the_sink.aws.session import Aws
from the_sink.deploy.archives import commit_of, subject_of
from the_sink.errors import InputError, SinkError
from the_sink.models import ActionRun, OpenApproval, Pipeline, WaitingRelease
from the_sink.naming import Names

MESSAGE_LENGTH = 512

_STAGE = "Approval"
"""The stage of the app's pipeline that an approval stands in, where its environment asks for one."""


def describe_waiting(aws: Aws, names: Names, pipeline: Pipeline) -> WaitingRelease | None:
    """Return the release that waits for an approval in an environment, None if none does."""
    if not pipeline.waiting:
        return None
    return _release(aws, names, pipeline.waiting[0])


def answer(aws: Aws, names: Names, *, commit: str, message: str, is_approved: bool) -> WaitingRelease:
    """Answer the approval that is open in an environment, and return the release it was for.

    Args:
        aws: The environment's account.
        names: Of the app there; the environment is bootstrapped.
        commit: The beginning of the commit that is meant; "" for whichever waits.
        message: Why, for those who read it later.
        is_approved: Whether the release goes on.

    Raises:
        SinkError: nothing waits yet, and a release is on its way there.
        InputError: nothing waits, another commit does, the message is too long, somebody else was
            quicker, or the approval has expired
            (https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutApprovalResult.html).
    """
    if len(message) > MESSAGE_LENGTH:
        raise InputError(
            f"The message has {len(message)} characters, {MESSAGE_LENGTH} are allowed.", "Say it shorter."
        )
    state = aws.pipelines.describe(names.pipeline)
    if state is None or not state.waiting:
        raise _nothing_waits(aws, names, state)
    approval = state.waiting[0]
    release = _release(aws, names, approval)
    if commit and not release.commit.startswith(commit):
        raise InputError(
            f"{names.env} waits for an approval of {release}, and not of {commit[:8]}.",
            "Leave --commit out if that one is meant. Whichever comes later waits until it is answered.",
        )
    if not aws.pipelines.answer(names.pipeline, approval, message, is_approved=is_approved):
        raise InputError(
            f"The approval of {release} for {names.env} is closed: somebody else has just answered it, or "
            "it has expired.",
            f"See what became of it: invoke status --env {names.env}{aws.target.flags}",
        )
    return release


def _release(aws: Aws, names: Names, approval: OpenApproval) -> WaitingRelease:
    run = aws.pipelines.execution(names.pipeline, approval.execution_id)
    return WaitingRelease(
        commit_of(run.summary), subject_of(run.summary), approval.since, approval.execution_id
    )


def _nothing_waits(aws: Aws, names: Names, state: Pipeline | None) -> SinkError:
    runs = [run for run in aws.pipelines.executions(names.pipeline) if not run.is_self_started]
    last = f" Its last run carries {commit_of(runs[0].summary)[:8]}: {runs[0].status}." if runs else ""
    # The oldest first: it is the next to arrive.
    for run in reversed([run for run in runs if not run.is_over]):
        actions = aws.pipelines.actions(names.pipeline, run.execution_id)
        release = WaitingRelease(commit_of(run.summary), subject_of(run.summary), None, run.execution_id)
        answered = [action.status for action in actions if action.provider == "Manual"]
        if answered == ["Succeeded"]:
            last = f" {release} has passed it, and {_describe_work(actions)}."
        elif not answered and state is not None and _STAGE in state.stages:
            closed = "".join(f" The way into stage {gate.stage} is closed." for gate in state.closed)
            which = f" --commit {release.commit}" if release.commit else ""
            return SinkError(
                f"{release} is on its way to the approval of {names.env}, and does not wait for it yet: "
                f"{_describe_work(actions)}.{closed}",
                "Answer once it waits; to see when that is: "
                f"invoke deploy --env {names.env}{which}{aws.target.flags}",
            )
    return InputError(
        f"Nothing in {names.env} waits for an approval.{last}",
        f"A release arrives there by: invoke deploy --env {names.env}{aws.target.flags}",
    )


def _describe_work(actions: tuple[ActionRun, ...]) -> str:
    if not actions:
        return "its run has just begun"
    return f"{actions[-1].name} {'is done' if actions[-1].is_over else 'is at work'}"
