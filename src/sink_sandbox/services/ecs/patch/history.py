"""ListServiceDeployments and DescribeServiceDeployments, which the emulator answers with nothing.

A service's deployments are noted whenever the scheduler looks at it, so the history also has those that
have gone from the service. Their shapes and states are those of
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html.
"""

from __future__ import annotations

from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, now_iso
from ministack.services import ecs

_KEPT = 50
_ENDED = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")


def install() -> None:
    """Keep the history and answer from it."""
    refresh = ecs._refresh_service_state

    def refresh_and_note(cluster_name: str, group: str) -> None:
        refresh(cluster_name, group)
        if group and group.startswith("service:"):
            service = ecs._services.get(f"{cluster_name}/{group.partition(':')[2]}")
            if service is not None:
                note_deployments(service)
                _drop_outlived(service)

    ecs._refresh_service_state = refresh_and_note
    ecs._ACTION_MAP.update(
        ListServiceDeployments=_list_service_deployments,
        DescribeServiceDeployments=_describe_service_deployments,
        DescribeServiceRevisions=_describe_service_revisions,
    )


def note_deployments(service: dict[str, Any]) -> None:
    """Bring the service's history up to date with its deployments."""
    history: list[dict[str, Any]] = service.setdefault("_history", [])
    known = {entry["id"]: entry for entry in history}
    now = now_iso()
    present = {deployment["id"]: deployment for deployment in service.get("deployments", [])}
    for deployment in reversed(list(present.values())):
        if deployment["id"] not in known:
            entry = {"id": deployment["id"], "status": "IN_PROGRESS", "created": deployment["createdAt"]}
            entry["source"] = history[0]["id"] if history else None
            history.insert(0, entry)
            known[deployment["id"]] = entry
    rolled_back_to = _rollback(service)
    for entry in history:
        deployment = present.get(entry["id"])
        if deployment is not None:
            entry.update(
                task_definition=deployment["taskDefinition"],
                desired=deployment["desiredCount"],
                running=deployment["runningCount"],
                pending=deployment["pendingCount"],
                failed=deployment.get("failedTasks", 0),
                digests=deployment.get("_image_digests", {}),
            )
        if entry["status"] in _ENDED:
            continue
        status = _status(entry, deployment, service, rolled_back_to)
        if status != entry["status"]:
            entry.update(status=status, updated=now, reason=(deployment or {}).get("rolloutStateReason", ""))
            if status in _ENDED:
                entry["finished"] = now
    del history[_KEPT:]


def _drop_outlived(service: dict[str, Any]) -> None:
    """The emulator keeps a failed deployment for ever; it goes when a newer one takes over."""
    primary = next((entry for entry in service.get("deployments", []) if entry["status"] == "PRIMARY"), None)
    if primary is not None:
        service["deployments"] = [
            entry
            for entry in service["deployments"]
            if entry["rolloutState"] != "FAILED"
            or entry is primary
            or entry["runningCount"]
            or entry["createdAt"] > primary["createdAt"]
        ]


def _rollback(service: dict[str, Any]) -> dict[str, Any] | None:
    """The deployment that took over from a failed one."""
    deployments = service.get("deployments", [])
    failed = any(deployment["rolloutState"] == "FAILED" for deployment in deployments)
    primary = next((deployment for deployment in deployments if deployment["status"] == "PRIMARY"), None)
    return primary if failed and primary and primary["rolloutState"] != "FAILED" else None


def _status(
    entry: dict[str, Any],
    deployment: dict[str, Any] | None,
    service: dict[str, Any],
    rolled_back_to: dict[str, Any] | None,
) -> str:
    if deployment is None:
        return "STOPPED"
    if deployment["rolloutState"] == "COMPLETED":
        return "SUCCESSFUL"
    if deployment["rolloutState"] == "FAILED":
        if rolled_back_to is None:
            return "STOPPED"
        return (
            "ROLLBACK_SUCCESSFUL" if rolled_back_to["rolloutState"] == "COMPLETED" else "ROLLBACK_IN_PROGRESS"
        )
    if deployment["status"] != "PRIMARY" and service["deployments"][0]["id"] != entry["id"]:
        return "STOPPED"  # a newer deployment took its place
    return str(entry["status"])


def _list_service_deployments(data: dict[str, Any]) -> Any:
    service, error = _find(data)
    if error:
        return error
    wanted = set(data.get("status") or [])
    briefs = [
        _brief(service, entry)
        for entry in service.get("_history", [])
        if not wanted or entry["status"] in wanted
    ]
    return json_response({"serviceDeployments": briefs})


def _describe_service_deployments(data: dict[str, Any]) -> Any:
    found = []
    failures = []
    for arn in data.get("serviceDeploymentArns", []):
        match = find_entry(arn)
        if match is None:
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            found.append(_detail(*match))
    return json_response({"serviceDeployments": found, "failures": failures})


def _describe_service_revisions(data: dict[str, Any]) -> Any:
    found = []
    failures = []
    for arn in data.get("serviceRevisionArns", []):
        match = find_entry(arn)
        if match is None:
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            found.append(_revision(arn, *match))
    return json_response({"serviceRevisions": found, "failures": failures})


def _find(data: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
    name = str(data.get("service", "")).rpartition("/")[2]
    service = ecs._services.get(f"{cluster}/{name}")
    if service is None:
        return {}, error_response_json("ServiceNotFoundException", "Service not found.", 400)
    return service, None


def find_entry(arn: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return a service and the entry of its history that a service deployment's ARN names, or None."""
    parts = arn.split("/")
    if len(parts) != 4:
        return None
    service = ecs._services.get(f"{parts[1]}/{parts[2]}")
    for entry in (service or {}).get("_history", []):
        if _identifier(entry) == parts[3]:
            return service, entry
    return None


def _identifier(entry: dict[str, Any]) -> str:
    return str(entry["id"]).rpartition("/")[2]


def _arn(kind: str, service: dict[str, Any], entry_id: str) -> str:
    cluster = service["clusterArn"].rpartition("/")[2]
    return (
        f"arn:aws:ecs:{get_region()}:{get_account_id()}:{kind}/{cluster}/"
        f"{service['serviceName']}/{entry_id.rpartition('/')[2]}"
    )


def _brief(service: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    brief = {
        "serviceDeploymentArn": _arn("service-deployment", service, entry["id"]),
        "serviceArn": service["serviceArn"],
        "clusterArn": service["clusterArn"],
        "createdAt": entry["created"],
        "startedAt": entry["created"],
        "targetServiceRevisionArn": _arn("service-revision", service, entry["id"]),
        "status": entry["status"],
    }
    if entry.get("finished"):
        brief["finishedAt"] = entry["finished"]
    if entry.get("reason"):
        brief["statusReason"] = entry["reason"]
    return _with_epochs(brief)


def _detail(service: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    breaker = (service.get("deploymentConfiguration") or {}).get("deploymentCircuitBreaker") or {}
    detail = {
        **{key: value for key, value in _brief(service, entry).items() if key != "targetServiceRevisionArn"},
        "updatedAt": entry.get("updated") or entry["created"],
        "targetServiceRevision": _counts(service, entry),
        "sourceServiceRevisions": [
            _counts(service, source)
            for source in service.get("_history", [])
            if source["id"] == entry.get("source")
        ],
        "deploymentConfiguration": service.get("deploymentConfiguration", {}),
        "deploymentCircuitBreaker": {
            "status": _breaker_status(breaker, entry),
            "failureCount": entry.get("failed", 0),
            "threshold": ecs._circuit_breaker_threshold(service),
        },
    }
    if entry["status"].startswith("ROLLBACK_"):
        detail["rollback"] = {
            "reason": entry.get("reason", ""),
            "startedAt": entry.get("updated") or entry["created"],
            "serviceRevisionArn": _arn("service-revision", service, entry.get("source") or entry["id"]),
        }
    return _with_epochs(detail)


def _breaker_status(breaker: dict[str, Any], entry: dict[str, Any]) -> str:
    if not breaker.get("enable"):
        return "DISABLED"
    if "circuit breaker" in entry.get("reason", ""):
        return "TRIGGERED"
    return "MONITORING_COMPLETE" if entry["status"] in _ENDED else "MONITORING"


def _counts(service: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "arn": _arn("service-revision", service, entry["id"]),
        "requestedTaskCount": entry.get("desired", 0),
        "runningTaskCount": entry.get("running", 0),
        "pendingTaskCount": entry.get("pending", 0),
    }


def _revision(arn: str, service: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    definition = ecs._task_defs.get(ecs._resolve_td_key(entry.get("task_definition", ""))) or {}
    return _with_epochs(
        {
            "serviceRevisionArn": arn,
            "serviceArn": service["serviceArn"],
            "clusterArn": service["clusterArn"],
            "taskDefinition": entry.get("task_definition", ""),
            "launchType": service.get("launchType") or "FARGATE",
            "platformVersion": service.get("platformVersion") or "LATEST",
            "createdAt": entry["created"],
            "containerImages": [
                {
                    "containerName": container["name"],
                    "image": container["image"],
                    **(
                        {"imageDigest": entry["digests"][container["name"]]}
                        if container["name"] in entry.get("digests", {})
                        else {}
                    ),
                }
                for container in definition.get("containerDefinitions", [])
            ],
        }
    )


def _with_epochs(record: dict[str, Any]) -> dict[str, Any]:
    """The emulator turns only the timestamps that it knows into numbers."""
    return {
        key: ecs._ts_to_epoch(value)
        if key.endswith("At") and isinstance(value, str)
        else _with_epochs(value)
        if isinstance(value, dict)
        else value
        for key, value in record.items()
    }
