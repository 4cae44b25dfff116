"""One container of the engine, watched: its log in a file, its end known without asking.

The methods and attributes are those of docker-py's ``Container`` that ministack's ECS uses, as in
:mod:`sink_sandbox.containers.process.container`. ECS asks ten times a second whether a task still runs; one
long-lived request of the engine answers that here.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import RequestException

from sink_sandbox.containers.log import STOP_TIMEOUT_LABEL, deaf_line, note_end, read_log
from sink_sandbox.containers.process.rootfs import signal_number

_ASK_AGAIN_S = 1.0
_AFTER_STOP_S = 10.0
_REMOVED_CODE = 137
"""The exit code of a container that somebody removed while it ran: it was killed."""

_TROUBLE = (DockerException, RequestException, OSError)


class DockerContainer:
    """A container that runs or has ended.

    Args:
        container: docker-py's, started and inspected once.
        log: The file that takes what it writes.
        forget: Called once when it is removed.
    """

    def __init__(self, container: Any, log: Path, forget: Callable[[DockerContainer], None]) -> None:
        self._container = container
        self._log = log
        self._forget = forget
        self.id: str = container.id
        self.short_id: str = container.id[:12]
        self.name: str = container.name
        self.labels: dict[str, str] = dict(container.labels)
        self._exit_code = 0
        self._is_told = False
        self._exited = threading.Event()
        self._ended_at_s = float("inf")
        log.touch(mode=0o600)
        threading.Thread(target=self._watch, daemon=True, name=f"container-{self.short_id}").start()

    @property
    def status(self) -> str:
        """``running`` or ``exited``."""
        return "exited" if self._exited.is_set() else "running"

    @property
    def ended_for_s(self) -> float:
        """How many seconds ago it ended; negative infinity while it runs."""
        return time.monotonic() - self._ended_at_s

    @property
    def attrs(self) -> dict[str, Any]:
        """What ``docker inspect`` said when it had started, its state as it is now."""
        attributes = dict(self._container.attrs)
        running = not self._exited.is_set()
        attributes["State"] = {
            **attributes.get("State", {}),
            "Status": self.status,
            "Running": running,
            "ExitCode": self._exit_code,
        }
        return attributes

    @property
    def address(self) -> str:
        """Its address on the sandbox's network, "" on another."""
        networks = self._container.attrs["NetworkSettings"]["Networks"]
        return next((str(one["IPAddress"]) for one in networks.values() if one.get("IPAddress")), "")

    def published(self, port: int) -> tuple[str, int] | None:
        """Return where this machine reaches one of its ports, where ports are published."""
        bindings = (self._container.attrs["NetworkSettings"].get("Ports") or {}).get(f"{port}/tcp")
        return ("127.0.0.1", int(bindings[0]["HostPort"])) if bindings else None

    def reload(self) -> None:
        """Do nothing: the state is never old."""

    def wait(self, timeout: float | None = None, **_options: Any) -> dict[str, Any]:
        """Block until it has ended and return its ``StatusCode``.

        Raises:
            TimeoutError: it still runs after ``timeout`` seconds.
        """
        if not self._exited.wait(timeout):
            raise TimeoutError(f"Container {self.short_id} still runs after {timeout} s.")
        return {"StatusCode": self._exit_code, "Error": None}

    def stop(self, timeout: float = 10) -> None:
        """Ask process 1 to end; after ``timeout`` seconds say so in its log, and kill it."""
        self._is_told = True
        with contextlib.suppress(*_TROUBLE):
            asked = self._container.attrs["Config"].get("StopSignal") or "SIGTERM"
            self._container.kill(signal=asked)
            if not self._exited.wait(timeout):
                with self._log.open("a") as log:
                    log.write(deaf_line(timeout, signal_number(asked)))
                self._container.kill(signal="SIGKILL")
                self._exited.wait(_AFTER_STOP_S)

    def kill(self, number: int | str | None = None) -> None:
        """Send a signal, SIGKILL by default, to process 1."""
        self._is_told = True
        self._container.kill(signal=number)

    def remove(self, force: bool = False, v: bool = True, **_options: Any) -> None:
        """Remove it with its anonymous volumes; what it wrote can still be read by who is reading it.

        Raises:
            docker.errors.APIError: it runs and ``force`` is not set, or the engine refuses.
        """
        self._is_told = True
        try:
            self._container.remove(force=force, v=v)
        except NotFound:
            pass
        except APIError as error:
            if "already in progress" not in str(error):
                raise
        self._forget(self)
        self._log.unlink(missing_ok=True)

    def logs(
        self, stream: bool = False, follow: bool | None = None, tail: int | str = "all", **_options: Any
    ) -> bytes | Iterator[bytes]:
        """Return what it wrote: see :func:`sink_sandbox.containers.log.read_log`."""
        return read_log(self._log, self.short_id, self._exited, stream, follow, tail)

    def _watch(self) -> None:
        """Copy the log until it ends with the container; go on after the engine was away."""
        since: float | None = None
        while True:
            try:
                self._copy_log(since)
                self._exit_code = int(self._container.client.api.wait(self.id, timeout=None)["StatusCode"])
                if STOP_TIMEOUT_LABEL in self.labels and not self._is_told:
                    note_end(self._log, self._exit_code)
                break
            except NotFound:
                self._exit_code = _REMOVED_CODE
                break
            except _TROUBLE:
                since = datetime.now(UTC).timestamp()
                time.sleep(_ASK_AGAIN_S)
        self._ended_at_s = time.monotonic()
        self._exited.set()

    def _copy_log(self, since: float | None) -> None:
        options: dict[str, Any] = {"stream": True, "follow": True, "stdout": True, "stderr": True}
        if since is not None:
            options["since"] = since
        with self._log.open("ab", buffering=0) as file:
            for chunk in self._container.logs(**options):
                file.write(chunk)
