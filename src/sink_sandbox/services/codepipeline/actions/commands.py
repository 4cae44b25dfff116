"""The Commands action: shell commands on the input artifacts, without a build project.

AWS runs them on CodeBuild under the pipeline's or the action's role and logs them under
``/aws/codepipeline/<pipeline>``
(https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Commands.html).
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from sink_sandbox.client.lifecycle import ACCOUNT_ID
from sink_sandbox.services.codebuild.builds import Builds
from sink_sandbox.services.codebuild.job import Input, Job, Output, Record, Variable
from sink_sandbox.services.codepipeline.actions.context import Context
from sink_sandbox.services.codepipeline.jobs import ActionFailed, Cancelled, Outcome

_TIMEOUT_S = 3600.0


def run_commands(context: Context, builds: Builds) -> Outcome:
    """Run the commands; the action fails with the first of them."""
    job = context.job
    action = job.action
    inputs = [
        Input("" if index == 0 else name, location.bucket, location.key)
        for index, (name, location) in enumerate(job.inputs.items())
    ]
    outputs = {
        artifact["name"]: context.output_location(artifact["name"]) for artifact in action["outputArtifacts"]
    }
    build_id = f"{job.pipeline}-{job.stage}-{action['name']}:{uuid.uuid4()}"
    build = Job(
        build_id=build_id,
        arn=f"arn:aws:codebuild:{job.region}:{ACCOUNT_ID}:build/{build_id}",
        number=1,
        project=build_id.partition(":")[0],
        region=job.region,
        image="aws/codebuild/amazonlinux2-x86_64-standard:5.0",
        initiator=f"codepipeline/{job.pipeline}",
        resolved_version=job.revisions.get(next(iter(job.inputs)), ""),
        role=job.role,
        through=job.through,
        service="codepipeline.amazonaws.com",
        buildspec=json.dumps(_buildspec(action)),
        inputs=tuple(inputs),
        outputs=tuple(Output("", location.bucket, location.key) for location in outputs.values()),
        variables=tuple(
            Variable(entry["name"], entry["value"], entry.get("type", "PLAINTEXT"))
            for entry in action.get("environmentVariables", [])
        ),
        log_group=f"/aws/codepipeline/{job.pipeline}",
        log_stream=f"{action['name']}/{build_id.rpartition(':')[2]}",
        timeout_s=float(action.get("timeoutInMinutes", 0)) * 60 or _TIMEOUT_S,
        started=time.time(),
    )
    data: dict[str, Any] = {"id": build_id, "buildStatus": "IN_PROGRESS", "phases": []}
    group = f"arn:aws:logs:{job.region}:{ACCOUNT_ID}:log-group:{build.log_group}"
    job.report(external_id=build_id, log_stream_arn=f"{group}:log-stream:{build.log_stream}")
    builds.submit(build, Record(data))
    try:
        context.wait(lambda: data["buildStatus"] != "IN_PROGRESS")
    except Cancelled:
        builds.stop(build_id)
        raise
    if data["buildStatus"] != "SUCCEEDED":
        raise ActionFailed("JobFailed", _failure(data))
    variables = {entry["name"]: entry["value"] for entry in data["exportedEnvironmentVariables"]}
    return Outcome(variables=variables, artifacts=outputs)


def _buildspec(action: Mapping[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {"version": "0.2", "phases": {"build": {"commands": action["commands"]}}}
    if action.get("outputVariables"):
        spec["env"] = {"exported-variables": action["outputVariables"]}
    files = [file for artifact in action["outputArtifacts"] for file in artifact.get("files", [])]
    if files:
        spec["artifacts"] = {"files": files}
    return spec


def _failure(data: dict[str, Any]) -> str:
    for phase in data["phases"]:
        if phase.get("phaseStatus") not in (None, "SUCCEEDED"):
            return f"{phase['phaseType']}: {phase['contexts'][0]['message']}"
    return f"The commands ended as {data['buildStatus']}."
