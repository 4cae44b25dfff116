"""One container as a process: its folder, its log, its state.

The methods and attributes are those of docker-py's ``Container`` that ministack's ECS uses, with
docker-py's meanings (https://docker-py.readthedocs.io/en/stable/containers.html).
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sink_sandbox.containers.log import STOP_TIMEOUT_LABEL, deaf_line, note_end, read_log
from sink_sandbox.containers.process.supervise import Supervised

NETWORK = "the-sink"
_NEVER = "0001-01-01T00:00:00Z"
_KILL_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class ContainerFacts:
    """What does not change about a container.

    Attributes:
        address: Its identity on the sandbox's network; nothing listens there.
        port: Where its process really listens, on 127.0.0.1.
        stop_signal: What asks it to end.
    """

    id: str
    name: str
    image: str
    image_id: str
    labels: dict[str, str]
    address: str
    port: int
    stop_signal: int
    folder: Path
    created_at: str


class ProcessContainer:
    """A running or ended process that ECS takes for a container.

    Args:
        facts: What does not change.
        process: Already started; its output goes to the log in the container's folder.
        forget: Called once when the container is removed.
    """

    def __init__(
        self, facts: ContainerFacts, process: Supervised, forget: Callable[[ProcessContainer], None]
    ) -> None:
        self.facts = facts
        self.id = facts.id
        self.short_id = facts.id[:12]
        self.name = facts.name
        self.labels = facts.labels
        self._process = process
        self._forget = forget
        self._started_at = timestamp()
        self._finished_at = _NEVER
        self._exit_code = 0
        self._is_told = False
        self._exited = threading.Event()
        self._ended_at_s = float("inf")
        threading.Thread(target=self._reap, daemon=True, name=f"container-{self.short_id}").start()

    @property
    def status(self) -> str:
        """``running`` until the process and everything that it started have ended, then ``exited``."""
        return "exited" if self._exited.is_set() else "running"

    @property
    def ended_for_s(self) -> float:
        """How many seconds ago it ended; negative infinity while it runs."""
        return time.monotonic() - self._ended_at_s

    @property
    def attrs(self) -> dict[str, Any]:
        """The part of ``docker inspect`` that is known; the environment, which holds secrets, is left out."""
        running = not self._exited.is_set()
        facts = self.facts
        return {
            "Id": facts.id,
            "Name": f"/{facts.name}",
            "Created": facts.created_at,
            "Image": facts.image_id,
            "State": {
                "Status": self.status,
                "Running": running,
                "Pid": self._process.pid if running else 0,
                "ExitCode": self._exit_code,
                "StartedAt": self._started_at,
                "FinishedAt": self._finished_at,
            },
            "Config": {"Image": facts.image, "Labels": facts.labels, "Hostname": self.short_id},
            "NetworkSettings": {
                "IPAddress": facts.address,
                "Networks": {NETWORK: {"IPAddress": facts.address}},
            },
        }

    def reload(self) -> None:
        """Do nothing: status and attributes are never old."""

    def wait(self, timeout: float | None = None, **_options: Any) -> dict[str, Any]:
        """Block until the container has ended; return its ``StatusCode``, 128 + n after signal n.

        Raises:
            TimeoutError: it still runs after ``timeout`` seconds.
        """
        if not self._exited.wait(timeout):
            raise TimeoutError(f"Container {self.short_id} still runs after {timeout} s.")
        return {"StatusCode": self._exit_code, "Error": None}

    def stop(self, timeout: float = 10) -> None:
        """Ask the process to end; after ``timeout`` seconds kill it with everything that it started.

        As with a container engine only the main process is asked, so that the runtime decides what its
        children hear.
        """
        self._is_told = True
        self._process.send_signal(self.facts.stop_signal)
        if not self._exited.wait(timeout):
            with contextlib.suppress(OSError), (self.facts.folder / "log").open("a") as log:
                log.write(deaf_line(timeout, self.facts.stop_signal))
            self._process.kill()
            self._exited.wait(_KILL_TIMEOUT_S)

    def kill(self, number: int | str = signal.SIGKILL) -> None:
        """Send a signal to the main process; SIGKILL goes to all that it started too."""
        self._is_told = True
        if isinstance(number, str):
            number = signal.Signals["SIG" + number.upper().removeprefix("SIG")]
        if number == signal.SIGKILL:
            self._process.kill()
        else:
            self._process.send_signal(number)

    def remove(self, force: bool = False, **_options: Any) -> None:
        """Remove the container's folder with root, volumes and log.

        Raises:
            docker.errors.APIError: it is running and ``force`` is not set.
        """
        if not self._exited.is_set():
            if not force:
                from docker.errors import APIError

                raise APIError(f"Container {self.short_id} is running: stop it before removing it.")
            self._is_told = True
            self._process.kill()
            self._exited.wait(_KILL_TIMEOUT_S)
        self._forget(self)
        shutil.rmtree(self.facts.folder, ignore_errors=True)

    def logs(
        self,
        stream: bool = False,
        follow: bool | None = None,
        tail: int | str = "all",
        **_options: Any,
    ) -> bytes | Iterator[bytes]:
        """Return what the process wrote: see :func:`sink_sandbox.containers.log.read_log`."""
        return read_log(self.facts.folder / "log", self.short_id, self._exited, stream, follow, tail)

    def _reap(self) -> None:
        self._exit_code = self._process.wait()
        if STOP_TIMEOUT_LABEL in self.labels and not self._is_told:
            note_end(self.facts.folder / "log", self._exit_code)
        self._finished_at = timestamp()
        self._ended_at_s = time.monotonic()
        self._exited.set()


def timestamp() -> str:
    """Return now as Docker writes times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
