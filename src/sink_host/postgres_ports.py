"""Ports and addresses of this machine for a database: which are free, and what to say of one that is not."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Sequence

from sink_host.errors import InputError, SinkError

HOST = "127.0.0.1"
_PORTS = (15432, 25432)
"""Where a free port is looked for: below those that the system hands out to connections (32768 on)."""


def free_port(addresses: Sequence[str] = (HOST,)) -> int:
    """Return a port that nobody listens on, outside of the range that connections are given."""
    candidates = random.sample(range(*_PORTS), 200)
    for port in candidates:
        if is_free(port, addresses):
            return port
    raise SinkError(f"No port between {_PORTS[0]} and {_PORTS[1]} is free for a database.")


def is_free(port: int, addresses: Sequence[str]) -> bool:
    """Return whether nobody listens there.

    Raises:
        InputError: this user may not, or an address is another machine's.
    """
    for address in addresses:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                if isinstance(error, PermissionError):
                    raise InputError(
                        f"Port {port} needs privileges that this user does not have.",
                        "Choose one from 1024 on.",
                    ) from None
                if not _is_ours(address):
                    raise InputError(f"This machine has no address {address} for a database.") from None
                return False
    return True


def _is_ours(address: str) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind((address, 0))
        return True
    return False


def taken(port: int, flag: str) -> InputError:
    """Return what to say of a port that is not free."""
    other = port + 1 if port < 65535 else 15432
    return InputError(
        f"The database's port {port} is taken by another program.", f"Choose another: {flag} {other}."
    )
