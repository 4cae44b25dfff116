"""Who cleans up after a killed sandbox, with a `docker` that takes its time."""

from __future__ import annotations

from pathlib import Path

import pytest

from sink_host.docker_engine import FoundEngine
from sink_sandbox.containers.docker.engine import hold_alone, start_warden
from sink_sandbox.errors import SandboxUnavailable

from .helpers import wait_for


def test_the_next_sandbox_waits_until_what_a_killed_one_had_is_removed(tmp_path: Path) -> None:
    """The warden goes by the sandbox's label, which the next one's containers and network have too."""
    docker = tmp_path / "docker"
    docker.write_text(
        f"#!/bin/sh\ntouch {tmp_path}/asked\nuntil [ -e {tmp_path}/answer ]; do sleep 0.05; done\n"
    )
    docker.chmod(0o755)
    found = FoundEngine("unix:///nowhere", str(docker), has_buildx=True, version="28")
    lock = hold_alone(tmp_path)
    warden = start_warden(found, "the-sink.sandbox=x", lock)
    assert warden.stdin is not None

    # What a kill does: all that the sandbox had open is closed.
    lock.close()
    warden.stdin.close()
    wait_for((tmp_path / "asked").exists, "the removal")

    with pytest.raises(SandboxUnavailable, match="are still being removed"):
        hold_alone(tmp_path, timeout_s=0)
    (tmp_path / "answer").touch()
    hold_alone(tmp_path, timeout_s=60).close()
    assert warden.wait(60) == 0
