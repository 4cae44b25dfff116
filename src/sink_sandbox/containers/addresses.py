"""How what runs in a task reaches a server of this machine, in each way of playing containers.

A server of the sandbox (its endpoint, a database) that tasks are to reach listens on every address of
``listen_addresses`` and is told to them by the one name that ``host_address`` returns. The name outlives a
restart of the sandbox; the addresses of a container network do not.
"""

from __future__ import annotations

HOST_NAME = "host.docker.internal"
"""What containers call this machine: Docker Desktop's own name, which an engine on Linux is told too.

https://docs.docker.com/desktop/features/networking/networking-how-tos/
"""


def host_address(compute: str) -> str:
    """Return what a task calls this machine, ``compute`` being ``docker`` or ``processes``."""
    return HOST_NAME if compute == "docker" else "127.0.0.1"


def listen_addresses(gateway: str = "") -> tuple[str, ...]:
    """Return where a server must listen for tasks to reach it by ``host_address``.

    Args:
        gateway: This machine's address on the containers' network, ``engine.gateway``; "" where there is
            none: tasks are processes, or the engine runs in a machine of its own (macOS), which leads
            the name to this machine's loopback.
    """
    return ("127.0.0.1", gateway) if gateway else ("127.0.0.1",)
