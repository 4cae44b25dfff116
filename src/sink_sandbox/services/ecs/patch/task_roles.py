"""A task starts with what its roles may do: the execution role before it, the task role from then on.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ministack.core.responses import get_region
from ministack.services import ecs, secretsmanager

from sink_sandbox.client.lifecycle import ACCOUNT_ID
from sink_sandbox.containers.references import Reference, parse_reference
from sink_sandbox.errors import InputError
from sink_sandbox.services.iam.access import RoleRefused, Roles

_SERVICE = "ecs-tasks.amazonaws.com"

Need = tuple[str, str, str, dict[str, Any]]
"""How ECS begins to tell of a refusal; action, resource and context of what is needed."""

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
_SECRETS = "ResourceInitializationError: unable to pull secrets or registry auth: "
_REGISTRY = "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
_LOGS = "ResourceInitializationError: failed to validate logger args: "
_FILES = "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: "


def install(roles: Roles) -> None:
    """Let a task that may not start fail to."""
    start = ecs._start_task_worker

    def start_task_worker(
        task: dict[str, Any], td: dict[str, Any], container_overrides: Any, docker_client: Any
    ) -> None:
        refusal = _refusal(roles, td)
        if refusal:
            ecs._fail_task_start(task, docker_client, refusal)
            return
        start(task, td, container_overrides, docker_client)

    ecs._start_task_worker = start_task_worker
    _act_as_task_role(roles)


def _act_as_task_role(roles: Roles) -> None:
    """What runs in a task calls AWS under the task role, and without one has no credentials.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html. They are variables here:
    AWS's clients ask for credentials at no other host than ECS's own and this machine's, which a container
    is not on.
    """
    register = ecs._register_metadata

    def register_metadata(
        task_arn: str, cluster_arn: str, td: dict[str, Any], cdef: dict[str, Any], *more: Any
    ) -> str:
        token: str = register(task_arn, cluster_arn, td, cdef, *more)
        environment: dict[str, str] = more[1]
        for name in ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"):
            environment.pop(name, None)  # these lead to keys that nobody knows
        role = td.get("taskRoleArn")
        if role and "AWS_ACCESS_KEY_ID" not in environment:
            environment.update(roles.assume(role, _SERVICE, get_region()).as_environment())
        return token

    ecs._register_metadata = register_metadata


def _refusal(roles: Roles, definition: dict[str, Any]) -> str:
    """Return why ECS would not start a task of this definition, "" if it would."""
    needs = {
        definition.get("executionRoleArn"): list(_needs_of_execution(definition)),
        definition.get("taskRoleArn"): list(_needs_of_files(definition)),
    }
    for role, wanted in needs.items():
        if not role:
            continue
        try:
            credentials = roles.assume(role, _SERVICE, get_region())
        except RoleRefused as refused:
            return str(refused)
        for beginning, action, resource, context in wanted:
            try:
                roles.check(credentials, action, resource, get_region(), context)
            except RoleRefused as refused:
                return f"{beginning}{refused}"
    return ""


def _needs_of_execution(definition: dict[str, Any]) -> Iterator[Need]:
    for container in definition.get("containerDefinitions", []):
        reference = _reference(container["image"])
        if reference is not None and reference.is_ecr:
            place = f"arn:aws:ecr:{reference.host.split('.')[3]}:{reference.account}"
            repository = f"{place}:repository/{reference.repository}"
            yield _SECRETS, "ecr:GetAuthorizationToken", "*", {}
            for action in ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"):
                yield _REGISTRY, action, repository, {}
        for secret in container.get("secrets", []):
            wanted = str(secret.get("valueFrom", ""))
            if ":secretsmanager:" in wanted:
                arn = ":".join(wanted.split(":")[:7])
                _, known = secretsmanager._resolve(arn)
                yield _SECRETS, "secretsmanager:GetSecretValue", known["ARN"] if known else arn, {}
        log = container.get("logConfiguration") or {}
        options = log.get("options") or {}
        if log.get("logDriver") == "awslogs" and options.get("awslogs-group"):
            region = options.get("awslogs-region") or get_region()
            group = f"arn:aws:logs:{region}:{ACCOUNT_ID}:log-group:{options['awslogs-group']}"
            for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
                yield _LOGS, action, f"{group}:log-stream:{options.get('awslogs-stream-prefix', '')}", {}


def _reference(image: str) -> Reference | None:
    try:
        return parse_reference(image)
    except InputError:
        return None  # ECS says so itself


def _needs_of_files(definition: dict[str, Any]) -> Iterator[Need]:
    """What mounting asks for: https://docs.aws.amazon.com/efs/latest/ug/iam-access-control-nfs-efs.html."""
    mounts = [
        mount
        for container in definition.get("containerDefinitions", [])
        for mount in container.get("mountPoints", [])
    ]
    for volume in definition.get("volumes", []):
        efs = volume.get("efsVolumeConfiguration") or {}
        settings = efs.get("authorizationConfig") or {}
        if settings.get("iam") != "ENABLED":
            continue
        place = f"arn:aws:elasticfilesystem:{get_region()}:{ACCOUNT_ID}:"
        point = settings.get("accessPointId")
        context = {"elasticfilesystem:AccessPointArn": f"{place}access-point/{point}"} if point else {}
        file_system = f"{place}file-system/{efs['fileSystemId']}"
        yield _FILES, "elasticfilesystem:ClientMount", file_system, context
        if any(not m.get("readOnly") for m in mounts if m.get("sourceVolume") == volume["name"]):
            yield _FILES, "elasticfilesystem:ClientWrite", file_system, context
