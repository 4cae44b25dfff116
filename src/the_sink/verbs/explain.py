"""``explain``: why an execution did not bring its release to serve, whenever somebody asks.

It reads what AWS still has: executions for twelve months, a stack's events for ninety days, stopped tasks for
an hour, logs as long as their group keeps them. The chain of causes is the one that ``deploy`` ends with.
"""

from __future__ import annotations

from collections.abc import Generator

from the_sink.aws.session import Aws
from the_sink.diagnosis.causes import explain
from the_sink.diagnosis.executions import Followed
from the_sink.diagnosis.waiting import describe_standing
from the_sink.errors import InputError, NotFound
from the_sink.models import Event, Execution, Explanation, Pipeline, Release
from the_sink.models.summaries import commit_of, name_of, subject_of
from the_sink.naming import Names


def explain_execution(aws: Aws, names: Names, execution_id: str = "") -> Generator[Event, None, Explanation]:
    """Return what became of an execution, having shown the evidence; changes nothing.

    Args:
        aws: The environment's account.
        names: Of the app there.
        execution_id: The execution, or how its id begins; "" for the newest one.

    Raises:
        NotFound: the environment's pipeline does not exist.
        InputError: nothing was released there yet, or no execution, or more than one, begins like that.
    """
    pipeline = aws.pipelines.describe(names.pipeline)
    if pipeline is None:
        raise NotFound(
            f"The pipeline {names.pipeline} does not exist, and its executions went with it. The stack "
            f"{names.pipeline_stack} should have it: somebody has deleted it by hand.",
            f"What served is in the ledger: invoke history --env {names.env}{aws.target.flags}. To get the "
            f"pipeline back, delete that stack and run invoke bootstrap --env {names.env}{aws.target.flags}.",
        )
    found = aws.pipelines.executions(names.pipeline, None if execution_id else 100)
    executions = tuple(each for each in found if not each.is_self_started)
    execution = _choose(aws, names, executions, execution_id)
    if execution.status in {"Failed", "Superseded", "Stopped", "Cancelled"}:
        actions = aws.pipelines.actions(names.pipeline, execution.execution_id)
        commit = commit_of(execution.summary) or execution.execution_id
        release = Release(names.app, commit, subject_of(execution.summary))
        error = yield from explain(aws, names, release, Followed(execution, actions))
        return _explanation(names, execution, error.message, error.hint)
    if execution.is_over:
        return _explain_success(aws, names, executions, execution)
    return _explain_standing(aws, names, pipeline, execution)


def _choose(aws: Aws, names: Names, executions: tuple[Execution, ...], execution_id: str) -> Execution:
    flags = aws.target.flags
    if not executions:
        raise InputError(
            f"Nothing was released to {names.app} {names.env} yet.",
            f"First: invoke deploy --env {names.env}{flags}",
        )
    if not execution_id:
        return executions[0]
    matching = [each for each in executions if each.execution_id.startswith(execution_id)]
    if len(matching) == 1:
        return matching[0]
    see = f"See them all: invoke history --env {names.env} --limit all{flags}"
    if matching:
        raise InputError(
            f"{len(matching)} executions of pipeline {names.pipeline} begin with {execution_id}.", see
        )
    raise InputError(f"Pipeline {names.pipeline} has no execution {execution_id}.", see)


def _explain_success(
    aws: Aws, names: Names, executions: tuple[Execution, ...], execution: Execution
) -> Explanation:
    failed = next((each for each in executions if each.status == "Failed"), None)
    hint = f"What serves now: invoke status --env {names.env}{aws.target.flags}"
    if failed is not None:
        hint = (
            f"The last one that failed is {name_of(failed.summary)}: invoke explain --env {names.env} "
            f"--execution {failed.execution_id}{aws.target.flags}"
        )
    return _explanation(names, execution, f"{_name(names, execution)} succeeded.", hint)


def _explain_standing(aws: Aws, names: Names, pipeline: Pipeline, execution: Execution) -> Explanation:
    actions = aws.pipelines.actions(names.pipeline, execution.execution_id)
    standing = describe_standing(pipeline, execution.execution_id, actions, names.env, aws.target.flags)
    commit = commit_of(execution.summary)
    watch = (
        f"Watch it: invoke deploy --env {names.env}{f' --commit {commit}' if commit else ''}"
        f"{aws.target.flags}"
    )
    sentence = f"{_name(names, execution)} {standing.sentence}."
    return _explanation(names, execution, sentence, standing.hint or watch)


def _name(names: Names, execution: Execution) -> str:
    commit = commit_of(execution.summary)
    return f"{names.app} {names.env}: the deploy of {commit[:8] or execution.execution_id}"


def _explanation(names: Names, execution: Execution, sentence: str, hint: str) -> Explanation:
    return Explanation(
        env=names.env,
        execution_id=execution.execution_id,
        commit=commit_of(execution.summary),
        status=execution.status,
        sentence=sentence,
        hint=hint,
    )
