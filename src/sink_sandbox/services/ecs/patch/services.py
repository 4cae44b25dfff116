"""ECS without Docker: tasks are processes, and a deployment is complete when its targets are healthy.

ministack takes a task for steady when it has run for a second, and registers it as a target at once.
Here a task becomes a target when the target group's own check says so; one that never does is stopped
with the reason that AWS gives, and counts for the circuit breaker.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from docker.errors import DockerException
from ministack.core.concurrency import spawn_background
from ministack.core.responses import new_uuid, now_iso, request_scope
from ministack.services import alb, ecs

from sink_sandbox.services.elb.health import SHORTCUT, HealthCheck, Place, await_healthy, await_unhealthy
from sink_sandbox.services.elb.patch.balancer import Balancers

logger = logging.getLogger(__name__)

_STEADY_S = 1.0
"""How long a task without a load balancer must run to be trusted."""

_ENDING = "_sandbox_is_ending"
"""Of a task that has been told to end and may still run; to the emulator it has stopped by then."""

_ENDED_ITSELF = frozenset({"EssentialContainerExited", "TaskFailedToStart"})
_QUICK_RESTARTS = 3
_LONGEST_PAUSE_S = 30.0


class TaskSupervisor:
    """Checks the health of services' tasks and tells the emulator's scheduler."""

    def __init__(self, engine: Any, balancers: Balancers, peer: str) -> None:
        self._engine = engine
        self._peer = peer
        self._balancers = balancers
        self._ended = threading.Event()
        self._failures: Counter[str] = Counter()

    def install(self) -> None:
        """Make the emulator run processes and wait for their health."""
        ecs._docker = self._engine
        ecs._ECS_RESTORE_RECONCILE_DELAY = 0.5
        self._original_record_failure = ecs._record_service_task_failure
        self._original_cleanup = ecs._cleanup_task_resources
        self._original_task_ip = ecs._task_ip
        self._original_deployment = ecs._make_deployment
        self._original_restore = ecs._restore_state
        ecs._restore_state = self._restore
        ecs._schedule_service_deployment_completion = self._supervise
        ecs._record_service_task_failure = self._record_failure
        ecs._cleanup_task_resources = self._drain_and_clean
        ecs._task_ip = self._healthy_ip
        ecs._make_deployment = self._make_deployment
        _tell_what_is_ending()
        # The table, which holds the function itself: replacing the module's name would change nothing.
        alb._ACTION_MAP["DescribeTargetHealth"] = self._describe_target_health

    def stop(self) -> None:
        """End every task, at the end of the sandbox; they start again with it."""
        self._ended.set()
        self._engine.stop_all()

    def reset(self) -> None:
        """End every task because the sandbox is emptied."""
        self._failures.clear()
        self._engine.stop_all(timeout_s=1)

    def _restore(self, data: dict[str, Any]) -> None:
        """A task of a sandbox that has ended is stopped, and nobody wants it to run any more."""
        self._original_restore(data)
        for _, task in ecs._tasks.all_items():
            if task["desiredStatus"] != "STOPPED":
                task.update(
                    desiredStatus="STOPPED",
                    stoppedReason="The sandbox ended.",
                    stopCode="TerminationNotice",
                    stoppedAt=now_iso(),
                )
                task.pop("_target_is_healthy", None)
                task.pop(_ENDING, None)
                for container in task.get("containers", []):
                    container["lastStatus"] = "STOPPED"

    def notes(self) -> list[str]:
        """Return a sentence where a service's patience with its tasks is cut short."""
        if any(service.get("healthCheckGracePeriodSeconds") for _, service in ecs._services.all_items()):
            return [f"AWS::ECS::Service*: {SHORTCUT}"]
        return []

    # Deployments

    def _make_deployment(self, task_definition: str, desired_count: int, status: str = "PRIMARY") -> Any:
        """A deployment is in progress until it is complete, the first one of a service too."""
        deployment = self._original_deployment(task_definition, desired_count, status)
        deployment["rolloutState"] = "IN_PROGRESS"
        deployment["rolloutStateReason"] = f"ECS deployment {deployment['id']} in progress."
        return deployment

    def _supervise(
        self,
        cluster: str,
        service_key: str,
        account_id: str,
        region: str,
        healthy_task: dict[str, Any] | None = None,
    ) -> None:
        """Take the place of the emulator's wait of one second after a task's start."""

        def work() -> None:
            with request_scope(account_id, region):
                if healthy_task is None:
                    self._settle(cluster, service_key, None)
                else:
                    self._watch(cluster, service_key, healthy_task)

        spawn_background(work, thread_name=f"sandbox-health-{service_key.rpartition('/')[2][:12]}")

    def _watch(self, cluster: str, service_key: str, task: dict[str, Any]) -> None:
        def is_wanted() -> bool:
            return not self._ended.is_set() and ecs._task_is_active(task["taskArn"], task)

        service = ecs._services.get(service_key)
        if service is None:
            return
        checks = self._checks(service)
        if not checks:
            deadline = time.monotonic() + _STEADY_S
            while is_wanted() and time.monotonic() < deadline:
                time.sleep(0.05)
        address = self._original_task_ip(task)
        for group, port, check in checks:
            observe = partial(task.__setitem__, "_target_reason")
            reason = await_healthy(self._locate(address, port), check, is_wanted, observe)
            if reason:
                self._fail(service_key, task, group, port, reason)
                return
        if not is_wanted():
            return
        task["_target_is_healthy"] = True
        self._failures.pop(str(task.get("_deployment_id")), None)
        ecs._record_service_task_healthy(service_key, task)
        self._settle(cluster, service_key, task.get("_deployment_id"))
        for group, port, check in checks:
            reason = await_unhealthy(self._locate(address, port), check, is_wanted, self._ended)
            if reason:
                self._fail(service_key, task, group, port, reason)

    def _locate(self, address: str | None, port: int) -> Callable[[], Place | None]:
        def locate() -> Place | None:
            found = self._engine.resolve_target(address or "", port)
            return Place(found, f"{address}:{port}", self._peer) if found else None

        return locate

    def _settle(self, cluster: str, service_key: str, deployment_id: str | None) -> None:
        if ecs._services.get(service_key, {}).get("status") != "ACTIVE":
            return
        ecs._refresh_service_state(cluster, f"service:{service_key.rpartition('/')[2]}")
        ecs._reconcile_service_tasks(cluster, service_key)
        ecs._complete_service_deployment(cluster, service_key, expected_deployment_id=deployment_id)

    def _checks(self, service: dict[str, Any]) -> list[tuple[str, int, HealthCheck]]:
        grace_s = float(service.get("healthCheckGracePeriodSeconds") or 0)
        return [
            (
                entry["targetGroupArn"],
                int(entry.get("containerPort", 80)),
                HealthCheck.of(alb._tgs[entry["targetGroupArn"]], grace_s),
            )
            for entry in service.get("loadBalancers") or []
            if entry.get("targetGroupArn") in alb._tgs
        ]

    def _fail(self, service_key: str, task: dict[str, Any], group: str, port: int, reason: str) -> None:
        service = ecs._services.get(service_key)
        if service is None or self._ended.is_set():
            return
        task_id = task["taskArn"].rpartition("/")[2]
        service["events"].insert(
            0,
            {
                "id": new_uuid(),
                "createdAt": now_iso(),
                "message": (
                    f"(service {service['serviceName']}) (task {task_id}) (port {port}) is unhealthy in "
                    f"(target-group {group}) due to (reason {reason})."
                ),
            },
        )
        stopped = ecs._mark_task_stopped(
            task["taskArn"],
            task,
            f"Task failed ELB health checks in (target-group {group})",
            "ServiceSchedulerInitiated",
        )
        if stopped:
            ecs._cleanup_task_resources(task, self._engine)
            ecs._record_service_task_failure(task)

    def _record_failure(self, task: dict[str, Any], digest_resolution_failed: bool = False) -> None:
        """Let a service that cannot start pause between attempts, as ECS does.

        An image whose digest cannot be found is left to the pull that follows: it fails the task with a
        reason that names the image.
        """
        if self._ended.is_set() or digest_resolution_failed:
            return
        deployment = str(task.get("_deployment_id"))
        self._failures[deployment] += 1
        surplus = self._failures[deployment] - _QUICK_RESTARTS
        if surplus > 0:
            self._ended.wait(min(2.0**surplus, _LONGEST_PAUSE_S))
        self._original_record_failure(task)

    # Targets

    def _healthy_ip(self, task: dict[str, Any]) -> str | None:
        """The address by which a task is registered as a target: none before it is healthy."""
        return self._original_task_ip(task) if task.get("_target_is_healthy") else None

    def _describe_target_health(self, params: dict[str, Any]) -> Any:
        """Registered targets are healthy; tasks on their way there ``initial``, or ``unhealthy`` so far."""
        arn = alb._p(params, "TargetGroupArn")
        if arn not in alb._tgs:
            return alb._error("TargetGroupNotFound", f"Target group '{arn}' not found.")
        default_port = alb._tgs[arn].get("Port", 80)
        states = [
            (target["Id"], target.get("Port", default_port), "<State>healthy</State>")
            for target in alb._targets.get(arn, [])
        ]
        for service in list(ecs._services.values()):
            for entry in service.get("loadBalancers") or []:
                if entry.get("targetGroupArn") == arn:
                    states += [
                        (address, entry.get("containerPort", default_port), _state(reason))
                        for address, reason in self._addresses_on_their_way(service)
                    ]
        wanted = {target["Id"] for target in alb._parse_targets_param(params)}
        members = "".join(
            f"<member><Target><Id>{target}</Id><Port>{port}</Port></Target>"
            f"<HealthCheckPort>{port}</HealthCheckPort><TargetHealth>{state}</TargetHealth></member>"
            for target, port, state in states
            if not wanted or target in wanted
        )
        return alb._xml(
            200, "DescribeTargetHealth", f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"
        )

    def _addresses_on_their_way(self, service: dict[str, Any]) -> list[tuple[str, str]]:
        return [
            (address, str(task.get("_target_reason", "")))
            for task in list(ecs._tasks.values())
            if task.get("group") == f"service:{service['serviceName']}"
            and task.get("clusterArn") == service.get("clusterArn")
            and task.get("lastStatus") == "RUNNING"
            and not task.get("_target_is_healthy")
            and (address := self._original_task_ip(task))
        ]

    def _drain_and_clean(self, task: dict[str, Any], client: Any, extra_container: Any = None) -> None:
        """Let the requests that a deregistered target still answers end before it hears SIGTERM."""
        task[_ENDING] = task.get("stopCode") not in _ENDED_ITSELF
        address = self._original_task_ip(task)
        if address and task.get("_target_is_healthy"):
            deadline = time.monotonic() + self._deregistration_delay_s(task)
            while self._balancers.in_flight(address) and time.monotonic() < deadline:
                if self._ended.wait(0.05):
                    break
        engine = client or self._engine
        running = [_container_of(engine, container_id) for container_id in task.get("_docker_ids") or []]
        try:
            self._original_cleanup(task, engine, extra_container)
            _note_exit_codes(task, [each for each in running if each is not None])
        finally:
            task.pop(_ENDING, None)

    def _deregistration_delay_s(self, task: dict[str, Any]) -> float:
        cluster = task.get("clusterArn", "").rpartition("/")[2]
        service = ecs._services.get(f"{cluster}/{task.get('group', '').partition(':')[2]}") or {}
        delays = [
            float(attribute["Value"])
            for entry in service.get("loadBalancers") or []
            for attribute in alb._tg_attrs.get(entry.get("targetGroupArn"), [])
            if attribute["Key"] == "deregistration_delay.timeout_seconds"
        ]
        return max(delays, default=0.0)


def _tell_what_is_ending() -> None:
    """A task that was told to end is STOPPING until its containers have, and has no exit code before.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
    """
    sanitize = ecs._sanitize

    def tell(record: Any) -> Any:
        told = sanitize(record)
        if not isinstance(record, dict) or not record.get(_ENDING):
            return told
        for not_yet in ("stoppedAt", "executionStoppedAt"):
            told.pop(not_yet, None)
        for container in told.get("containers", []):
            container.pop("exitCode", None)
            container["lastStatus"] = "RUNNING"
        return {**told, "lastStatus": "STOPPING"}

    ecs._sanitize = tell


def _container_of(engine: Any, container_id: str) -> Any:
    try:
        return engine.containers.get(container_id)
    except DockerException:
        return None


def _note_exit_codes(task: dict[str, Any], ended: list[Any]) -> None:
    """Tell how containers ended that were stopped; of those the emulator says 0 beforehand."""
    for container in task.get("containers", []):
        for each in ended:
            if each.id.startswith(container.get("runtimeId") or "-"):
                container["exitCode"] = each.attrs["State"]["ExitCode"]


def _state(reason: str) -> str:
    """Return the state of a target that is not healthy, from what ECS says of it.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
    """
    if not reason:
        return (
            "<State>initial</State><Reason>Elb.InitialHealthChecking</Reason>"
            "<Description>Initial health checks in progress</Description>"
        )
    code = "Target.FailedHealthChecks"
    if "codes" in reason:
        code = "Target.ResponseCodeMismatch"
    elif "timed out" in reason:
        code = "Target.Timeout"
    return f"<State>unhealthy</State><Reason>{code}</Reason><Description>{reason}</Description>"
