"""StopTask on a task of a service: the scheduler puts another one in its place, as on AWS.

The emulator looks after a service's tasks when one ends by itself, and forgets those that a person stops.
https://docs.aws.amazon.com/AmazonECS/latest/userguide/ecs_services.html
"""

from __future__ import annotations

from typing import Any

from ministack.core.concurrency import spawn_background
from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import ecs


def install() -> None:
    """Answer StopTask; what the scheduler itself stops is no request and stays as it is."""
    stop_task = ecs._ACTION_MAP["StopTask"]

    def stop_and_replace(data: dict[str, Any]) -> Any:
        answer = stop_task(data)
        cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
        task = ecs._resolve_task(data.get("task", ""), cluster)
        kind, _, service = (task or {}).get("group", "").partition(":")
        if kind == "service":
            _replace(cluster, service)
        return answer

    ecs._ACTION_MAP["StopTask"] = stop_and_replace


def _replace(cluster: str, service: str) -> None:
    """Bring a service back to its count, while the caller has its answer already."""
    account_id, region = get_account_id(), get_region()

    def work() -> None:
        with request_scope(account_id, region):
            ecs._refresh_service_state(cluster, f"service:{service}")
            ecs._reconcile_service_tasks(cluster, f"{cluster}/{service}")

    spawn_background(work, thread_name=f"sandbox-replace-{service[:12]}")
