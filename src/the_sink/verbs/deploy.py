"""``deploy``: a commit's release serves in an environment, and was seen to.

The release is an archive written once; copying it to the key that the environment follows starts the
pipeline. The run that carries that very version is followed, and the end is only good if the service runs
the release's image in every task. Interrupting the watcher changes nothing: the same command finds the run
again, or sees that the release serves. If the run has failed meanwhile, the command says why before it
deploys the release once more.
"""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from the_sink.archive import Archive
from the_sink.aws.session import Aws
from the_sink.checks.validation import BUILDSPEC_FILE, check_against_pipeline
from the_sink.config import Environment, Settings
from the_sink.config.environment_file import file_name
from the_sink.config.files import Tree
from the_sink.config.stack_template import FILE as TEMPLATE_FILE
from the_sink.diagnosis.causes import describe_failure, explain
from the_sink.diagnosis.failed_tasks import count_ending_tasks, find_deaf_tasks
from the_sink.diagnosis.task_ends import describe_end
from the_sink.errors import ConfigError, DeployFailed, NotFound, SinkError
from the_sink.models import ActionRun, Deployed, Event, Execution, Release, Said, Serving, Stack, Warned
from the_sink.models.summaries import commit_of
from the_sink.naming import Names, tag_key
from the_sink.plan import (
    DeleteStack,
    DeployObserved,
    FollowExecution,
    PutOnce,
    ReleaseArchive,
    ReuseArchive,
    Step,
    VerifyServing,
    plan_deploy,
)
from the_sink.verbs import stacks
from the_sink.verbs.archives import describe_archive, make_metadata, put_archive, summary_of
from the_sink.verbs.channels import check_channel, check_sink_build
from the_sink.verbs.databases import find_taken
from the_sink.verbs.follow import Awaited, find_execution, follow
from the_sink.verbs.platform.stack import describe_platform
from the_sink.verbs.poller import Pace
from the_sink.verbs.progress import Progress
from the_sink.verbs.serving import describe_release_image, describe_serving, find_problem

_SETTLE_S = 120.0
"""How long the service's own view may lag behind the pipeline's, once that has succeeded."""


@dataclass(frozen=True)
class DeployPlan:
    """What a deploy will do.

    Attributes:
        names: Of the app in the environment.
        release: What is to serve.
        archive: Its bytes on this machine.
        bucket: Where archives lie.
        tag: Which archive the environment follows.
        version: Of the archive whose run is under way, "" where the deploy makes one.
        failed: The environment's newest run, if it carried this very release and failed, "" otherwise.
        steps: In order.
        taken_database: The identifier of the database that the release takes away; "" if it takes none.
        progress: How far it has come; moved on while it is applied.
        timeout_s: How long to watch; None for ever.
        released_by: Who releases it, as they claim; "" for whom AWS takes the caller for.
        rolled_back_from: The commit whose place it takes by a rollback; "" of any other release.
    """

    names: Names
    release: Release
    archive: Archive
    bucket: str
    tag: str
    version: str
    failed: str
    taken_database: str
    steps: tuple[Step, ...]
    progress: Progress
    timeout_s: float | None
    released_by: str = ""
    rolled_back_from: str = ""

    @property
    def starts_a_run(self) -> bool:
        """Whether anything new is sent on its way, and not only followed or looked at."""
        return any(isinstance(step, ReleaseArchive) for step in self.steps)


def plan(
    aws: Aws,
    settings: Settings,
    environment: Environment,
    archive: Archive,
    *,
    again: bool,
    may_delete: bool,
    start: str,
    resume: str,
    timeout_s: float | None,
    released_by: str = "",
    rolled_back_from: str = "",
) -> DeployPlan:
    """Look at the environment and return what a deploy will do there.

    Args:
        aws: The environment's account.
        settings: The app's.
        environment: Where to deploy.
        archive: The release, packed or fetched.
        again: Run the pipeline even if the release serves already.
        may_delete: Whether an app stack whose creation failed may be deleted to start over.
        start: The command that does this, for whoever interrupts it before the release.
        resume: The command that watches again.
        timeout_s: How long to watch; None for ever.
        released_by: Who releases it; "" for whom AWS takes the caller for.
        rolled_back_from: The commit whose place it takes by a rollback; "" of any other release.

    Raises:
        NotFound: the platform or the environment does not exist yet.
        ConfigError: the environment's pipeline was bootstrapped with other settings than the release has, or
            its platform template does not know what the release passes to it, or the release takes a
            database away that is protected.
        SinkError: the commit was archived with other bytes, or the app's stack is stuck.
    """
    names = Names(settings.app, environment.name)
    platform = describe_platform(aws, settings.platform)
    pipeline = require_bootstrapped(aws, names)
    release = Release(settings.app, archive.manifest.commit, archive.manifest.subject)
    app_stack = aws.stacks.describe(names.app_stack)
    runs = aws.pipelines.executions(names.pipeline)
    newest = _newest_version(aws, platform.bucket, tag_key(release.app, environment.tag), release)
    carrying = [run for run in runs if newest and run.revision == newest and not run.is_self_started]
    version = "" if carrying and carrying[0].is_over else newest
    observed = DeployObserved(
        bucket=platform.bucket,
        app_stack=app_stack,
        archive_is_equal=describe_archive(aws, platform.bucket, archive),
        is_serving=_serving_already(aws, names, release, runs, app_stack) is not None,
        is_under_way=bool(version),
    )
    steps = plan_deploy(
        names,
        release,
        observed,
        tag=environment.tag,
        again=again,
        may_delete=may_delete,
        flags=aws.target.flags,
    )
    progress = Progress(names.env, release, start, resume)
    planned = DeployPlan(
        names,
        release,
        archive,
        platform.bucket,
        environment.tag,
        version,
        "",
        "",
        steps,
        progress,
        timeout_s,
        released_by,
        rolled_back_from,
    )
    if not planned.starts_a_run:
        return planned
    files = _read_files(archive, (TEMPLATE_FILE, file_name(names.env), BUILDSPEC_FILE))
    _check_pipeline(aws, names.env, files, pipeline)
    check_sink_build(names.env, files, pipeline, aws.target.flags)
    check_channel(aws, platform.bucket, names.env, files)
    taken = find_taken(aws, names, files, app_stack)
    failed = next((run.execution_id for run in carrying[:1] if not again and run.status == "Failed"), "")
    return replace(planned, failed=failed, taken_database=taken)


def apply(aws: Aws, planned: DeployPlan) -> Generator[Event, None, Deployed]:
    """Carry a plan out and follow it to its end.

    Raises:
        DeployFailed: the release does not serve; the message is the cause.
        TimedOut: it has not ended in time, and goes on.
    """
    names, release, progress = planned.names, planned.release, planned.progress
    what = f"The deploy of {release.short}"
    pace = Pace(aws.clock, planned.timeout_s, what, f"It goes on. Watch again: {progress.resume}")
    version, execution_id = planned.version, ""
    prepared: list[str] = []
    actions: tuple[ActionRun, ...] = ()
    deployed: Deployed | None = None
    was_started = False
    if planned.failed:
        cause = describe_failure(aws, names, aws.pipelines.actions(names.pipeline, planned.failed))
        yield Said(
            f"The run {planned.failed} of this commit failed{f' in {cause}' if cause else '.'} "
            "Deploying it again."
        )
    for step in planned.steps:
        match step:
            case DeleteStack(stack):
                if found := aws.stacks.describe(stack):
                    progress.before_release(f"What was begun of the deletion of stack {stack} goes on.")
                    yield from stacks.delete_stack(aws, found)
                    prepared.append(f"Stack {stack} is deleted.")
                    progress.before_release(*prepared)
            case PutOnce(bucket, key):
                put_archive(aws, bucket, planned.archive, release)
                prepared.append("Its archive is uploaded.")
                progress.before_release(*prepared)
                yield Said(f"Uploaded s3://{bucket}/{key} ({planned.archive.files} files).")
            case ReuseArchive(bucket, key):
                yield Said(f"Using s3://{bucket}/{key}, which exists already.")
            case ReleaseArchive(bucket, source, key):
                released_by = planned.released_by or aws.identity.arn()
                metadata = make_metadata(release, released_by, planned.rolled_back_from)
                progress.releasing()
                version = aws.objects.copy(bucket, source, key, metadata)
                progress.released()
                yield Said(f"Released as s3://{bucket}/{key} (version {version}).")
            case FollowExecution():
                was_started = True
                progress.released()
                archive = Awaited(
                    planned.bucket,
                    tag_key(release.app, planned.tag),
                    version,
                    is_fresh=version != planned.version,
                )
                execution_id = yield from find_execution(aws, names, archive, pace)
                progress.followed(execution_id)
                yield Said(f"Run {execution_id} of pipeline {names.pipeline} carries {release.short}.")
                actions = yield from _follow_to_success(aws, planned, execution_id, pace)
            case VerifyServing():
                if not was_started:
                    progress.looking()
                    execution_id, actions = _find_success(aws, names, release)
                serving = yield from _verify(aws, planned, actions)
                yield from _tell_deaf_tasks(aws, names, actions if was_started else ())
                deployed = Deployed(
                    names.env, release, serving, execution_id, pace.elapsed_s, not was_started
                )
    if deployed is None:
        raise AssertionError("a plan for a deploy ends with a look at what serves")
    return deployed


def require_bootstrapped(aws: Aws, names: Names) -> Stack:
    """Return the environment's pipeline stack.

    Raises:
        NotFound: there is none, or its creation never ended well.
    """
    stack = aws.stacks.describe(names.pipeline_stack)
    if stack is None or stack.status.is_never_created:
        raise NotFound(
            f"{names.app} has no environment {names.env} in account {aws.account}, {aws.target.region}.",
            f"First: invoke bootstrap --env {names.env}{aws.target.flags}",
        )
    if stack.status.must_be_deleted:
        raise NotFound(
            f"The environment {names.env} of {names.app} is half-made: stack {stack.name} is in "
            f"{stack.status}.",
            f"invoke bootstrap --env {names.env}{aws.target.flags} --yes: it deletes what is left and "
            "creates it anew.",
        )
    return stack


def _read_files(archive: Archive, wanted: tuple[str, ...]) -> Tree:
    """Return those files of a release that it has."""
    with zipfile.ZipFile(archive.path) as packed:
        present = set(packed.namelist())
        return Tree({name: packed.read(name) for name in wanted if name in present})


def _check_pipeline(aws: Aws, env: str, files: Tree, pipeline: Stack) -> None:
    """Refuse a release that its pipeline would build for other settings than its stack has.

    Raises:
        ConfigError: naming the parameter; an image without the settings that no task is given, for example.
    """
    if problems := check_against_pipeline(files, env, pipeline.parameters):
        first = problems[0]
        raise ConfigError(str(first), f"{first.hint}{aws.target.flags}")


def _newest_version(aws: Aws, bucket: str, key: str, release: Release) -> str:
    """The newest version of the archive that the environment follows, "" if it is another release's."""
    newest = aws.objects.describe(bucket, key)
    if newest is None or commit_of(summary_of(newest)) != release.commit:
        return ""
    return newest.version_id


def _serving_already(
    aws: Aws, names: Names, release: Release, runs: tuple[Execution, ...], app_stack: Stack | None
) -> Serving | None:
    """What serves, if it is this release and nothing else is on its way."""
    releases = [run for run in runs if not run.is_self_started]
    if releases and releases[0].status == "Failed" and commit_of(releases[0].summary) == release.commit:
        return None  # what made its newest run fail may be mended: a secret, for example
    latest = next((run for run in releases if not run.is_over or run.is_success), None)
    if latest is None or not latest.is_success or commit_of(latest.summary) != release.commit:
        return None
    serving = describe_serving(aws, names, app_stack)
    try:
        digest = describe_release_image(
            aws, names, aws.pipelines.actions(names.pipeline, latest.execution_id)
        )
    except SinkError:
        return None  # its image or artifact has been cleaned up: the pipeline makes it again
    return None if find_problem(serving, digest) else serving


def _find_success(aws: Aws, names: Names, release: Release) -> tuple[str, tuple[ActionRun, ...]]:
    """Return the run that brought the release which serves, with its actions."""
    for run in aws.pipelines.executions(names.pipeline):
        if run.is_success and not run.is_self_started and commit_of(run.summary) == release.commit:
            return run.execution_id, aws.pipelines.actions(names.pipeline, run.execution_id)
    raise SinkError(
        f"The run of pipeline {names.pipeline} that deployed {release.short} is no longer there.",
        "The pipeline was changed at this moment; run the same command again.",
    )


def _follow_to_success(
    aws: Aws, planned: DeployPlan, execution_id: str, pace: Pace
) -> Generator[Event, None, tuple[ActionRun, ...]]:
    followed = yield from follow(aws, planned.names, execution_id, pace)
    if followed.execution.is_success:
        planned.progress.succeeded(execution_id)
    else:
        if followed.execution.is_over:
            planned.progress.failed(execution_id)
        raise (yield from explain(aws, planned.names, planned.release, followed))
    return followed.actions


def _verify(aws: Aws, planned: DeployPlan, actions: tuple[ActionRun, ...]) -> Generator[Event, None, Serving]:
    """See that every task runs the release's image, giving the service a moment to catch up."""
    names = planned.names
    digest = describe_release_image(aws, names, actions)
    deadline = aws.clock.now() + _SETTLE_S
    stack = aws.stacks.describe(names.app_stack)
    said = False
    while True:
        serving = describe_serving(aws, names, stack)
        problem = find_problem(serving, digest)
        if serving is not None and not problem:
            return serving
        if aws.clock.now() >= deadline:
            raise DeployFailed(
                f"{names.app} {names.env}: the pipeline succeeded, but {planned.release.short} does not "
                f"serve: {problem}.",
                f"Look at it: invoke status --env {names.env}{aws.target.flags}",
            )
        if not said:
            yield Said(f"Waiting for the service: {problem}.")
            said = True
        aws.clock.sleep(1.0)


_LONGEST_END_S = 150.0
"""A stop timeout ends at 120 s on Fargate; before it the load balancer lets go."""

_SLOW_END_S = 3.0
"""From when on it is said that the release before has not ended."""


def _tell_deaf_tasks(aws: Aws, names: Names, actions: tuple[ActionRun, ...]) -> Iterator[Event]:
    began = min((run.started_at for run in actions if run.started_at), default=None)
    if began and aws.target.is_sandbox:
        yield from _await_the_release_before(aws, names)
    for task in find_deaf_tasks(aws, names, began) if began else ():
        yield Warned(
            f"Task {task.task_id} of the release before {describe_end(task)}. What it was answering then "
            "is lost; let `web:` end when it receives SIGTERM."
        )


def _await_the_release_before(aws: Aws, names: Names) -> Iterator[Event]:
    """Wait until ECS has ended what was replaced: a laptop is where to find out that it ignores SIGTERM.

    ECS kills it after its stop timeout.
    """
    pace = Pace(aws.clock, None, "")
    is_told = False
    while (number := count_ending_tasks(aws, names)) and pace.elapsed_s < _LONGEST_END_S:
        if not is_told and pace.elapsed_s >= _SLOW_END_S:
            noun = "1 task" if number == 1 else f"{number} tasks"
            yield Said(f"Waiting for the end of {noun} of the release before, told to by SIGTERM.")
            is_told = True
        pace.wait()
