"""ECS: how a service's deployment goes, and what its tasks run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from the_sink.aws.target import Target
from the_sink.aws.translation import error_code, translated
from the_sink.models import Service, ServiceDeployment, Task

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

_TASKS_PER_REQUEST = 100
"""https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html"""

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-unhealthy-event-messages.html
_UNHEALTHY = re.compile(r"is unhealthy in \(target-group .*?\) due to \(reason (.*)\)")

# https://repost.aws/knowledge-center/ecs-task-stopped
_FAILED_CHECKS = "Task failed ELB health checks"

_MISSING = frozenset({"ClusterNotFoundException", "ServiceNotFoundException"})


@translated("ECS")
class Services:
    """The ECS services of an account and region."""

    def __init__(self, client: ECSClient, target: Target) -> None:
        self._client = client
        self._target = target

    def describe(self, cluster: str, service: str) -> Service | None:
        """Return a service, or None if there is none (or only a deleted one)."""
        try:
            answer = self._client.describe_services(cluster=cluster, services=[service])
        except ClientError as error:
            if error_code(error) in _MISSING:
                return None
            raise
        found = [each for each in answer.get("services", []) if each.get("status") != "INACTIVE"]
        if not found:
            return None
        service_now = found[0]
        primary: Any = next(
            (each for each in service_now.get("deployments", []) if each.get("status") == "PRIMARY"), {}
        )
        events = tuple(each.get("message", "") for each in service_now.get("events", []))
        return Service(
            name=service,
            cluster=cluster,
            desired=service_now.get("desiredCount", 0),
            running=service_now.get("runningCount", 0),
            pending=service_now.get("pendingCount", 0),
            task_definition=service_now.get("taskDefinition", ""),
            rollout_state=primary.get("rolloutState", ""),
            rollout_reason=primary.get("rolloutStateReason", ""),
            events=events,
            target_groups=tuple(
                each["targetGroupArn"]
                for each in service_now.get("loadBalancers", [])
                if "targetGroupArn" in each
            ),
            grace_s=service_now.get("healthCheckGracePeriodSeconds") or 0,
            health_reason=next((said[1] for each in events if (said := _UNHEALTHY.search(each))), ""),
        )

    def restart(self, cluster: str, service: str) -> None:
        """Start a deployment that replaces every task of a service by one of the same task definition.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
        """
        self._client.update_service(cluster=cluster, service=service, forceNewDeployment=True)

    def deployments(self, cluster: str, service: str) -> tuple[ServiceDeployment, ...]:
        """Return the service's latest deployments as it judges them itself, newest first.

        ``DescribeServices`` shows no roll-back for what it is; the service deployments do:
        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html
        """
        try:
            briefs = self._client.list_service_deployments(cluster=cluster, service=service, maxResults=20)
        except ClientError as error:
            if error_code(error) in _MISSING:
                return ()
            raise
        arns = [each["serviceDeploymentArn"] for each in briefs.get("serviceDeployments", [])]
        if not arns:
            return ()
        answer = self._client.describe_service_deployments(serviceDeploymentArns=arns)
        found = [
            ServiceDeployment(
                arn=each.get("serviceDeploymentArn", ""),
                status=each.get("status", ""),
                reason=each.get("statusReason", ""),
                created_at=each.get("createdAt"),
            )
            for each in answer.get("serviceDeployments", [])
        ]
        return tuple(sorted(found, key=lambda each: arns.index(each.arn)))

    def stop_deployment(self, arn: str) -> bool:
        """Let a service go back from a deployment; return False if it cannot, or the deployment has ended.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html
        """
        try:
            self._client.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
        except ClientError as error:
            if error_code(error) in {"ConflictException", "ServiceDeploymentNotFoundException"}:
                return False
            raise
        return True

    def tasks(
        self, cluster: str, service: str, container: str, status: Literal["RUNNING", "STOPPED"] = "RUNNING"
    ) -> tuple[Task, ...]:
        """Return a service's tasks; stopped ones are kept for about an hour.

        The image, exit code and reason of each are those of the container named ``container``.
        """
        arns: list[str] = []
        pages = self._client.get_paginator("list_tasks").paginate(
            cluster=cluster, serviceName=service, desiredStatus=status
        )
        try:
            for page in pages:
                arns += page["taskArns"]
        except ClientError as error:
            if error_code(error) in _MISSING:
                return ()
            raise
        tasks: list[Task] = []
        for start in range(0, len(arns), _TASKS_PER_REQUEST):
            answer = self._client.describe_tasks(
                cluster=cluster, tasks=arns[start : start + _TASKS_PER_REQUEST]
            )
            tasks += [_task(each, container) for each in answer.get("tasks", [])]
        return tuple(tasks)

    def log_streams(self, task_definition: str, container: str) -> tuple[str, str]:
        """Return the log group of a container and what its streams' names begin with; "" for none.

        A stream is called prefix/container/task:
        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
        """
        answer = self._client.describe_task_definition(taskDefinition=task_definition)
        for each in answer["taskDefinition"].get("containerDefinitions", []):
            if each.get("name") == container:
                options = each.get("logConfiguration", {}).get("options", {})
                prefix = options.get("awslogs-stream-prefix", "")
                return options.get("awslogs-group", ""), f"{prefix}/{container}/" if prefix else ""
        return "", ""


def _task(task: Any, container: str) -> Task:
    ours: Any = next((each for each in task.get("containers", []) if each.get("name") == container), {})
    return Task(
        arn=task["taskArn"],
        status=task.get("lastStatus", ""),
        task_definition=task.get("taskDefinitionArn", ""),
        digest=ours.get("imageDigest", ""),
        health=task.get("healthStatus", ""),
        stopped_reason=task.get("stoppedReason", ""),
        exit_code=ours.get("exitCode"),
        container_reason=ours.get("reason", ""),
        stopped_at=task.get("stoppedAt"),
        has_failed_checks=task.get("stoppedReason", "").startswith(_FAILED_CHECKS),
        stop_code=task.get("stopCode", ""),
    )
