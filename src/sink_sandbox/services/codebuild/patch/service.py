"""CodeBuild: the emulator keeps projects and build records, our builds run what the records say.

ministack marks every build as succeeded when it starts. Here StartBuild and StopBuild are ours; the
project's settings that ministack drops are kept.
"""

from __future__ import annotations

import copy
import time
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import codebuild

from sink_sandbox.services.codebuild.builds import Builds
from sink_sandbox.services.codebuild.job import Input, Job, Output, Record, Variable

KEPT = (
    "logsConfig",
    "cache",
    "vpcConfig",
    "queuedTimeoutInMinutes",
    "concurrentBuildLimit",
    "secondarySources",
    "secondaryArtifacts",
    "secondarySourceVersions",
    "fileSystemLocations",
)
"""Members of a project that ministack accepts and forgets."""


class InvalidInput(Exception):
    """The request cannot become a build; the message is CodeBuild's."""


def install(builds: Builds) -> None:
    """Let builds run."""
    create, update, shape = codebuild._create_project, codebuild._update_project, codebuild._project_shape

    def keep(data: dict[str, Any]) -> None:
        project = codebuild._projects.get(data.get("name", ""))
        if project is not None:
            project.update({key: copy.deepcopy(data[key]) for key in KEPT if key in data})

    def create_project(data: dict[str, Any]) -> Any:
        answer = create(data)
        if answer[0] < 400:
            keep(data)
        return answer if answer[0] >= 400 else _project_answer(data["name"])

    def update_project(data: dict[str, Any]) -> Any:
        answer = update(data)
        if answer[0] < 400:
            keep(data)
        return answer if answer[0] >= 400 else _project_answer(data["name"])

    def project_shape(project: dict[str, Any]) -> dict[str, Any]:
        return {**shape(project), **{key: project[key] for key in KEPT if key in project}}

    def start_build(data: dict[str, Any]) -> Any:
        project = codebuild._projects.get(data.get("projectName", ""))
        if project is None:
            name = data.get("projectName", "")
            return error_response_json("ResourceNotFoundException", f"Project cannot be found: {name}", 400)
        try:
            record, job = _prepare(project, data)
        except InvalidInput as error:
            return error_response_json("InvalidInputException", str(error), 400)
        codebuild._builds[record["id"]] = record
        builds.submit(job, Record(record))
        return json_response({"build": copy.deepcopy(record)})

    def stop_build(data: dict[str, Any]) -> Any:
        record = codebuild._builds.get(data.get("id", ""))
        if record is None:
            return error_response_json(
                "ResourceNotFoundException", f"Build {data.get('id')} cannot be found", 400
            )
        builds.stop(record["id"])
        return json_response({"build": copy.deepcopy(record)})

    codebuild._create_project = create_project
    codebuild._update_project = update_project
    codebuild._project_shape = project_shape
    codebuild._start_build = start_build
    codebuild._stop_build = stop_build


def _project_answer(name: str) -> Any:
    return json_response({"project": codebuild._project_shape(codebuild._projects[name])})


def _prepare(project: dict[str, Any], data: dict[str, Any]) -> tuple[dict[str, Any], Job]:
    build_id = codebuild._build_id(project["name"])
    now = time.time()
    source = {
        **project.get("source", {}),
        **_given(
            data, type="sourceTypeOverride", location="sourceLocationOverride", buildspec="buildspecOverride"
        ),
    }
    inputs = _inputs(source, data.get("secondarySourcesOverride") or project.get("secondarySources") or [])
    primary = data.get("artifactsOverride") or project.get("artifacts") or {"type": "NO_ARTIFACTS"}
    secondary = data.get("secondaryArtifactsOverride") or project.get("secondaryArtifacts") or []
    environment = project.get("environment", {})
    variables = _variables(environment.get("environmentVariables") or [], data)
    internal = {name: variables.pop(name).value for name in list(variables) if name.startswith("CODEBUILD_")}
    record = codebuild._make_build_record(project, build_id, data.get("sourceVersion"))
    group, stream = _log_location(project, build_id)
    record.update(
        startTime=now,
        buildStatus="IN_PROGRESS",
        buildComplete=False,
        currentPhase="SUBMITTED",
        phases=[],
        source=source,
        artifacts=primary,
        secondaryArtifacts=secondary,
        initiator=internal.get("CODEBUILD_INITIATOR", f"{get_account_id()}/user"),
        logs={
            "groupName": group,
            "streamName": stream,
            "cloudWatchLogsArn": f"arn:aws:logs:{get_region()}:{get_account_id()}"
            f":log-group:{group}:log-stream:{stream}",
        },
        timeoutInMinutes=data.get("timeoutInMinutesOverride") or project.get("timeoutInMinutes", 60),
        exportedEnvironmentVariables=[],
    )
    record.pop("endTime", None)
    job = Job(
        build_id=build_id,
        arn=record["arn"],
        number=record["buildNumber"],
        project=project["name"],
        region=get_region(),
        image=environment.get("image", ""),
        initiator=record["initiator"],
        resolved_version=internal.get("CODEBUILD_RESOLVED_SOURCE_VERSION", ""),
        role=data.get("serviceRoleOverride") or project.get("serviceRole", ""),
        service="codebuild.amazonaws.com",
        buildspec=source.get("buildspec") or "",
        inputs=inputs,
        outputs=tuple(
            _output(entry, "" if entry is primary else entry.get("artifactIdentifier", ""), build_id)
            for entry in (primary, *secondary)
            if entry.get("type") != "NO_ARTIFACTS"
        ),
        variables=tuple(variables.values()),
        log_group=group,
        log_stream=stream,
        timeout_s=float(record["timeoutInMinutes"]) * 60,
        is_privileged=bool(data.get("privilegedModeOverride", environment.get("privilegedMode", False))),
        started=now,
    )
    return record, job


def _given(data: dict[str, Any], **names: str) -> dict[str, Any]:
    return {member: data[override] for member, override in names.items() if override in data}


def _inputs(source: dict[str, Any], secondary: list[dict[str, Any]]) -> tuple[Input, ...]:
    inputs = []
    for entry, identifier in (
        (source, ""),
        *((entry, entry.get("sourceIdentifier", "")) for entry in secondary),
    ):
        kind = entry.get("type", "NO_SOURCE")
        if kind == "NO_SOURCE":
            continue
        if kind == "CODEPIPELINE":
            raise InvalidInput("Build type CODEPIPELINE is started by its pipeline, not by StartBuild.")
        if kind != "S3":
            raise InvalidInput(
                f"The sandbox builds from S3 and from pipelines; it has no source of type {kind}."
            )
        bucket, _, key = entry.get("location", "").removeprefix("arn:aws:s3:::").partition("/")
        if not bucket or not key:
            raise InvalidInput(f"Invalid S3 source location: {entry.get('location')}")
        inputs.append(Input(identifier, bucket, key))
    return tuple(inputs)


def _output(entry: dict[str, Any], identifier: str, build_id: str) -> Output:
    if entry.get("type") != "S3":
        raise InvalidInput(
            f"The sandbox uploads artifacts to S3; it has no artifacts of type {entry.get('type')}."
        )
    parts = [entry.get("path", "").strip("/")]
    if entry.get("namespaceType") == "BUILD_ID":
        parts.append(build_id.rpartition(":")[2])
    parts.append(entry.get("name") or build_id.partition(":")[0])
    key = "/".join(part for part in parts if part)
    return Output(identifier, entry.get("location", ""), key, is_zip=entry.get("packaging") == "ZIP")


def _variables(project: list[dict[str, Any]], data: dict[str, Any]) -> dict[str, Variable]:
    return {
        entry["name"]: Variable(entry["name"], entry.get("value", ""), entry.get("type") or "PLAINTEXT")
        for entry in (*project, *(data.get("environmentVariablesOverride") or []))
    }


def _log_location(project: dict[str, Any], build_id: str) -> tuple[str, str]:
    settings = (project.get("logsConfig") or {}).get("cloudWatchLogs") or {}
    uuid = build_id.rpartition(":")[2]
    group = settings.get("groupName") or f"/aws/codebuild/{project['name']}"
    prefix = settings.get("streamName")
    return group, f"{prefix}/{uuid}" if prefix else uuid
