"""CodeBuild: the phases of one build and where its log lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from the_sink.aws.target import Target
from the_sink.aws.translation import translated
from the_sink.models import Build, BuildPhase

if TYPE_CHECKING:
    from mypy_boto3_codebuild import CodeBuildClient


@translated("CodeBuild")
class Builds:
    """The builds of an account and region."""

    def __init__(self, client: CodeBuildClient, target: Target) -> None:
        self._client = client
        self._target = target

    def describe(self, build_id: str) -> Build | None:
        """Return a build, or None if CodeBuild keeps it no longer."""
        found = self._client.batch_get_builds(ids=[build_id]).get("builds", [])
        if not found:
            return None
        build = found[0]
        logs = build.get("logs", {})
        return Build(
            build_id=build_id,
            status=build.get("buildStatus", ""),
            current_phase=build.get("currentPhase", ""),
            phases=tuple(
                BuildPhase(
                    name=phase.get("phaseType", ""),
                    status=phase.get("phaseStatus", ""),
                    duration_s=phase.get("durationInSeconds", 0),
                    message="; ".join(
                        context["message"] for context in phase.get("contexts", []) if context.get("message")
                    ),
                )
                for phase in build.get("phases", [])
            ),
            log_group=logs.get("groupName", ""),
            log_stream=logs.get("streamName", ""),
        )
