"""The process engine: the part of docker-py's client that ministack's ECS uses, without Docker.

ECS asks it for images, which come from the sandbox's registry by digest, and for containers, which are
processes of this machine under the runtime's contract (see :mod:`.launch`). A container has an address of
its own, ``10.77.a.b``, by which ECS and the load balancer tell it from others; nothing listens there, and
:meth:`ProcessEngine.resolve_target` says where its process does.

What is not simulated: memory and cpu limits are not enforced, the user is whoever runs the sandbox, and a
task's architecture is this machine's. Privileged containers and host process namespaces are refused.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from docker.errors import APIError, NotFound

from sink_sandbox.authentication.registry_token import make_root_token
from sink_sandbox.containers.process.container import NETWORK, ContainerFacts, ProcessContainer, timestamp
from sink_sandbox.containers.process.engine_images import Images, docker_errors
from sink_sandbox.containers.process.images.store import ImageStore
from sink_sandbox.containers.process.launch import BUILDS, CONTAINERS, LaunchRequest, free_port, launch
from sink_sandbox.containers.process.rootfs import Mount, stop_signal
from sink_sandbox.containers.process.supervise import end_orphans
from sink_sandbox.containers.registry_client import Registry

_KEEP_ENDED_S = 120.0
"""How long the log of a container that ended by itself can still be read."""


class ProcessEngine:
    """Stands where ministack expects ``docker.from_env()``; safe to use from several threads.

    Making one ends what a killed sandbox left running in the same state folder.

    Args:
        state_dir: The sandbox's.
        endpoint_url: Where the sandbox, and so its registry, answers.
    """

    def __init__(self, state_dir: Path, endpoint_url: str) -> None:
        self.state_dir = state_dir
        self.store = ImageStore(state_dir)
        self.registry = Registry(self.store, endpoint_url, lambda _host: make_root_token(state_dir))
        self.containers = Containers(self)
        self.images = Images(self.store, self.registry)
        end_orphans(state_dir / CONTAINERS)
        end_orphans(state_dir / BUILDS)

    def ping(self) -> bool:
        """Return True: it is always there."""
        return True

    def close(self) -> None:
        """Stop every container."""
        self.stop_all()

    def resolve_target(self, ip: str, port: int) -> tuple[str, int] | None:  # noqa: ARG002 - see below
        """Return where the container of an address really listens, or None if none runs there.

        The container's own port number has no meaning here: its process was told one port.
        """
        for container in self.containers.list():
            if container.facts.address == ip:
                return ("127.0.0.1", container.facts.port)
        return None

    def stop_all(self, timeout_s: float = 5) -> None:
        """Stop and remove every container, all at once."""
        running = self.containers.list(all=True)
        if not running:
            return

        def drop(container: ProcessContainer) -> None:
            container.stop(timeout=timeout_s)
            container.remove(force=True)

        with ThreadPoolExecutor(max_workers=min(16, len(running))) as pool:
            list(pool.map(drop, running))


class Containers:
    """``client.containers``."""

    def __init__(self, engine: ProcessEngine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._known: dict[str, ProcessContainer] = {}
        self._addresses: dict[str, str] = {}
        self._last_address = 1

    def run(
        self,
        image: str,
        command: list[str] | str | None = None,
        *,
        detach: bool = False,
        environment: Mapping[str, str] | None = None,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        volumes: list[str] | None = None,
        privileged: bool = False,
        pid_mode: str | None = None,
        entrypoint: list[str] | str | None = None,
        working_dir: str = "",
        **_container_only: Any,
    ) -> ProcessContainer:
        """Start a container and return it, running.

        What concerns only containers (networks, port bindings, capabilities, extra hosts, platform) is
        accepted and has no effect.

        Raises:
            docker.errors.ImageNotFound: neither this machine nor the registry has the image.
            docker.errors.APIError: it cannot be started.
        """
        if not detach or privileged or pid_mode:
            what = "a container in the foreground" if not detach else "a privileged container"
            raise APIError(f"The process engine cannot run {what}; that needs a Docker Engine.")
        self._remove_ended()
        found = self._engine.images.find_or_pull(image)
        container_id = secrets.token_hex(32)
        folder = self._engine.state_dir / CONTAINERS / container_id
        folder.mkdir(parents=True, mode=0o700)
        facts = ContainerFacts(
            id=container_id,
            name=name or container_id[:12],
            image=image,
            image_id=found.id,
            labels=dict(labels or {}),
            address=self._new_address(container_id),
            port=free_port(),
            stop_signal=stop_signal(found),
            folder=folder,
            created_at=timestamp(),
        )
        request = LaunchRequest(
            image=found,
            port=facts.port,
            entrypoint=_words(entrypoint),
            command=_words(command),
            environment=environment or {},
            mounts=tuple(_mount(bind) for bind in volumes or []),
            workdir=working_dir,
        )
        try:
            container = self._start(facts, request)
        except BaseException:
            with self._lock:
                self._addresses.pop(facts.address, None)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        with self._lock:
            self._known[container_id] = container
        return container

    def get(self, container_id: str) -> ProcessContainer | SandboxHost:
        """Return a container by id, by the id's first digits, or by name.

        ECS asks for the container that it itself runs in, by the host's name, to learn the network; the
        sandbox answers as one that is reachable on 127.0.0.1.

        Raises:
            docker.errors.NotFound: there is none.
        """
        with self._lock:
            if container := self._known.get(container_id):
                return container
            known = list(self._known.values())
        if container_id == os.environ.get("HOSTNAME", ""):
            return SandboxHost()
        for container in known:
            if container_id and (container.id.startswith(container_id) or container.name == container_id):
                return container
        raise NotFound(f"No such container: {container_id}")

    def list(
        self,
        all: bool = False,  # noqa: A002 - docker-py's name for it
        filters: Mapping[str, Any] | None = None,
        **_options: Any,
    ) -> list[ProcessContainer]:
        """Return the running containers, or with ``all`` those that have ended too.

        Raises:
            docker.errors.APIError: a filter other than ``label`` or ``name``.
        """
        wanted = dict(filters or {})
        labels = wanted.pop("label", [])
        name = wanted.pop("name", "")
        if wanted:
            raise APIError(f"The process engine does not filter by {', '.join(wanted)}.")
        with self._lock:
            known = [*self._known.values()]
        selectors = [labels] if isinstance(labels, str) else labels
        return [
            container
            for container in known
            if (all or container.status == "running")
            and name in container.name
            and _has_labels(container.labels, selectors)
        ]

    def _start(self, facts: ContainerFacts, request: LaunchRequest) -> ProcessContainer:
        with (facts.folder / "log").open("ab", buffering=0) as log, docker_errors():

            def note(line: str) -> None:
                log.write(f"[sandbox] {line}\n".encode())

            engine = self._engine
            process = launch(engine.state_dir, engine.store, request, facts.folder, log, note)
        return ProcessContainer(facts, process, self._forget)

    def _remove_ended(self) -> None:
        """Remove what ended a while ago and ECS left lying, as it does with tasks that end by themselves.

        ministack's own reaper looks for a Docker socket and so never looks here.
        """
        for container in self.list(all=True):
            if container.ended_for_s > _KEEP_ENDED_S:
                container.remove()

    def _forget(self, container: ProcessContainer) -> None:
        with self._lock:
            self._known.pop(container.id, None)
            self._addresses.pop(container.facts.address, None)

    def _new_address(self, container_id: str) -> str:
        """Return an address in 10.77.0.0/16 that no container has; 10.77.0.1 is the sandbox's."""
        with self._lock:
            while True:
                self._last_address = self._last_address + 1 if self._last_address < 65_533 else 2
                address = f"10.77.{self._last_address >> 8}.{self._last_address & 255}"
                if address not in self._addresses:
                    self._addresses[address] = container_id
                    return address


class SandboxHost:
    """The sandbox itself, where ECS looks for the container that it runs in."""

    id = "sandbox"
    status = "running"
    labels: Mapping[str, str] = {}
    attrs: Mapping[str, Any] = {"NetworkSettings": {"Networks": {NETWORK: {"IPAddress": "127.0.0.1"}}}}


def _words(command: list[str] | str | None) -> list[str] | None:
    if isinstance(command, str):
        return shlex.split(command) or None
    return command or None


def _mount(bind: str) -> Mount:
    """Read ``source:target[:mode]``."""
    source, target, *mode = bind.split(":")
    return Mount(Path(source), target, "ro" in mode)


def _has_labels(labels: Mapping[str, str], selectors: list[str]) -> bool:
    for selector in selectors:
        name, equals, value = selector.partition("=")
        if name not in labels or (equals and labels[name] != value):
            return False
    return True
