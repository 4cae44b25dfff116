"""Tasks of a service that start at once do one after the other what must be done once."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from sink_runtime.layout import say

_POLL_S = 0.5


@contextlib.contextmanager
def taking_turns(shared: Path, name: str) -> Iterator[None]:
    """Hold a lock in the folder that the tasks of a service share, for as long as the block runs.

    The lock goes with whoever holds it. Amazon EFS has NFS's locks
    (https://docs.aws.amazon.com/efs/latest/ug/features.html). Where there can be no lock, which is said, the
    block runs all the same: a task that cannot start serves nobody.

    Args:
        shared: Where EFS is mounted. Where nothing is, no other task can be told, and there is no lock.
        name: What is done, as the Procfile or a file calls it.
    """
    file = shared / f".{name}.lock"
    with contextlib.ExitStack() as held:
        try:
            _await_lock(held.enter_context(file.open("a")), name)
        except FileNotFoundError:
            pass
        except OSError as error:
            reason = f"{file} cannot be locked ({error.strerror})"
            say(f"{name} does not wait for that of other tasks: {reason}.")
        yield


def _await_lock(file: IO[str], name: str) -> None:
    """Ask for the lock again and again.

    A request that waits by itself would reach EFS again after pauses that grow to 30 seconds
    (https://github.com/torvalds/linux/blob/v6.12/fs/nfs/nfs4proc.c, nfs4_retry_setlk), and a signal that
    comes just before it would be heard only after it.
    """
    if _lock(file):
        return
    say(f"{name} waits for that of another task.")
    while not _lock(file):
        time.sleep(_POLL_S)


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
