"""The CodeBuild action: starts a build of the project on the input artifacts and waits for it.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeBuild.html
"""

from __future__ import annotations

import json
from typing import Any

from sink_sandbox.services.codepipeline.actions.context import Context, aws_errors
from sink_sandbox.services.codepipeline.executions import Location
from sink_sandbox.services.codepipeline.jobs import ActionFailed, Cancelled, Outcome


def run_build(context: Context) -> Outcome:
    """Build; the artifacts that the buildspec defines become the action's outputs."""
    job = context.job
    codebuild = context.client("codebuild")
    if job.configuration.get("BatchEnabled", "false").lower() == "true":
        raise ActionFailed("ConfigurationError", "The sandbox does not run batch builds (BatchEnabled).")
    outputs = {
        artifact["name"]: context.output_location(artifact["name"])
        for artifact in job.action["outputArtifacts"]
    }
    with aws_errors("ConfigurationError"):
        build = codebuild.start_build(
            projectName=job.configuration["ProjectName"],
            environmentVariablesOverride=_variables(context),
            **_sources(context),
            **_artifacts(outputs),
        )["build"]
    job.report(external_id=build["id"])
    build = _wait(context, build["id"])
    if build["buildStatus"] != "SUCCEEDED":
        raise ActionFailed("JobFailed", _failure(build))
    exported = {entry["name"]: entry["value"] for entry in build.get("exportedEnvironmentVariables", [])}
    return Outcome(variables={**exported, "CODEBUILD_BUILD_ID": build["id"]}, artifacts=outputs)


def _wait(context: Context, build_id: str) -> dict[str, Any]:
    codebuild = context.client("codebuild")
    build: dict[str, Any] = {}

    def is_done() -> bool:
        build.update(codebuild.batch_get_builds(ids=[build_id])["builds"][0])
        return bool(build["buildStatus"] != "IN_PROGRESS")

    try:
        context.wait(is_done)
    except Cancelled:
        codebuild.stop_build(id=build_id)
        raise
    return build


def _sources(context: Context) -> dict[str, Any]:
    inputs = dict(context.job.inputs)
    chosen = inputs.pop(_primary(context))
    return {
        "sourceTypeOverride": "S3",
        "sourceLocationOverride": f"{chosen.bucket}/{chosen.key}",
        "secondarySourcesOverride": [
            {"type": "S3", "location": f"{location.bucket}/{location.key}", "sourceIdentifier": name}
            for name, location in inputs.items()
        ],
    }


def _primary(context: Context) -> str:
    return context.job.configuration.get("PrimarySource") or next(iter(context.job.inputs))


def _artifacts(outputs: dict[str, Location]) -> dict[str, Any]:
    """One output is the buildspec's artifact; several are its secondary artifacts, by name."""
    entries = []
    for name, location in outputs.items():
        folder, _, file = location.key.rpartition("/")
        entries.append(
            {
                "type": "S3",
                "location": location.bucket,
                "path": folder,
                "name": file,
                "namespaceType": "NONE",
                "packaging": "ZIP",
                "artifactIdentifier": name,
            }
        )
    if len(entries) == 1:
        return {"artifactsOverride": entries[0], "secondaryArtifactsOverride": []}
    return {"artifactsOverride": {"type": "NO_ARTIFACTS"}, "secondaryArtifactsOverride": entries}


def _variables(context: Context) -> list[dict[str, str]]:
    job = context.job
    text = job.configuration.get("EnvironmentVariables") or "[]"
    try:
        given = json.loads(text)
    except ValueError as error:
        raise ActionFailed(
            "ConfigurationError", f"EnvironmentVariables is not valid JSON: {error}."
        ) from error
    if not isinstance(given, list) or not all(_is_variable(entry) for entry in given):
        raise ActionFailed(
            "ConfigurationError",
            "EnvironmentVariables must be a list of objects with a name and a value, both strings.",
        )
    return [
        *({"type": "PLAINTEXT", **entry} for entry in given),
        {"name": "CODEBUILD_INITIATOR", "value": f"codepipeline/{job.pipeline}", "type": "PLAINTEXT"},
        {
            "name": "CODEBUILD_RESOLVED_SOURCE_VERSION",
            "value": job.revisions.get(_primary(context), ""),
            "type": "PLAINTEXT",
        },
    ]


def _is_variable(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("name", "value"))


def _failure(build: dict[str, Any]) -> str:
    message = f"Build terminated with state: {build['buildStatus']}."
    for phase in build.get("phases", []):
        if phase.get("phaseStatus") in ("FAILED", "TIMED_OUT", "STOPPED", "FAULT"):
            context = (phase.get("contexts") or [{}])[0]
            return (
                f"{message} Phase: {phase['phaseType']}, Code: {context.get('statusCode', '')}, "
                f"Message: {context.get('message', '')}"
            )
    return message
