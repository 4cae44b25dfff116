"""What a sandbox that does not run has left in the engine: found by its id, removed."""

from __future__ import annotations

from pathlib import Path

from sink_host.docker_engine import FoundEngine
from sink_sandbox.containers.docker.names import LABEL, Names, sandbox_id


def remove_orphans(state_dir: Path, found: FoundEngine) -> None:
    """Remove the containers, the network and the images of the sandbox with this state folder."""
    import docker

    from sink_sandbox.containers.docker.engine import remove_images
    from sink_sandbox.containers.docker.reaper import remove_all

    names = Names(0, sandbox_id(state_dir))
    remove_all(found.command, found.host, f"{LABEL}={names.sandbox}")
    client = docker.DockerClient(base_url=found.host)
    try:
        remove_images(client, names)
    finally:
        client.close()
