"""CloudFormation's spelling of properties into that of ECS's API (pure).

CloudFormation writes ``ContainerDefinitions``, passes numbers and booleans as strings when they come from
parameters, and spells a few names its own way; keys of maps that belong to the user stay as they are.
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

_INTEGERS = frozenset(
    {
        "ContainerPort",
        "DesiredCount",
        "HardLimit",
        "HealthCheckGracePeriodSeconds",
        "HostPort",
        "Interval",
        "MaximumPercent",
        "MemoryReservation",
        "MinimumHealthyPercent",
        "Retries",
        "SizeInGiB",
        "SoftLimit",
        "StartPeriod",
        "StartTimeout",
        "StopTimeout",
        "Timeout",
        "TransitEncryptionPort",
        "Weight",
        "Base",
    }
)

_BOOLEANS = frozenset(
    {
        "DisableNetworking",
        "Enable",
        "EnableECSManagedTags",
        "EnableExecuteCommand",
        "Essential",
        "InitProcessEnabled",
        "Interactive",
        "Privileged",
        "PseudoTerminal",
        "ReadOnly",
        "ReadonlyRootFilesystem",
        "Rollback",
    }
)


def api_shape(value: Any, key: str = "") -> Any:
    """Return a property's value as the API takes it."""
    if isinstance(value, list):
        return [api_shape(item) for item in value]
    if isinstance(value, dict):
        if key in _USERS_KEYS:
            return {name: str(item) for name, item in value.items()}
        return {_api_name(name): api_shape(item, name) for name, item in value.items()}
    if key in _INTEGERS:
        return int(value)
    if key in _BOOLEANS and isinstance(value, str):
        return value.lower() == "true"
    return value


def _api_name(name: str) -> str:
    return _RENAMED.get(name, name[:1].lower() + name[1:])
