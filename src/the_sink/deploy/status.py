"""``status`` and ``outputs``: what an app's environments are and serve; nothing is changed."""

from __future__ import annotations

from the_sink.aws.session import Aws
from the_sink.deploy.approval import describe_waiting
from the_sink.deploy.serving import describe_serving
from the_sink.errors import NotFound
from the_sink.models import EnvironmentStatus, Serving
from the_sink.naming import Names, commit_of_image_tag


def describe_environment(aws: Aws, names: Names) -> EnvironmentStatus:
    """Return one environment as it stands; one that was never bootstrapped is no error."""
    pipeline = aws.pipelines.describe(names.pipeline)
    if pipeline is None:
        return EnvironmentStatus(names.env, is_bootstrapped=False)
    runs = [run for run in aws.pipelines.executions(names.pipeline) if not run.is_self_started]
    stack = aws.stacks.describe(names.app_stack)
    serving = describe_serving(aws, names, stack) if stack else None
    return EnvironmentStatus(
        env=names.env,
        is_bootstrapped=True,
        pipeline=names.pipeline,
        execution=runs[0] if runs else None,
        stack_status=str(stack.status) if stack else "",
        commit=_commit_of(aws, names, serving),
        serving=serving,
        closed=pipeline.closed,
        waiting_for_approval=describe_waiting(aws, names, pipeline),
    )


def _commit_of(aws: Aws, names: Names, serving: Serving | None) -> str:
    """What the running image says: after a rollback or a late failure the last good run is not what runs."""
    if serving is None or len(serving.digests) != 1:
        return ""
    image = aws.registry.image(names.repository, digest=serving.digests[0])
    return next(filter(None, map(commit_of_image_tag, image.tags if image else ())), "")


def describe_outputs(aws: Aws, names: Names) -> dict[str, str]:
    """Return the outputs of the app's stack.

    Raises:
        NotFound: nothing was deployed there yet.
    """
    stack = aws.stacks.describe(names.app_stack)
    if stack is None or stack.status.is_never_created:
        raise NotFound(
            f"{names.app} has no stack in {names.env} yet.",
            f"First: invoke deploy --env {names.env}{aws.target.flags}",
        )
    return dict(sorted(stack.outputs.items()))
