"""Why a run failed: from the run to the action to the command, resource or task that did it.

The chain ends in one sentence, the error; the lines that show it (the end of a log) go before it as
evidence.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta

from the_sink.aws.session import Aws
from the_sink.diagnosis.build_log import (
    find_evidence,
    find_missing_runtime,
    find_sink_build_sentence,
    shorten_message,
)
from the_sink.diagnosis.exceptions import find_exception, shorten_line
from the_sink.diagnosis.executions import Followed, explain_superseded
from the_sink.diagnosis.failed_tasks import LOG_LINES, FailedTask, find_failed_task, say_more
from the_sink.diagnosis.hints import hint_for_build, hint_for_stack, hint_for_task
from the_sink.diagnosis.refusals import find_refusal
from the_sink.diagnosis.runtime_words import describe_port, find_runtime_sentence
from the_sink.diagnosis.stack_events import (
    StackFollower,
    describe_cause,
    describe_place,
    find_cause,
    find_protected,
)
from the_sink.diagnosis.task_ends import describe_end
from the_sink.errors import AccessError, DeployFailed
from the_sink.models import ActionRun, Event, Evidence, Release, Service, UnhealthyTarget
from the_sink.naming import Names

_BUILD_LOG_LINES = 2000
"""How many lines of a build's log are read: the failure stands before whatever the build did after it."""

_LAST_WORDS = 5
"""How many of the last lines of a failed command may tell why it failed."""

_CLOCK_SKEW = timedelta(seconds=2)

_STOPPED_TASKS_KEPT = timedelta(hours=1)
"""How long ECS shows a task that has stopped, at the least.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
"""


def explain(
    aws: Aws, names: Names, release: Release, followed: Followed
) -> Generator[Event, None, DeployFailed]:
    """Return why a run did not bring its release to serve, having shown the evidence."""
    execution, actions = followed.execution, followed.actions
    what = f"{names.app} {names.env}: the deploy of {release.short}"
    if execution.status == "Superseded":
        return DeployFailed(
            f"{what} was superseded by {explain_superseded(aws, names, execution.execution_id)}.",
            "The newer release goes on. If this one is meant, deploy it again.",
        )
    failed = _find_failed(actions)
    if failed is None and actions and not actions[-1].is_over:
        failed = actions[-1]  # the service gave up, and the pipeline has not noticed
    if failed is None and execution.status == "Cancelled":
        return DeployFailed(
            f"{what} was cancelled: its pipeline was changed meanwhile.",
            f"Start it again: invoke deploy --env {names.env}{aws.target.flags}",
        )
    if failed is None:
        reason = (
            execution.stop_reason or execution.status_summary or f"its execution ended as {execution.status}"
        )
        return DeployFailed(
            f"{what} was stopped: {reason.rstrip('.')}.",
            f"Start it again: invoke deploy --env {names.env}{aws.target.flags}",
        )
    sentence, hint = yield from _explain_action(aws, names, failed, followed.unhealthy, followed.failed_task)
    return DeployFailed(f"{what} failed in {failed.name}: {sentence}", hint)


def describe_failure(aws: Aws, names: Names, actions: tuple[ActionRun, ...]) -> str:
    """Return in one sentence why a run of the pipeline failed, "" if none of its actions did."""
    failed = _find_failed(actions)
    if failed is None:
        return ""
    explaining = _explain_action(aws, names, failed)
    while True:
        try:
            next(explaining)
        except StopIteration as end:
            sentence, _hint = end.value
            return f"{failed.name}: {sentence}"


def _find_failed(actions: tuple[ActionRun, ...]) -> ActionRun | None:
    return next((run for run in reversed(actions) if run.status == "Failed"), None)


def _explain_action(
    aws: Aws,
    names: Names,
    run: ActionRun,
    unhealthy: UnhealthyTarget | None = None,
    failed_task: FailedTask | None = None,
) -> Generator[Event, None, tuple[str, str]]:
    sentence, hint = yield from _explain_by_provider(aws, names, run, unhealthy, failed_task)
    refusal = find_refusal([*_last_words(aws, run), sentence, run.error])
    if refusal is None or str(refusal) in sentence:
        return sentence, hint
    return str(refusal), f"{refusal.hint(names.env, aws.target.flags)}, then deploy again."


def _last_words(aws: Aws, run: ActionRun) -> tuple[str, ...]:
    """Return what a failed command said, where a role is refused something by a command of its own."""
    group, stream = run.log_group, run.log_stream
    if run.provider == "CodeBuild" and run.external_id:
        build = aws.builds.describe(run.external_id)
        group, stream = (build.log_group, build.log_stream) if build else ("", "")
    return find_evidence(_read_log(aws, group, stream), _LAST_WORDS)


def _read_log(aws: Aws, group: str, stream: str) -> tuple[str, ...]:
    if not group or not stream:
        return ()
    try:
        return aws.logs.last_lines(group, stream, _BUILD_LOG_LINES)
    except AccessError:  # a role that is older than this question: the rest of the cause is known
        return ()


def _explain_by_provider(
    aws: Aws,
    names: Names,
    run: ActionRun,
    unhealthy: UnhealthyTarget | None,
    failed_task: FailedTask | None,
) -> Generator[Event, None, tuple[str, str]]:
    match run.provider:
        case "CodeBuild":
            return (yield from _explain_build(aws, names, run))
        case "Commands":
            return (yield from _explain_commands(aws, run))
        case "CloudFormation":
            return (yield from _explain_stack(aws, names, run, unhealthy, failed_task))
        case "ECS":
            return (yield from _explain_service(aws, names, run, unhealthy))
        case "Manual":
            return _explain_approval(aws, names, run)
    return _said(run), "Mend the cause, then deploy again."


def _explain_approval(aws: Aws, names: Names, run: ActionRun) -> tuple[str, str]:
    if not run.updated_by and not run.summary:
        # Nobody answered: AWS lets it fail after a week
        # (https://docs.aws.amazon.com/codepipeline/latest/userguide/approvals-approve-or-reject.html).
        return (
            f"it has expired without an answer: {_said(run)}",
            f"Nothing changed there. Ask again: invoke deploy --env {names.env}{aws.target.flags}",
        )
    said = f": {(run.summary or run.error).rstrip('.')}" if run.summary or run.error else ""
    return f"{run.updated_by or 'someone'} rejected it{said}.", "Nothing changed there; talk to them."


def _explain_build(aws: Aws, names: Names, run: ActionRun) -> Generator[Event, None, tuple[str, str]]:
    build = aws.builds.describe(run.external_id) if run.external_id else None
    log: tuple[str, ...] = ()
    printed: tuple[str, ...] = ()
    if build is not None and build.log_group and build.log_stream:
        log = aws.logs.last_lines(build.log_group, build.log_stream, _BUILD_LOG_LINES)
        if printed := find_evidence(log, _BUILD_LOG_LINES):
            yield _show(f"What the build said last ({build.log_group})", printed)
    fault, exception = find_runtime_sentence(printed[-LOG_LINES:]), find_exception(printed)
    hint = f"{hint_for_build(fault, exception, names, aws.target.flags)}, deploy again."
    if build is None:
        return _said(run), hint
    version, flags = find_missing_runtime(log)
    if version:
        return (
            f"the platform has no runtime image for Python {version}.",
            f"In the platform's repository: invoke runtimes.publish --runtime {version}{flags}"
            f"{aws.target.flags}; then deploy again.",
        )
    phase = next((each for each in build.phases if each.status not in {"", "SUCCEEDED"}), None)
    if phase is None:
        return _said(run), hint
    said = f"; the runtime said: {fault}" if fault else ""
    said += f"; the last exception: {exception.text}" if exception else ""
    sentence = find_sink_build_sentence(printed).rstrip(".")
    failure = sentence or shorten_message(phase.message) or _said(run).rstrip(".")
    # A sentence that ends in what to do needs no other hint.
    return f"phase {phase.name}: {failure}{said}.", "" if sentence.endswith("deploy again") else hint


def _explain_commands(aws: Aws, run: ActionRun) -> Generator[Event, None, tuple[str, str]]:
    if shown := find_evidence(_read_log(aws, run.log_group, run.log_stream), LOG_LINES):
        yield _show(f"What the commands said last ({run.log_group})", shown)
    if sentence := find_sink_build_sentence(shown):
        return sentence, "Nothing was rolled out by this action. Mend the cause, then deploy again."
    return f"{shorten_message(_said(run))}.", "Mend the cause, then deploy again."


def _explain_stack(
    aws: Aws,
    names: Names,
    run: ActionRun,
    unhealthy: UnhealthyTarget | None,
    failed_task: FailedTask | None,
) -> Generator[Event, None, tuple[str, str]]:
    since, until = _find_window(run)
    # By its ARN, where the action names it: a stack of the same name may have been created anew since.
    stack_id = run.external_id if run.external_id.startswith("arn:") else names.app_stack
    follower = StackFollower(aws, stack_id, since, until)
    follower.poll()
    cause = find_cause(follower.seen)
    sentence = describe_cause(follower.seen) or _said(run)
    mend = hint_for_stack(cause, sentence, names.env, aws.target.flags)
    refusal = find_refusal([cause.reason]) if cause is not None else None
    if cause is not None and refusal is not None:
        sentence = f"{describe_place(cause)}: {refusal}"
        mend = refusal.hint(names.env, aws.target.flags)
    elif cause is not None and cause.resource_type == "AWS::ECS::Service":
        failed = yield from _show_task(aws, names, (since, until), failed_task)
        gone = _tell_gone(aws, names, until) if failed is None else []
        told = "; ".join([sentence.rstrip("."), *_tell_task(failed, unhealthy), *gone])
        sentence = f"{told}."
        mend = hint_for_task(failed, names, aws.target.flags)
    stack = aws.stacks.describe(names.app_stack)
    hint = f"The stack is as it was before. {mend}, then deploy again."
    if stack is not None and stack.status.must_be_deleted:
        protected = find_protected(follower.seen)
        let_go = f" `{protected}` and" if protected else ""
        hint = (
            f"{mend}, then{let_go} invoke deploy --env {names.env}{aws.target.flags} --yes: it deletes what "
            "is left of the stack, whose first creation this was, and deploys."
        )
    elif stack is not None and stack.status.needs_continued_rollback:
        hint = (
            f"Continue with `aws cloudformation continue-update-rollback --stack-name {names.app_stack}`, "
            "then deploy again."
        )
    return sentence, hint


def _explain_service(
    aws: Aws, names: Names, run: ActionRun, unhealthy: UnhealthyTarget | None
) -> Generator[Event, None, tuple[str, str]]:
    since, until = _find_window(run)
    failed = yield from _show_task(aws, names, (since, until))
    deployments = [
        each
        for each in aws.services.deployments(names.cluster, names.service)
        if each.created_at is None
        or ((since is None or each.created_at >= since) and (until is None or each.created_at <= until))
    ]
    service = aws.services.describe(names.cluster, names.service)
    gone = _tell_gone(aws, names, until) if failed is None and service is not None else []
    if unhealthy is None and failed is not None and failed.task.has_failed_checks:
        unhealthy = _find_unhealthy(aws, service)
    parts = _tell_task(failed, unhealthy)
    if deployments and deployments[0].is_rolled_back:
        reason = " ".join(deployments[0].reason.split()).rstrip(".")
        parts.append(f"the service went back to the version before{f' ({reason})' if reason else ''}")
    elif not parts and not gone and service is not None and service.events:
        parts.append(service.events[0].rstrip("."))
    parts += [_said(run).rstrip("."), *gone] if gone and not parts else gone
    before = "The version before serves on. " if service else ""
    return (
        f"{'; '.join(parts) or _said(run).rstrip('.')}.",
        f"{before}{hint_for_task(failed, names, aws.target.flags)}, then deploy again.",
    )


def _tell_task(failed: FailedTask | None, unhealthy: UnhealthyTarget | None) -> list[str]:
    """Return what became of the task that failed, in parts of one sentence."""
    parts = []
    if failed is not None:
        parts.append(f"task {failed.task.task_id} {describe_end(failed.task)}")
        if failed.fault:
            parts.append(f"its container-init said: {failed.fault}")
        if failed.exception:
            parts.append(f"its last exception: {failed.exception.text}")
        if failed.error:
            parts.append(f"its last error: {failed.error}")
    if unhealthy is not None and (failed is None or not failed.task.has_ended_itself):
        parts.append(f"{unhealthy}{describe_port(failed.fault if failed else '', unhealthy.port)}")
    return parts


def _find_unhealthy(aws: Aws, service: Service | None) -> UnhealthyTarget | None:
    """Return what the load balancer asks every task, where nobody watched it turn one down."""
    try:
        for arn in service.target_groups if service else ():
            if service and (asked := aws.target_groups.check(arn)):
                return UnhealthyTarget(
                    "each task", *asked, service.health_reason or "no answer that it takes"
                )
    except AccessError:  # a role that is older than this question: the rest of the cause is known
        return None
    return None


def _find_window(run: ActionRun) -> tuple[datetime | None, datetime | None]:
    """Return the moments between which what an action has caused lies; no second one while it is at work."""
    since = run.started_at - _CLOCK_SKEW if run.started_at else None
    return since, run.updated_at + _CLOCK_SKEW if run.is_over and run.updated_at else None


def _tell_gone(aws: Aws, names: Names, until: datetime | None) -> list[str]:
    """Return what to say of tasks that nobody can be asked about any more, nothing if they still can."""
    if until is None or aws.clock.utc() - until < _STOPPED_TASKS_KEPT:
        return []
    return [
        "which task stopped, and with which exit code, is gone: ECS keeps that for an hour; the log "
        f"{names.log_group} before {until:%Y-%m-%d %H:%M} UTC has its lines"
    ]


def _show_task(
    aws: Aws, names: Names, window: tuple[datetime | None, datetime | None], kept: FailedTask | None = None
) -> Generator[Event, None, FailedTask | None]:
    """Show the last lines of the task that failed, and return it."""
    failed = say_more(find_failed_task(aws, names, *window), kept)
    if failed is not None and failed.log:
        yield _show(f"The last lines of task {failed.task.task_id} ({failed.log_group})", failed.log)
    return failed


def _show(title: str, lines: tuple[str, ...]) -> Evidence:
    return Evidence(title, tuple(shorten_line(line) for line in lines[-LOG_LINES:]))


def _said(run: ActionRun) -> str:
    said = " ".join((run.error or run.summary or "AWS gives no reason").split())
    return f"{said.rstrip('.')}."
