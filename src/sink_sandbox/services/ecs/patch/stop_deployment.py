"""StopServiceDeployment, which the emulator does not have: a rolling deployment goes back at once.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html
"""

from __future__ import annotations

from typing import Any

from ministack.core.concurrency import resource_lock
from ministack.core.responses import (
    error_response_json,
    get_account_id,
    get_region,
    json_response,
    new_uuid,
    now_iso,
)
from ministack.services import ecs

from sink_sandbox.services.ecs.patch.history import find_entry, note_deployments

_GOES_ON = ("STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")
"""States in which a deployment that is stopped once more goes on with what it does."""


def install() -> None:
    """Answer the operation."""
    ecs._ACTION_MAP["StopServiceDeployment"] = stop_service_deployment


def stop_service_deployment(data: dict[str, Any]) -> Any:
    """Answer StopServiceDeployment."""
    arn = str(data.get("serviceDeploymentArn", ""))
    if data.get("stopType", "ROLLBACK") != "ROLLBACK":
        return error_response_json("InvalidParameterException", "The stop type must be ROLLBACK.", 400)
    match = find_entry(arn)
    if match is None:
        return error_response_json(
            "ServiceDeploymentNotFoundException", "The service deployment does not exist.", 400
        )
    service, entry = match
    if entry["status"] in _GOES_ON:
        return json_response({"serviceDeploymentArn": arn})
    key = f"{service['clusterArn'].rpartition('/')[2]}/{service['serviceName']}"
    if entry["status"] not in ("PENDING", "IN_PROGRESS") or not _go_back(key, service, entry["id"]):
        return error_response_json(
            "ConflictException",
            f"The service deployment is {entry['status']} and cannot be rolled back.",
            400,
        )
    note_deployments(service)
    cluster = key.partition("/")[0]
    ecs._reconcile_service_tasks(cluster, key)
    ecs._schedule_service_deployment_completion(cluster, key, get_account_id(), get_region())
    return json_response({"serviceDeploymentArn": arn})


def _go_back(key: str, service: dict[str, Any], deployment_id: str) -> bool:
    """Make the last completed deployment the primary one; return False where there is none.

    The same that the emulator does when its circuit breaker is triggered.
    """
    with resource_lock("ecs-service", key):
        deployments = service.get("deployments", [])
        stopped = next((each for each in deployments if each["id"] == deployment_id), None)
        before = next((each for each in deployments if each["rolloutState"] == "COMPLETED"), None)
        if stopped is None or before is None or stopped["rolloutState"] != "IN_PROGRESS":
            return False
        now = now_iso()
        stopped.update(
            status="ACTIVE",
            desiredCount=0,
            rolloutState="FAILED",
            rolloutStateReason="Service deployment rolled back because of a request to stop it.",
            updatedAt=now,
        )
        before.update(
            status="PRIMARY",
            desiredCount=service.get("desiredCount", 0),
            rolloutState="IN_PROGRESS",
            rolloutStateReason="ECS deployment rollback in progress.",
            updatedAt=now,
        )
        service["taskDefinition"] = before["taskDefinition"]
        service["events"].insert(
            0,
            {
                "id": new_uuid(),
                "createdAt": now,
                "message": (
                    f"(service {service['serviceName']}) rolled back to the last completed deployment."
                ),
            },
        )
    return True
