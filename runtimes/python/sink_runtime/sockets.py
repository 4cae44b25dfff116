"""Who listens where, as Linux tells it: see proc(5) for the files and their fields."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TABLES = (PROC / "net/tcp", PROC / "net/tcp6")
_LISTEN = "0A"
_WORD = 8
"""Hexadecimal digits of 32 bits; each such word of an address is in this machine's byte order."""


@dataclass(frozen=True)
class Listener:
    """A socket that takes connections."""

    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int
    inode: str

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine, or this container, reaches it."""
        mapped = self.address.ipv4_mapped if isinstance(self.address, ipaddress.IPv6Address) else None
        return (mapped or self.address).is_loopback


def find_listeners() -> list[Listener]:
    """Return every listening TCP socket of this network namespace; none where it cannot be known."""
    return [found for table in TABLES for line in _lines(table) if (found := _listener(line))]


def _lines(table: Path) -> list[str]:
    try:
        return table.read_text().splitlines()[1:]
    except OSError:
        return []


def _listener(line: str) -> Listener | None:
    _number, local, _remote, state, *_queues = line.split()[:4]
    if state != _LISTEN:
        return None
    text, _, port = local.partition(":")
    words = [bytes.fromhex(text[at : at + _WORD])[::-1] for at in range(0, len(text), _WORD)]
    return Listener(ipaddress.ip_address(b"".join(words)), int(port, 16), line.split()[9])


def find_inodes(root: int) -> set[str]:
    """Return the sockets that a process and everything below it hold open."""
    return {inode for pid in _family(root) for inode in _inodes(pid)}


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    return _stat(pid)[0] not in ("", "Z", "X")


def _family(root: int) -> set[int]:
    parents = {int(each.name): _stat(int(each.name))[1] for each in PROC.iterdir() if each.name.isdigit()}
    family = {root}
    while grown := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= grown
    return family


def _stat(pid: int) -> tuple[str, int]:
    """Return state and parent; the name before them may hold spaces and brackets."""
    try:
        state, parent, *_ = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return "", 0
    return state, int(parent)


def _inodes(pid: int) -> Iterator[str]:
    try:
        files = list((PROC / str(pid) / "fd").iterdir())
    except OSError:  # it has ended, or is another user's
        return
    for file in files:
        try:
            target = str(file.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[len("socket:[") : -1]
