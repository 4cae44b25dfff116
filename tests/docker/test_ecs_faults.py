"""ECS on an engine when the sandbox is killed, and when the engine stops and comes back."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from sink_sandbox.client import lifecycle
from tests.docker.ecs import until


def test_a_sandbox_that_is_killed_takes_its_containers_along(start_ecs: Any) -> None:
    """And comes back with its state: the service starts its task again."""
    ecs = start_ecs("killed")
    ecs.client("ecs").create_service(
        cluster="tests", serviceName="service", taskDefinition=ecs.register("serves"), desiredCount=1
    )
    until(lambda: len(ecs.engine.containers(ecs.id)) == 1, 60)
    until(lambda: bool(ecs.status()["saved"]), 60)

    os.kill(ecs.sandbox.pid, signal.SIGKILL)
    until(lambda: not ecs.engine.containers(ecs.id) and not ecs.engine.networks(ecs.id), 60)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(ecs.sandbox.state_dir.parent.parent))
        again = lifecycle.start("killed", compute="docker")
        assert again.port == ecs.sandbox.port
        until(lambda: len(ecs.engine.containers(ecs.id)) == 1, 60)

        # At once: what the killed one had is being removed at this moment.
        os.kill(again.pid, signal.SIGKILL)
        until(lambda: lifecycle.find("killed") is None, 60)
        lifecycle.start("killed", compute="docker")
        until(lambda: len(ecs.engine.containers(ecs.id)) == 1, 60)
        assert len(ecs.engine.networks(ecs.id)) == 1


class Road:
    """A socket that leads to the engine's until it is closed: an engine that comes and goes."""

    def __init__(self, folder: Path, engine: Any) -> None:
        self.path = folder / "engine.sock"
        self._real = engine.found.host.removeprefix("unix://")
        self._pairs: list[socket.socket] = []
        self.open()

    def open(self) -> None:
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        for end in (self._listener, *self._pairs):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._pairs.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._real)
            self._pairs += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


def test_an_engine_that_stops_and_comes_back(start_ecs: Any, engine: Any, tmp_path: Path) -> None:
    """What runs goes on, what is asked meanwhile fails with its reason, afterwards all is as before."""
    road = Road(tmp_path, engine)
    ecs = start_ecs("road", f"unix://{road.path}")
    lasting = ecs.run(ecs.register("lasts"))
    ecs.told(lasting)

    road.close()
    assert ecs.status()["engine"].endswith(", which does not answer")
    refused = ecs.run(ecs.register("refused"))
    until(lambda: ecs.task(refused)["lastStatus"] == "STOPPED", 60)
    assert ecs.task(refused)["stopCode"] == "TaskFailedToStart"
    assert "The Docker Engine does not answer" in ecs.task(refused)["stoppedReason"]
    assert ecs.told(lasting)["WHO"] == "image"

    road.open()
    assert not ecs.status()["engine"].endswith(", which does not answer")
    ecs.told(ecs.run(ecs.register("again")))
    ecs.client("ecs").stop_task(cluster="tests", task=lasting)
    assert "asked to stop" in ecs.log(lasting, "asked to stop")
