"""CloudFormation's spelling of properties into that of ECS's API (pure).

CloudFormation writes ``ContainerDefinitions`` and spells a few names its own way; keys of maps that belong to
the user stay as they are.
"""

from __future__ import annotations

from typing import Any

_RENAMED = {
    "FilesystemId": "fileSystemId",
    "EFSVolumeConfiguration": "efsVolumeConfiguration",
    "FSxWindowsFileServerVolumeConfiguration": "fsxWindowsFileServerVolumeConfiguration",
    "IAM": "iam",
}

_USERS_KEYS = frozenset({"DockerLabels", "Options", "DriverOpts", "Labels"})


def api_shape(value: Any, key: str = "") -> Any:
    """Return a property's value as the API takes it."""
    if isinstance(value, list):
        return [api_shape(item) for item in value]
    if isinstance(value, dict):
        if key in _USERS_KEYS:
            return dict(value)
        return {_api_name(name): api_shape(item, name) for name, item in value.items()}
    return value


def _api_name(name: str) -> str:
    return _RENAMED.get(name, name[:1].lower() + name[1:])
