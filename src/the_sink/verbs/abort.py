"""``abort``: end the deploy that is under way in an environment, and let what served before serve on.

The execution is stopped without abandoning its actions: what is at work ends by itself, nothing after it
begins. A rollout is not waited for: its service goes back at once to the deployment that completed last
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta

from the_sink.aws.session import Aws
from the_sink.errors import InputError, NotFound
from the_sink.models import Aborted, ActionRun, Event, Execution, Said, ServiceDeployment
from the_sink.models.summaries import commit_of, name_of
from the_sink.naming import Names
from the_sink.verbs.poller import Pace
from the_sink.verbs.serving import describe_serving

_REASON = "Stopped with invoke abort."
_CLOCK_SKEW = timedelta(seconds=2)
_RECENT = 20
"""Records of the ledger among which that of what serves is looked for; each costs a call."""


@dataclass(frozen=True)
class UnderWay:
    """The execution that is ended.

    Attributes:
        execution: The oldest that is under way: it stands in front of the others.
        behind: Those that go on once it is out of their way, oldest first.
    """

    execution: Execution
    behind: tuple[Execution, ...]

    @property
    def release(self) -> str:
        """What it carries, as people call it."""
        return name_of(self.execution.summary)


def find_under_way(aws: Aws, names: Names) -> UnderWay:
    """Return the execution that is under way in an environment.

    Raises:
        NotFound: the environment's pipeline does not exist.
        InputError: none is under way.
    """
    if aws.pipelines.describe(names.pipeline) is None:
        raise NotFound(
            f"The pipeline {names.pipeline} does not exist, so nothing is under way in it.",
            f"What serves: invoke status --env {names.env}{aws.target.flags}",
        )
    found = [each for each in aws.pipelines.executions(names.pipeline) if not each.is_self_started]
    going = [each for each in reversed(found) if not each.is_over]
    if not going:
        last = (
            f" The newest deploy there, of {name_of(found[0].summary)}: {found[0].status}." if found else ""
        )
        raise InputError(
            f"Nothing is under way in {names.env}.{last}",
            f"To go back to the release before: invoke rollback --env {names.env}{aws.target.flags}",
        )
    return UnderWay(going[0], tuple(going[1:]))


def abort(
    aws: Aws, names: Names, bucket: str, found: UnderWay, timeout_s: float | None
) -> Generator[Event, None, Aborted]:
    """End an execution, and its rollout if there is one; return what serves then.

    Args:
        aws: The environment's account.
        names: Of the app there.
        bucket: The platform's, where the ledger is.
        found: The execution.
        timeout_s: How long to wait for its end; None for ever.

    Raises:
        TimedOut: it has not ended in time, and goes on stopping.
    """
    execution_id = found.execution.execution_id
    flags = aws.target.flags
    pace = Pace(
        aws.clock,
        timeout_s,
        f"The execution {execution_id}",
        f"It is stopping. See what became of it: invoke explain --env {names.env}{flags}",
    )
    if aws.pipelines.stop(names.pipeline, execution_id, _REASON, abandon=False):
        yield Said(f"Stopping execution {execution_id} of {found.release}.")
    stopped = ""
    told: set[str] = set()
    while True:
        execution = aws.pipelines.execution(names.pipeline, execution_id)
        working = [each for each in aws.pipelines.actions(names.pipeline, execution_id) if not each.is_over]
        for action in working:
            if action.name not in told:
                told.add(action.name)
                yield Said(_describe_work(names, action))
        rollout = _find_rollout(aws, names, working)
        if rollout and rollout.arn != stopped and not rollout.is_rolled_back:
            stopped = rollout.arn
            if aws.services.stop_deployment(rollout.arn):
                yield Said(f"Service {names.service} goes back to the deployment that completed last.")
            else:
                yield Said(
                    f"Service {names.service} has no deployment to go back to: this is its first, and it "
                    "goes on until it is complete or its circuit breaker ends it."
                )
        # CodePipeline may notice much later that a rollout was ended:
        # https://github.com/aws/containers-roadmap/issues/1399
        is_back = bool(stopped) and _is_back(aws, names, stopped)
        if execution.is_over or is_back:
            break
        pace.wait()
    return _describe_end(aws, names, bucket, found)


def _describe_work(names: Names, action: ActionRun) -> str:
    match action.provider:
        case "CloudFormation":
            return (
                f"{action.name} is at work, and its update ends by itself; to take it back: "
                f"aws cloudformation cancel-update-stack --stack-name {names.app_stack}"
            )
        case "ECS":
            return f"{action.name} is rolling the service."
    return f"{action.name} is at work, and ends by itself; nothing after it begins."


def _find_rollout(aws: Aws, names: Names, working: list[ActionRun]) -> ServiceDeployment | None:
    """Return the deployment that an action at work waits for, None if none is."""
    action = next((each for each in working if each.provider == "ECS" and each.started_at), None)
    if action is None or action.started_at is None:
        return None
    since = action.started_at - _CLOCK_SKEW
    return next(
        (
            each
            for each in aws.services.deployments(names.cluster, names.service)
            if each.is_in_progress and each.created_at and each.created_at >= since
        ),
        None,
    )


def _is_back(aws: Aws, names: Names, arn: str) -> bool:
    deployments = aws.services.deployments(names.cluster, names.service)
    return any(each.arn == arn and each.is_rolled_back and not each.is_in_progress for each in deployments)


def _describe_end(aws: Aws, names: Names, bucket: str, found: UnderWay) -> Aborted:
    serving = describe_serving(aws, names, aws.stacks.describe(names.app_stack))
    digest = serving.digest if serving else ""
    records = aws.ledger.releases(bucket, names.app, names.env, _RECENT) if digest else ()
    commit = next((each.commit for each in records if each.digest == digest), "")
    return Aborted(
        env=names.env,
        execution_id=found.execution.execution_id,
        commit=commit_of(found.execution.summary),
        release=found.release,
        serving=serving,
        serving_commit=commit,
        next_release=name_of(found.behind[0].summary) if found.behind else "",
    )
