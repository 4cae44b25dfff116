"""What CodePipeline itself says of a pipeline's executions: the source of each, and its build.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ListActionExecutions.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sink_build.aws import Aws
from sink_build.errors import CommandFailed
from sink_build.times import parse_time

_PAGE = "100"


@dataclass(frozen=True)
class Action:
    """One action of one execution; one that was retried is there for each time."""

    execution_id: str
    name: str
    provider: str
    status: str
    started: datetime
    updated: datetime
    updated_by: str
    external_id: str
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Execution:
    """The actions of one execution that have begun, newest first."""

    execution_id: str
    actions: tuple[Action, ...]

    @property
    def source_version(self) -> str:
        """The version of the archive that the Source action fetched.

        Its variables are in the record with and without a namespace:
        https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-S3.html

        Raises:
            CommandFailed: CodePipeline does not say.
        """
        source = next((each for each in self.actions if each.provider == "S3"), None)
        version = source.variables.get("VersionId", "") if source else ""
        if not version:
            raise CommandFailed(
                f"CodePipeline does not say which archive's version execution {self.execution_id} carries.",
                "Deploy again.",
            )
        return version

    @property
    def started(self) -> datetime:
        """When its first action began."""
        return min(each.started for each in self.actions)

    @property
    def approved_by(self) -> str | None:
        """Who approved it, as an ARN; None where nobody was asked."""
        answers = [each for each in self.actions if each.provider == "Manual" and each.status == "Succeeded"]
        return answers[0].updated_by or "somebody whom CodePipeline does not name" if answers else None


class Executions:
    """The executions of one pipeline."""

    def __init__(self, aws: Aws, pipeline: str) -> None:
        self._aws = aws
        self._pipeline = pipeline

    def read(self, execution_id: str) -> Execution:
        """Return one execution."""
        found = self._list("--filter", f"pipelineExecutionId={execution_id}")
        return Execution(execution_id, tuple(map(_action, found["actionExecutionDetails"])))

    def find_build(self, moment: datetime) -> Action | None:
        """Return the Build action that was at work at a moment, None if none was.

        One at a time: a stage holds one execution
        (https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html). When it began
        and ended is what CodeBuild says.
        """
        # A push may be told by the second. No build pushes in the second in which it begins, so a moment
        # without a fraction that comes before the beginning was before it.
        build = next((each for each in self._builds() if each.started <= moment), None)
        if build is None or not build.external_id:
            return None
        answer = self._aws.call("codebuild", "batch-get-builds", "--ids", build.external_id)
        if not answer["builds"]:
            return None
        began = parse_time(answer["builds"][0]["startTime"])
        end = answer["builds"][0].get("endTime")
        is_inside = began <= moment and (end is None or moment <= parse_time(end))
        return build if is_inside else None

    def _builds(self) -> Iterator[Action]:
        """Yield the pipeline's Build actions, newest first."""
        token: tuple[str, ...] = ()
        while True:
            page = self._list("--max-items", _PAGE, *token)
            for detail in page["actionExecutionDetails"]:
                action = _action(detail)
                if action.provider == "CodeBuild":
                    yield action
            if "NextToken" not in page:
                return
            token = ("--starting-token", page["NextToken"])

    def _list(self, *words: str) -> Any:
        return self._aws.call(
            "codepipeline", "list-action-executions", "--pipeline-name", self._pipeline, *words
        )


def _action(detail: Any) -> Action:
    output = detail.get("output", {})
    return Action(
        execution_id=detail["pipelineExecutionId"],
        name=detail["actionName"],
        provider=detail["input"]["actionTypeId"]["provider"],
        status=detail["status"],
        started=parse_time(detail["startTime"]),
        updated=parse_time(detail["lastUpdateTime"]),
        updated_by=detail.get("updatedBy", ""),
        external_id=output.get("executionResult", {}).get("externalExecutionId", ""),
        variables=output.get("outputVariables", {}),
    )
