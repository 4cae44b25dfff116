"""From an image to a started process: shared by the engine's containers and ``docker run``."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from sink_host.pythons import find_python
from sink_sandbox.containers.process.app_init import AppInit
from sink_sandbox.containers.process.environments import VENV_LABEL, Environments
from sink_sandbox.containers.process.images.store import Image, ImageStore
from sink_sandbox.containers.process.pythons import wanted_version
from sink_sandbox.containers.process.rootfs import Mount, Rootfs, entry_command, unpack_image
from sink_sandbox.containers.process.supervise import Supervised
from sink_sandbox.containers.progress import Say

CONTAINERS = "containers"
"""The folder below the state folder with one sub-folder for each container."""

BUILDS = "builds"
"""The folder below the state folder with one sub-folder for each ``RUN`` of a build."""

_PORTS_LOCK = threading.Lock()
_RECENT_PORTS: list[int] = []


@dataclass(frozen=True)
class LaunchRequest:
    """What to start and how.

    Attributes:
        entrypoint: Instead of the image's, or None.
        command: Instead of the image's, or None.
        environment: The container's own variables.
        workdir: Instead of the image's, or "".
        port: Where the process is told to listen, on 127.0.0.1.
    """

    image: Image
    port: int
    entrypoint: list[str] | None = None
    command: list[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    workdir: str = ""


def launch(
    state_dir: Path,
    store: ImageStore,
    request: LaunchRequest,
    folder: Path,
    output: IO[bytes] | None,
    say: Say,
) -> Supervised:
    """Unpack the image below ``folder`` and start its command there.

    The process gets ``HOST``, ``PORT``, ``SINK_ROOT`` and ``SINK_VENV`` whatever the image and the request
    say about them: there is no container network, so several tasks on one machine need a port each.

    Args:
        state_dir: The sandbox's.
        store: Where the image is.
        request: What to start.
        folder: The container's own; gets ``rootfs`` and the record of the process.
        output: Takes standard output and standard error; None shares this process's own.
        say: Takes what the reader must know, such as another Python than the image's.

    Raises:
        NotFound: the program or a mount's source does not exist.
        InputError: there is no command.
        SinkError: the dependencies, which this machine had lost, cannot be installed again.
    """
    image = request.image
    python = find_python(wanted_version(image))
    environments = Environments(state_dir)
    unpack_image(store, image, folder / "rootfs")
    key = image.labels.get(VENV_LABEL, "")
    rootfs = Rootfs(folder / "rootfs", image, python, environments.path(key or "none"))
    if key and not environments.is_complete(key):
        # The image was made before the sandbox's state was emptied, or with a Python that is gone; the
        # environment may then have another key.
        installed = AppInit(rootfs, environments, folder, {}, say).run(["app-init", "dependencies"])
        rootfs = replace(rootfs, venv=environments.path(installed))
    for mount in request.mounts:
        rootfs.mount(mount)
    if python.notice:
        say(python.notice)
    argv = rootfs.argv(entry_command(image, request.entrypoint, request.command))
    environment = rootfs.environment(request.environment) | {"HOST": "127.0.0.1", "PORT": str(request.port)}
    return Supervised(argv, environment, rootfs.folder(request.workdir), folder, output)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on, and that none of the last calls returned."""
    with _PORTS_LOCK:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            if port not in _RECENT_PORTS:
                _RECENT_PORTS.append(port)
                del _RECENT_PORTS[:-256]
                return port
