"""The files that outlive a task: mounted over TLS, by the app's own user, and kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from the_sink.naming import PYTHON_RUNTIMES
from the_sink.resources import resource_path

from .policies import allows, request, role_statements

FILES = "<FileSystem.Arn>"


@pytest.mark.parametrize("action", ["ClientMount", "ClientWrite", "ClientRootAccess"])
def test_nobody_mounts_them_without_tls_whatever_a_role_allows(
    action: str, stack: Callable[..., Any]
) -> None:
    policy = stack("python").properties("FileSystem")["FileSystemPolicy"]["Statement"]
    everything = {"Effect": "Allow", "Action": "elasticfilesystem:*", "Resource": "*"}
    statements = [everything, *({**statement, "Resource": "*"} for statement in policy)]

    def mounted(is_secure: str) -> bool:
        asked = request(f"elasticfilesystem:{action}", FILES, {"aws:SecureTransport": is_secure})
        return allows(statements, asked)

    assert {str(each["Principal"]) for each in policy} == {"{'AWS': '*'}"}
    assert not mounted("false")
    assert mounted("true")


def test_a_task_mounts_them_through_their_access_point_and_not_as_root(stack: Callable[..., Any]) -> None:
    app = stack("python")
    role = role_statements(app, "TaskRole")

    def allowed(action: str, point: str) -> bool:
        context = {"elasticfilesystem:AccessPointArn": point}
        return allows(role, request(f"elasticfilesystem:{action}", FILES, context))

    for action in ("ClientMount", "ClientWrite"):
        assert allowed(action, "<FileSystemAccessPoint.Arn>")
        assert not allowed(action, "arn:another")
    assert not allowed("ClientRootAccess", "<FileSystemAccessPoint.Arn>")
    (volume,) = (each for each in app.properties("TaskDefinition")["Volumes"] if each["Name"] == "shared")
    mounted = volume["EFSVolumeConfiguration"]
    assert mounted["AuthorizationConfig"]["AccessPointId"] == "<FileSystemAccessPoint>"
    assert (
        mounted["FilesystemId"] == app.properties("FileSystemAccessPoint")["FileSystemId"] == "<FileSystem>"
    )


def test_they_belong_to_the_user_that_every_runtime_runs_as(stack: Callable[..., Any]) -> None:
    point = stack("python").properties("FileSystemAccessPoint")
    created = point["RootDirectory"]["CreationInfo"]
    folder = resource_path("runtimes/python")
    texts = [(folder / f"{version}.Dockerfile").read_text() for version in PYTHON_RUNTIMES]
    users = {uid for text in texts for uid in re.findall(r"useradd --uid (\d+)", text)}
    groups = {gid for text in texts for gid in re.findall(r"groupadd --gid (\d+)", text)}

    assert users == {point["PosixUser"]["Uid"]} == {created["OwnerUid"]}
    assert groups == {point["PosixUser"]["Gid"]} == {created["OwnerGid"]}
    assert "0" not in users | groups
    assert int(created["Permissions"], 8) & 0o707 == 0o700
