"""Files that several processes share: an exclusive lock, and writes nobody sees half-done."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sink_sandbox.client.process import make_private


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold ``path`` against every other process and thread; waits for its turn.

    The lock is the kernel's, so it goes with its holder, even one that is killed.
    """
    make_private(path.parent)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def write_atomically(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace ``path`` in one step: readers see the old bytes or the new ones, never a part."""
    make_private(path.parent)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
