"""Which processes run on this machine, and which of them began below another."""

from __future__ import annotations

import subprocess

Process = tuple[int, str]
"""A process's id and when it began: the id alone may be another process's by now."""


def running() -> set[Process]:
    """Every process that runs; one that has ended and waits for its parent does not."""
    return {(pid, began) for pid, _, began in process_table()}


def family_of(pid: int) -> set[Process]:
    """``pid`` and every process below it."""
    table = process_table()
    family = {pid}
    while grown := {child for child, parent, _ in table if parent in family} - family:
        family |= grown
    return {(member, began) for member, _, began in table if member in family}


def process_table() -> list[tuple[int, int, str]]:
    """Id, parent's id and begin of every process that is no zombie."""
    ps = ["ps", "-eo", "pid=,ppid=,stat=,lstart="]
    lines = subprocess.run(ps, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [line.split(maxsplit=3) for line in lines]
    return [(int(pid), int(parent), began) for pid, parent, stat, began in rows if not stat.startswith("Z")]
