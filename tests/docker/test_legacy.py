"""An app of the legacy platform with a Docker Engine: the steps of ``tests/e2e``, and whose processes."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

import pytest

from sink_sandbox.client import lifecycle
from sink_sandbox.containers.docker.names import sandbox_id
from tests.e2e import test_legacy as e2e

move = e2e.move


@pytest.fixture(scope="module")
def compute(base_image: Any) -> str:
    """An engine plays containers, on the base image of the app's runtime."""
    base_image("3.11")
    return "docker"


class TestLegacyAppOnDocker(e2e.TestLegacyApp):  # type: ignore[misc]
    def test_its_service_has_no_rights_and_its_programs_have_those_of_the_image(
        self, move: Any, engine: Any
    ) -> None:
        """USER root is the last of its Dockerfile; what takes requests is smartlabuser all the same."""
        (container,) = engine.containers(sandbox_id(lifecycle.state_dir(e2e.SANDBOX)))
        told = engine.run("top", container, "-eo", "uid,pid,args")

        assert move.about()["uid"] == 1000
        assert {line.split()[0] for line in told.splitlines() if "gunicorn" in line} == {"1000"}
        assert {line.split()[0] for line in told.splitlines() if "prune-uploads.py" in line} == {"0"}
        where = engine.run("exec", container, "sh", "-c", "cd /home/smartlabuser/app/server && ls -a")
        assert {".env", "migrations", "pyproject.toml", "src"} <= set(where.split())

    def test_its_tasks_share_files_that_outlive_them(self, move: Any, engine: Any) -> None:
        """What was uploaded is below /mnt/shared, which is the service's to write."""
        address = urlsplit(move.address)
        connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=60)
        connection.request("PUT", "/api/uploads/chart.txt", b"ebb", {"Host": address.netloc})
        assert connection.getresponse().status == 204

        (container,) = engine.containers(sandbox_id(lifecycle.state_dir(e2e.SANDBOX)))
        assert engine.run("exec", container, "cat", "/mnt/shared/uploads/chart.txt") == "ebb"
