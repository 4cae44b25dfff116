"""The disk of a build host that has just been made: a file system of its own, in a file.

For what measures builds. Where many files were deleted a moment ago, an ext4 without a journal (as many
virtual machines have it) takes up to thirty times as long to create one, because it passes over every inode
that was freed in the last minutes (``recently_deleted`` in fs/ext4/ialloc.c of Linux). A file system that was
made just now has none.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SIZE = "8G"


class DiskUnavailable(Exception):
    """No file system can be made or mounted here; the message is the reason."""


@contextmanager
def fresh_disk() -> Iterator[Path]:
    """Make a file system (ext4 with a journal, at most 8 GiB), yield its folder, and remove it.

    Raises:
        DiskUnavailable: mkfs.ext4 or a loop device is missing, or this user may not mount.
    """
    with tempfile.TemporaryDirectory(prefix="sink-disk-") as folder:
        image, mounted = Path(folder, "image"), Path(folder, "mounted")
        mounted.mkdir()
        # Nothing is left for the kernel to initialize in the background while something is measured.
        complete = "lazy_itable_init=0,lazy_journal_init=0,nodiscard"
        _run("truncate", "--size", _SIZE, str(image))
        _run("mkfs.ext4", "-q", "-E", complete, str(image))
        _run("mount", "-o", "loop", str(image), str(mounted))
        try:
            yield mounted
        finally:
            _run("umount", str(mounted))


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        raise DiskUnavailable(f"there is no {command[0]} on the PATH") from None
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise DiskUnavailable(f"{command[0]}: {words[-1]}")
