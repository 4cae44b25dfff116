"""``status`` and ``outputs``: what an app's environments are and serve; nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence

from the_sink.aws.session import Aws
from the_sink.errors import NotFound, SinkError
from the_sink.models import EnvironmentStatus, Execution, Image, ReleaseRecord, Serving
from the_sink.models.summaries import commit_of
from the_sink.naming import Names, commit_of_image_tag
from the_sink.verbs.approve import describe_waiting
from the_sink.verbs.platform.stack import describe_platform
from the_sink.verbs.serving import describe_release_image, describe_serving

_LOOKED_THROUGH = 10
"""Executions whose builds are asked whether they pushed what runs, and releases in the ledger: each costs a
call."""


def describe_environment(aws: Aws, names: Names, platform: str = "") -> EnvironmentStatus:
    """Return one environment as it stands; one that was never bootstrapped is not an error.

    Args:
        aws: The environment's account.
        names: Of the app there.
        platform: The name of the platform whose ledger says who released what serves; "" does not ask it.
    """
    pipeline = aws.pipelines.describe(names.pipeline)
    if pipeline is None:
        return EnvironmentStatus(names.env, is_bootstrapped=False)
    runs = [run for run in aws.pipelines.executions(names.pipeline) if not run.is_self_started]
    stack = aws.stacks.describe(names.app_stack)
    serving = describe_serving(aws, names, stack) if stack else None
    record = _find_record(aws, names, platform, serving)
    return EnvironmentStatus(
        env=names.env,
        is_bootstrapped=True,
        pipeline=names.pipeline,
        execution=runs[0] if runs else None,
        stack_status=str(stack.status) if stack else "",
        commit=_commit_of(aws, names, serving, runs),
        serving=serving,
        released_by=record.released_by if record else "",
        approved_by=record.approved_by if record else "",
        closed=pipeline.closed,
        waiting_for_approval=describe_waiting(aws, names, pipeline),
        log_group=names.log_group if serving else "",
    )


def _find_record(aws: Aws, names: Names, platform: str, serving: Serving | None) -> ReleaseRecord | None:
    """Return the newest release of the image that runs, None where no record of it can be read."""
    if not platform or serving is None or not serving.digest:
        return None
    try:
        bucket = describe_platform(aws, platform).bucket
        records = aws.ledger.releases(bucket, names.app, names.env, _LOOKED_THROUGH)
    except SinkError:  # what stands is told all the same
        return None
    return next((record for record in records if record.digest == serving.digest), None)


def _commit_of(aws: Aws, names: Names, serving: Serving | None, runs: Sequence[Execution]) -> str:
    """What the running image says: after a rollback or a late failure the last good run is not what runs.

    An image of the legacy platform's buildspec says nothing: its run is the newest good one if that
    deployed this image, else the one whose build pushed it.
    """
    if serving is None or len(serving.digests) != 1:
        return ""
    image = aws.registry.image(names.repository, digest=serving.digests[0])
    if image is None:
        return ""
    if commit := next(filter(None, map(commit_of_image_tag, image.tags)), ""):
        return commit
    found = _newest_good(aws, names, image, runs) or _pushed_by(aws, names, image, runs[:_LOOKED_THROUGH])
    return commit_of(found.summary) if found else ""


def _newest_good(aws: Aws, names: Names, image: Image, runs: Sequence[Execution]) -> Execution | None:
    newest = next((run for run in runs if run.is_success), None)
    if newest is None:
        return None
    try:
        digest = describe_release_image(
            aws, names, aws.pipelines.actions(names.pipeline, newest.execution_id)
        )
    except SinkError:
        return None  # a later build has moved the tag, or the artifact is gone
    return newest if digest == image.digest else None


def _pushed_by(aws: Aws, names: Names, image: Image, runs: Sequence[Execution]) -> Execution | None:
    for run in runs:
        for action in aws.pipelines.actions(names.pipeline, run.execution_id):
            if action.provider != "CodeBuild" or not (action.started_at and action.updated_at):
                continue
            # A second's fraction may be missing from when it was pushed.
            began = action.started_at.replace(microsecond=0)
            if image.pushed_at and began <= image.pushed_at <= action.updated_at:
                return run
    return None


def describe_outputs(aws: Aws, names: Names) -> dict[str, str]:
    """Return the outputs of the app's stack.

    Raises:
        NotFound: nothing was deployed there yet, or the first deploy failed.
    """
    stack = aws.stacks.describe(names.app_stack)
    if stack is None or stack.status.is_never_created:
        raise NotFound(
            f"{names.app} has no stack in {names.env} yet.",
            f"First: invoke deploy --env {names.env}{aws.target.flags}",
        )
    if stack.status.must_be_deleted and not stack.outputs:
        raise NotFound(
            f"{names.app} has no outputs in {names.env}: its stack is in {stack.status}.",
            f"Mend the cause, then invoke deploy --env {names.env}{aws.target.flags} --yes: it deletes what "
            "is left and deploys.",
        )
    return dict(sorted(stack.outputs.items()))
