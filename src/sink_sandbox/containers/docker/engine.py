"""The engine for ECS: the part of docker-py's client that ministack uses, on a real Docker Engine.

Without one, :class:`sink_sandbox.containers.process.engine.ProcessEngine` takes its place. Images come
from the sandbox's registry under the registry's own names; containers carry the sandbox's label and live on a
network of its own, so that two sandboxes do not see each other, and all of it can be found and removed
again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from requests.exceptions import RequestException

from sink_host.docker_engine import FoundEngine
from sink_sandbox.client.process import open_private, wait_until
from sink_sandbox.containers.addresses import HOST_NAME
from sink_sandbox.containers.docker import reaper as warden
from sink_sandbox.containers.docker.container import DockerContainer
from sink_sandbox.containers.docker.images import Images
from sink_sandbox.containers.docker.names import LABEL, Names, sandbox_id
from sink_sandbox.errors import SandboxUnavailable

PORTS_LABEL = "the-sink.ports"
"""The ports that a task's container listens on, for where they must be published."""

_REQUEST_S = 120
_KEEP_ENDED_S = 120.0
_GONE_S = 120.0
"""How long a warden may be at it."""
_PUBLISHES = sys.platform == "darwin"
"""Where the engine runs in a machine of its own, its containers' addresses are not reachable from this one;
their ports are, published on the loopback. Not tried: no machine of that kind was at hand.
https://docs.docker.com/desktop/features/networking/networking-how-tos/
"""


class DockerEngine:
    """Stands where ministack expects ``docker.from_env()``; safe to use from several threads.

    Making one removes what a killed sandbox left running and makes the sandbox's network.

    Args:
        state_dir: The sandbox's.
        endpoint_url: Where the sandbox, and so its registry, answers.
        port: The endpoint's.
        found: The engine.

    Raises:
        SandboxUnavailable: the engine has gone, or refuses a network, or a killed sandbox's containers do not
            go.
    """

    def __init__(self, state_dir: Path, endpoint_url: str, port: int, found: FoundEngine) -> None:
        self.state_dir = state_dir
        self.found = found
        self.names = Names(port, sandbox_id(state_dir))
        self.label = f"{LABEL}={self.names.sandbox}"
        self.client = docker.DockerClient(base_url=found.host, timeout=_REQUEST_S, max_pool_size=50)
        self.network_name = f"the-sink-{state_dir.name}-{self.names.sandbox}"
        lock = hold_alone(state_dir)
        try:
            self.clean()
            self.gateway = self._make_network()
        except (DockerException, RequestException) as error:
            raise SandboxUnavailable(
                f"The Docker Engine refuses the sandbox's network: {_words(error)}",
                "Restart it, or do without: invoke sandbox.start --compute processes",
            ) from error
        self._warden = start_warden(found, self.label, lock)
        self.containers = Containers(self)
        self.images = Images(self.client, self.names, state_dir, endpoint_url)

    def ping(self) -> bool:
        """Whether the engine answers now."""
        try:
            return bool(self.client.ping())
        except (DockerException, RequestException):
            return False

    def resolve_target(self, ip: str, port: int) -> tuple[str, int] | None:
        """Return where this machine reaches a container's port, or None if no container has the address."""
        container = self.containers.at(ip)
        if container is None:
            return None
        return container.published(port) if _PUBLISHES else (ip, port)

    def stop_all(self, timeout_s: float = 5) -> None:
        """Stop and remove every container of the sandbox, all at once."""
        running = self.containers.list(all=True)
        if running:

            def drop(container: DockerContainer) -> None:
                container.stop(timeout=timeout_s)
                with contextlib.suppress(DockerException, RequestException):
                    container.remove(force=True)

            with ThreadPoolExecutor(max_workers=min(16, len(running))) as pool:
                list(pool.map(drop, running))
        with contextlib.suppress(DockerException, RequestException):
            self._remove_containers()  # those that builds started

    def close(self) -> None:
        """Remove containers and network; images stay for the next start."""
        self.stop_all()
        with contextlib.suppress(DockerException, RequestException):
            self.clean()
        _end_warden(self._warden)

    def forget_images(self) -> None:
        """Remove the names of every image of this sandbox, and the images that have no other name."""
        with contextlib.suppress(DockerException, RequestException):
            remove_images(self.client, self.names)

    def clean(self) -> None:
        """Remove every container and network that carries the sandbox's label."""
        self._remove_containers()
        for network in self.client.networks.list(filters={"label": self.label}):
            with contextlib.suppress(NotFound):
                network.remove()

    def _remove_containers(self) -> None:
        for container in self.client.containers.list(
            all=True, filters={"label": self.label}, ignore_removed=True
        ):
            with contextlib.suppress(APIError):
                container.remove(force=True, v=True)

    def _make_network(self) -> str:
        """Make the network and return this machine's address on it, "" where it has none."""
        network = self.client.networks.create(
            self.network_name, driver="bridge", labels={LABEL: self.names.sandbox}
        )
        network.reload()
        if _PUBLISHES:
            return ""
        return str(network.attrs["IPAM"]["Config"][0]["Gateway"])


class Containers:
    """``client.containers``."""

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._known: dict[str, DockerContainer] = {}
        self._addresses: dict[str, DockerContainer] = {}
        self._logs = engine.state_dir / "containers"

    def run(
        self, image: str, command: Any = None, *, detach: bool = False, **options: Any
    ) -> DockerContainer:
        """Start a container on the sandbox's network and return it, running.

        Raises:
            docker.errors.APIError: the engine refuses, in the words that a person of AWS would read.
        """
        if not detach:
            raise APIError("A container of ECS runs in the background.")
        self._remove_ended()
        engine = self._engine
        labels: dict[str, str] = {
            # Not ministack's: another one on this machine would take these containers for its left-overs.
            name: value
            for name, value in (options.pop("labels", None) or {}).items()
            if not name.startswith("ministack")
        }
        labels[LABEL] = engine.names.sandbox
        ports = labels.pop(PORTS_LABEL, "")
        options.pop("ports", None)
        if _PUBLISHES:
            options["ports"] = {f"{port}/tcp": ("127.0.0.1", None) for port in ports.split()}
        name = str(options.pop("name", "") or "").replace("ministack-ecs-", f"sink-{engine.state_dir.name}-")
        try:
            engine.images.get(image)
        except ImageNotFound:
            # docker-py would pull it too, and sign in nowhere.
            engine.images.pull(image)
        with engine.images.registry_words():
            started = engine.client.containers.run(
                engine.names.to_engine(image),
                command,
                detach=True,
                labels=labels,
                name=name or None,
                extra_hosts=_hosts(engine.gateway),
                **{key: value for key, value in options.items() if key != "extra_hosts"},
            )
            started.reload()
        self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        container = DockerContainer(started, self._logs / f"{started.id[:12]}.log", self._forget)
        with self._lock:
            self._known[container.id] = container
            self._addresses[container.address] = container
        return container

    def get(self, container_id: str) -> DockerContainer | SandboxHost:
        """Return a container of the sandbox by id, by the id's first digits, or by name.

        ECS asks for the container that it itself runs in, by the host's name, to learn the network.

        Raises:
            docker.errors.NotFound: there is none.
        """
        with self._lock:
            if container := self._known.get(container_id):
                return container
            known = list(self._known.values())
        if container_id == os.environ.get("HOSTNAME", ""):
            return SandboxHost(self._engine.network_name)
        for container in known:
            if container_id and (container.id.startswith(container_id) or container.name == container_id):
                return container
        raise NotFound(f"No such container: {container_id}")

    def at(self, address: str) -> DockerContainer | None:
        """Return the container that has an address."""
        with self._lock:
            return self._addresses.get(address)

    def list(self, all: bool = False, **_options: Any) -> list[DockerContainer]:  # noqa: A002 - docker-py's
        """Return the running containers of ECS, or with ``all`` those that have ended too."""
        with self._lock:
            known = [*self._known.values()]
        return [container for container in known if all or container.status == "running"]

    def _remove_ended(self) -> None:
        """Remove what ended a while ago and ECS left lying, as it does with tasks that end by themselves."""
        for container in self.list(all=True):
            if container.ended_for_s > _KEEP_ENDED_S:
                with contextlib.suppress(DockerException, RequestException):
                    container.remove()

    def _forget(self, container: DockerContainer) -> None:
        with self._lock:
            self._known.pop(container.id, None)
            if self._addresses.get(container.address) is container:
                del self._addresses[container.address]


class SandboxHost:
    """The sandbox itself, where ECS looks for the container that it runs in: no address, only a network."""

    id = "sandbox"
    status = "running"
    labels: Mapping[str, str] = {}

    def __init__(self, network: str) -> None:
        self.attrs: Mapping[str, Any] = {"NetworkSettings": {"Networks": {network: {"IPAddress": ""}}}}


def remove_images(client: Any, names: Names) -> int:
    """Remove every name that the sandbox's images have in the engine; return how many.

    What was built and has no name any more goes too.
    """
    found = list(_own_names(client, names))
    for name in found:
        with contextlib.suppress(NotFound, APIError):  # one that somebody's container uses stays
            client.images.remove(name, force=False)
    client.images.prune(filters={"dangling": True, "label": f"{LABEL}={names.sandbox}"})
    return len(found)


def _own_names(client: Any, names: Names) -> Iterator[str]:
    for image in client.api.images(all=False):
        tags = [tag for tag in image.get("RepoTags") or [] if f"/sink-{names.sandbox}/" in tag]
        digests = [each for each in image.get("RepoDigests") or [] if f"/sink-{names.sandbox}/" in each]
        yield from (*tags, *digests)


def _hosts(gateway: str) -> dict[str, str]:
    """Docker Desktop knows the name by itself; ``host-gateway`` would be the default bridge's address."""
    return {HOST_NAME: gateway} if gateway else {HOST_NAME: "host-gateway"}


def hold_alone(state_dir: Path, timeout_s: float = _GONE_S) -> IO[bytes]:
    """Return a file that is locked for as long as it is open, here or in the warden that is given it.

    So the warden of a sandbox that was killed is waited for: it removes by the sandbox's label, and would
    take along what the next one has made.

    Raises:
        SandboxUnavailable: it does not end.
    """
    lock = open(state_dir / "warden.lock", "wb", opener=open_private)  # noqa: SIM115 - the caller's to hold

    def is_ours() -> bool:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    if not wait_until(is_ours, timeout_s):
        lock.close()
        raise SandboxUnavailable(
            "The containers of this sandbox, which was killed, are still being removed.", "Try again."
        )
    return lock


def start_warden(found: FoundEngine, label: str, lock: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start what removes the sandbox's containers once the sandbox has gone; it holds the lock until then."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", warden.__file__, found.command, found.host, label],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=(lock.fileno(),),
    )


def _end_warden(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        with contextlib.suppress(OSError):
            process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)


def _words(error: Exception) -> str:
    text = getattr(error, "explanation", None) or str(error)
    return str(text).rstrip(".") + "."
