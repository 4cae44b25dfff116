"""The ports of sandboxes on this machine: whether one can be had, who has it, which one comes next.

On the standard library, as ``lifecycle``, which they serve, is imported on every invocation of a task.
"""

from __future__ import annotations

import enum
import json
import socket
from pathlib import Path

from sink_sandbox.client.process import HOST, is_held

_LAST_PORT = 65535


class PortIs(enum.Enum):
    """What a look at a port of the loopback address found."""

    FREE = enum.auto()
    TAKEN = enum.auto()
    PRIVILEGED = enum.auto()
    NO_PORT = enum.auto()


def look_at(port: int) -> PortIs:
    """Say whether this user could listen on a port now."""
    if not 1 <= port <= _LAST_PORT:
        return PortIs.NO_PORT
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # A server that has just stopped leaves its port in TIME_WAIT, which hinders nobody.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            return PortIs.PRIVILEGED
        except OSError:
            return PortIs.TAKEN
    return PortIs.FREE


def next_free(port: int) -> int:
    """Return the next port that is free now, from the first unprivileged one on after the last."""
    after = (*range(port + 1, _LAST_PORT + 1), *range(1024, port))
    return next(other for other in after if look_at(other) is PortIs.FREE)


def sandbox_on(port: int, states: Path) -> str:
    """Return the name of the sandbox that has a port, "" if none has whose state is in ``states``."""
    for entry in states.glob("*/sandbox.json"):
        try:
            known = json.loads(entry.read_text())["port"]
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if known == port and is_held(entry.with_name("server.lock")):
            return entry.parent.name
    return ""


def former_port(home: Path) -> int | None:
    """Return the port that the sandbox whose state is in ``home`` had last, None if it never ran."""
    try:
        return int((home / "port").read_text())
    except (OSError, ValueError):
        return None
