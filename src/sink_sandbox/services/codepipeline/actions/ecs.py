"""The ECS action: a new revision of the service's task definition with the images of Build, and its rollout.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-ECS.html
"""

from __future__ import annotations

import time
from typing import Any

from sink_sandbox.services.codepipeline.actions.context import Context, aws_errors
from sink_sandbox.services.codepipeline.jobs import ActionFailed, Outcome

_REGISTERED = frozenset(
    (
        "family",
        "taskRoleArn",
        "executionRoleArn",
        "networkMode",
        "containerDefinitions",
        "volumes",
        "placementConstraints",
        "requiresCompatibilities",
        "cpu",
        "memory",
        "pidMode",
        "ipcMode",
        "proxyConfiguration",
        "runtimePlatform",
        "ephemeralStorage",
        "inferenceAccelerators",
    )
)
"""What DescribeTaskDefinition returns and RegisterTaskDefinition takes."""


def run_rollout(context: Context) -> Outcome:
    """Register, update the service, and wait until the new deployment is the only one and complete."""
    configuration = context.job.configuration
    cluster, name = configuration["ClusterName"], configuration["ServiceName"]
    timeout_minutes = _timeout_minutes(configuration.get("DeploymentTimeout", "60"))
    images = _image_definitions(context)
    ecs = context.client("ecs")
    service = _service(ecs, cluster, name)
    with aws_errors():
        current = ecs.describe_task_definition(taskDefinition=service["taskDefinition"], include=["TAGS"])
        definition = {
            key: value
            for key, value in current["taskDefinition"].items()
            if key in _REGISTERED and value not in (None, "", [])
        }
        definition["containerDefinitions"] = _with_images(definition["containerDefinitions"], images)
        if current.get("tags"):
            definition["tags"] = current["tags"]
        revision = ecs.register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"]
        updated = ecs.update_service(cluster=cluster, service=name, taskDefinition=revision)["service"]
    deployment = next(entry for entry in updated["deployments"] if entry["status"] == "PRIMARY")["id"]
    context.job.report(external_id=deployment, summary=f"Deploying {revision.rpartition('/')[2]}")
    _wait(context, cluster, name, deployment, revision, timeout_minutes)
    return Outcome(summary=f"Deployed {revision.rpartition('/')[2]}")


def _image_definitions(context: Context) -> dict[str, str]:
    artifact = next(iter(context.job.inputs))
    file = context.job.configuration.get("FileName") or "imagedefinitions.json"
    entries = context.read_json(f"{artifact}::{file}")
    if not isinstance(entries, list) or not entries:
        raise ActionFailed("ConfigurationError", f"{file} must be a non-empty array of name and imageUri.")
    images = {}
    for entry in entries:
        if not isinstance(entry, dict) or not {"name", "imageUri"} <= set(entry):
            raise ActionFailed("ConfigurationError", f"An entry of {file} has no name or no imageUri.")
        images[entry["name"]] = entry["imageUri"]
    return images


def _with_images(containers: list[dict[str, Any]], images: dict[str, str]) -> list[dict[str, Any]]:
    missing = sorted(set(images) - {container["name"] for container in containers})
    if missing:
        raise ActionFailed(
            "ConfigurationError",
            f"The AWS ECS container {', '.join(missing)} does not exist in the task definition.",
        )
    return [
        {**container, "image": images.get(container["name"], container["image"])} for container in containers
    ]


def _service(ecs: Any, cluster: str, name: str) -> dict[str, Any]:
    with aws_errors("ConfigurationError"):
        found = ecs.describe_services(cluster=cluster, services=[name])["services"]
    if not found or found[0]["status"] != "ACTIVE":
        raise ActionFailed("ConfigurationError", f"The cluster {cluster} has no active service {name}.")
    return dict(found[0])


def _wait(
    context: Context, cluster: str, name: str, deployment: str, revision: str, timeout_minutes: int
) -> None:
    ecs = context.client("ecs")
    deadline = time.monotonic() + timeout_minutes * 60

    def is_done() -> bool:
        service = _service(ecs, cluster, name)
        ours = next((entry for entry in service["deployments"] if entry["id"] == deployment), None)
        if ours is None or ours["rolloutState"] == "FAILED" or service["taskDefinition"] != revision:
            reason = (ours or {}).get("rolloutStateReason") or "another deployment took its place."
            raise ActionFailed(
                "JobFailed", f"The deployment {deployment} of the service {name} failed: {reason}"
            )
        if time.monotonic() > deadline:
            raise ActionFailed(
                "JobFailed",
                f"The service {name} did not reach a steady state within {timeout_minutes} minutes.",
            )
        running = ours["runningCount"] >= ours["desiredCount"]
        others = sum(entry["runningCount"] for entry in service["deployments"] if entry is not ours)
        return bool(ours["rolloutState"] == "COMPLETED" and running and not others)

    context.wait(is_done)


def _timeout_minutes(text: str) -> int:
    try:
        minutes = int(text)
    except ValueError:
        minutes = 0
    if not 1 <= minutes <= 60:
        raise ActionFailed("ConfigurationError", f"DeploymentTimeout must be 1 to 60 minutes, not {text!r}.")
    return minutes
