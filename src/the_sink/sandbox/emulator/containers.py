"""How ECS makes a container here: no platform, file systems as folders, and ECS's patience at its end."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from docker.errors import DockerException
from ministack.services import ecs

_STOP_TIMEOUT_S = 30.0
"""Between SIGTERM and SIGKILL; the default of ECS."""


def install(file_systems: Path) -> None:
    """Make containers this way; ``file_systems`` holds one folder for each file system of EFS."""
    run_kwargs, binds = ecs._build_run_kwargs, ecs._docker_binds_from_taskdef

    def run_kwargs_here(*arguments: Any, **named: Any) -> dict[str, Any]:
        # A process has this machine's architecture, so none is asked for.
        kwargs: dict[str, Any] = run_kwargs(*arguments, **named)
        kwargs.pop("platform", None)
        return kwargs

    def binds_here(definition: dict[str, Any], container: dict[str, Any]) -> list[str]:
        return [*binds(definition, container), *_shared_folders(file_systems, definition, container)]

    ecs._build_run_kwargs = run_kwargs_here
    ecs._docker_binds_from_taskdef = binds_here
    ecs._remove_docker_container = _stop_container


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
            mounts.append(f"{folder}:{mount['containerPath']}:{'ro' if mount.get('readOnly') else 'rw'}")
    return mounts


def _stop_container(client: Any, container_or_id: Any) -> None:
    """Stop and remove a container with the patience of ECS."""
    if container_or_id is None:
        return
    with contextlib.suppress(DockerException):
        container = (
            client.containers.get(container_or_id) if isinstance(container_or_id, str) else container_or_id
        )
        container.stop(timeout=_STOP_TIMEOUT_S)
        container.remove(force=True)
