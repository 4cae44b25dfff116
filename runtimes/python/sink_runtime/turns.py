"""Tasks of a service that start at once do one after the other what must be done once."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from sink_runtime.layout import say


@contextlib.contextmanager
def taking_turns(shared: Path, name: str) -> Iterator[None]:
    """Hold a lock in the folder that the tasks of a service share, for as long as the block runs.

    The lock goes with whoever holds it. Amazon EFS has NFS's locks
    (https://docs.aws.amazon.com/efs/latest/ug/features.html).

    Args:
        shared: Where EFS is mounted. Where nothing is, no other task can be told, and there is no lock.
        name: What is done, as the Procfile or a file calls it.
    """
    try:
        lock = (shared / f".{name}.lock").open("a")
    except OSError:
        yield
        return
    with lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(f"{name} waits for that of another task.")
            fcntl.lockf(lock, fcntl.LOCK_EX)
        yield
