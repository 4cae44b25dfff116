"""``approve`` and ``reject``: somebody answers for a release that waits before an environment.

AWS records who answered. An approval belongs to one execution, and only the one that stands at the stage can
be answered for; in an environment that is promoted to, later executions queue behind it
(https://docs.aws.amazon.com/codepipeline/latest/userguide/approvals.html).

What is approved is the archive that the execution carries, read and compared, never the words that it was
uploaded with. The stage stands before Build; in a pipeline of a platform before 1.1 it stands after it, and
is answered for in the same way.
"""

from __future__ import annotations

from the_sink.aws.session import Aws
from the_sink.errors import InputError, SinkError
from the_sink.models import ActionRun, OpenApproval, Pipeline, Stack, WaitingRelease
from the_sink.models.summaries import commit_of, subject_of
from the_sink.naming import Names, tag_key
from the_sink.verbs.source_archive import SourceArchive, verify_source

MESSAGE_LENGTH = 512

_STAGE = "Approval"
"""The stage of the app's pipeline that an approval stands in, where its environment asks for one."""


def describe_waiting(aws: Aws, names: Names, pipeline: Pipeline) -> WaitingRelease | None:
    """Return the release that waits for an approval, None if none does; named by its execution's summary."""
    if not pipeline.waiting:
        return None
    return _release(aws, names, pipeline.waiting[0])


def approve(
    aws: Aws, names: Names, pipeline: Stack, bucket: str, *, commit: str, message: str
) -> tuple[WaitingRelease, SourceArchive]:
    """Let the release go on whose approval is open in an environment, once its archive is verified.

    Args:
        aws: The environment's account.
        names: Of the app there.
        pipeline: The stack of the environment's pipeline.
        bucket: Where archives are.
        commit: The beginning of the commit that is meant; "" for whichever waits.
        message: Why, for those who read it later.

    Returns:
        The release, with commit and subject of ``release.json``, and the archive that it was compared with.

    Raises:
        SinkError: nothing waits yet, and a release is on its way there.
        NotFound: the archive that waits no longer exists.
        InputError: nothing waits, another commit does, it is not the archive of the commit that it names,
            the message is too long, somebody else was quicker, or the approval has expired
            (https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutApprovalResult.html).
    """
    _check_message(message)
    approval = _find_open(aws, names)
    key = tag_key(names.app, pipeline.parameters["ArchiveTag"])
    source = verify_source(aws, names, bucket, key, approval.execution_id, commit)
    release = WaitingRelease(
        source.release.commit, source.release.subject, approval.since, approval.execution_id
    )
    _check_commit(names, release, commit)
    _answer(aws, names, approval, release, message, is_approved=True)
    return release, source


def reject(aws: Aws, names: Names, *, commit: str, message: str) -> WaitingRelease:
    """End the execution whose approval is open in an environment, whatever it carries.

    The release that is returned is what the execution's summary names. Arguments and exceptions are those of
    :func:`approve`, but for the archive, which is not looked at.
    """
    _check_message(message)
    approval = _find_open(aws, names)
    release = _release(aws, names, approval)
    _check_commit(names, release, commit)
    _answer(aws, names, approval, release, message, is_approved=False)
    return release


def _check_message(message: str) -> None:
    if len(message) > MESSAGE_LENGTH:
        raise InputError(
            f"The message has {len(message)} characters, {MESSAGE_LENGTH} are allowed.", "Say it shorter."
        )


def _find_open(aws: Aws, names: Names) -> OpenApproval:
    state = aws.pipelines.describe(names.pipeline)
    if state is None or not state.waiting:
        raise _nothing_waits(aws, names, state)
    return state.waiting[0]


def _check_commit(names: Names, release: WaitingRelease, commit: str) -> None:
    if commit and not release.commit.startswith(commit):
        raise InputError(
            f"{names.env} waits for an approval of {release}, and not of {commit[:8]}.",
            "Leave --commit out if that one is meant. Whichever comes later waits until it is answered.",
        )


def _answer(
    aws: Aws,
    names: Names,
    approval: OpenApproval,
    release: WaitingRelease,
    message: str,
    *,
    is_approved: bool,
) -> None:
    if not aws.pipelines.answer(names.pipeline, approval, message, is_approved=is_approved):
        raise InputError(
            f"The approval of {release} for {names.env} is closed: somebody else has just answered it, or "
            "it has expired.",
            f"See what became of it: invoke status --env {names.env}{aws.target.flags}",
        )


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
