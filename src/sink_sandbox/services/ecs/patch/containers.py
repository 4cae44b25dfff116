"""How ECS makes a container here: all that the task definition says of it, and ECS's patience at its end.

ministack hands on command, environment and host folders. Entry point, folder, user, read-only root, volumes
without a host, file systems of EFS and the stop timeout are added here, for processes and engines alike.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from docker.errors import DockerException
from ministack.services import ecs

from sink_sandbox.containers.log import STOP_TIMEOUT_LABEL

_STOP_TIMEOUT_S = 30.0
"""Between SIGTERM and SIGKILL; the default of ECS."""

PORTS_LABEL = "the-sink.ports"
"""The container's ports, for an engine that must publish them."""


def install(file_systems: Path) -> None:
    """Make containers this way; ``file_systems`` holds one folder for each file system of EFS."""
    run_kwargs, binds = ecs._build_run_kwargs, ecs._docker_binds_from_taskdef

    def run_kwargs_here(*arguments: Any, **named: Any) -> dict[str, Any]:
        # Images are built on this machine, for its architecture, so none is asked for.
        kwargs: dict[str, Any] = run_kwargs(*arguments, **named)
        kwargs.pop("platform", None)
        settings, labels = _container_settings(*arguments[:2])
        kwargs.update(settings)
        kwargs["labels"] |= labels
        return kwargs

    def binds_here(definition: dict[str, Any], container: dict[str, Any]) -> list[str]:
        return [*binds(definition, container), *_shared_folders(file_systems, definition, container)]

    ecs._build_run_kwargs = run_kwargs_here
    ecs._docker_binds_from_taskdef = binds_here
    ecs._remove_docker_container = _stop_container


def _container_settings(
    container: dict[str, Any], definition: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return docker-py's arguments for what ministack leaves out, and labels for what is needed later.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
    """
    linux = container.get("linuxParameters") or {}
    ports = [str(mapping["containerPort"]) for mapping in container.get("portMappings", [])]
    settings = {
        "entrypoint": container.get("entryPoint"),
        "working_dir": container.get("workingDirectory"),
        "user": container.get("user"),
        "read_only": container.get("readonlyRootFilesystem"),
        "init": linux.get("initProcessEnabled"),
        "mounts": _volumes(container, definition),
        "mem_limit": _memory(container, definition),
    }
    labels = {
        STOP_TIMEOUT_LABEL: str(container.get("stopTimeout") or _STOP_TIMEOUT_S),
        PORTS_LABEL: " ".join(ports),
    }
    return {name: value for name, value in settings.items() if value}, labels


def _memory(container: dict[str, Any], definition: dict[str, Any]) -> str:
    """The hard limit of memory in MiB, the task's where the container has none of its own.

    Its share of the processors is not limited: a start that takes Fargate's quarter of one is a start that
    takes four times as long, and teaches nobody anything.
    """
    limit = container.get("memory") or definition.get("memory")
    return f"{int(limit)}m" if limit else ""


def _volumes(container: dict[str, Any], definition: dict[str, Any]) -> list[dict[str, Any]]:
    """Volumes without a host: empty ones of the container's own, which take their owner from the image.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
    """
    empty = {
        volume["name"]
        for volume in definition.get("volumes", [])
        if not volume.get("efsVolumeConfiguration") and not (volume.get("host") or {}).get("sourcePath")
    }
    return [
        {
            "Target": mount["containerPath"],
            "Type": "volume",
            "ReadOnly": bool(mount.get("readOnly")),
        }
        for mount in container.get("mountPoints", [])
        if mount.get("sourceVolume") in empty
    ]


def _shared_folders(file_systems: Path, definition: dict[str, Any], container: dict[str, Any]) -> list[str]:
    """A file system of EFS is a folder of the sandbox's, shared by all tasks that mount it."""
    shared = {
        volume["name"]: file_systems / volume["efsVolumeConfiguration"]["fileSystemId"]
        for volume in definition.get("volumes", [])
        if volume.get("efsVolumeConfiguration")
    }
    mounts = []
    for mount in container.get("mountPoints", []):
        folder = shared.get(mount.get("sourceVolume"))
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            # The access point makes every access as uid 1000, whoever runs this sandbox; the folders above
            # are this user's alone.
            folder.chmod(0o777)
            mounts.append(f"{folder}:{mount['containerPath']}:{'ro' if mount.get('readOnly') else 'rw'}")
    return mounts


def read_only_roots() -> list[str]:
    """Return a sentence where services ask for a read-only root, which a process does not have."""
    read_only = {
        definition["taskDefinitionArn"]
        for _, definition in ecs._task_defs.all_items()
        if any(found.get("readonlyRootFilesystem") for found in definition.get("containerDefinitions", []))
    }
    used = {service.get("taskDefinition") for _, service in ecs._services.all_items()}
    if not read_only & used:
        return []
    return ["AWS::ECS::TaskDefinition*: a process can write to its root although it is read-only on AWS"]


def _stop_container(client: Any, container_or_id: Any) -> None:
    """Stop and remove a container with the patience of ECS."""
    if container_or_id is None:
        return
    with contextlib.suppress(DockerException):
        container = (
            client.containers.get(container_or_id) if isinstance(container_or_id, str) else container_or_id
        )
        container.stop(timeout=float(container.labels.get(STOP_TIMEOUT_LABEL) or _STOP_TIMEOUT_S))
        container.remove(force=True, v=True)
