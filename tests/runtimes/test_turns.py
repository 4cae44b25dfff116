"""Releases of tasks that start at once take turns."""

from __future__ import annotations

import fcntl
import signal

import pytest

from .conftest import DEADLINE_S, Image, Start


def test_releases_run_one_after_the_other(image: Image, start: Start) -> None:
    """By a lock among the files that tasks share, which goes with whoever held it."""
    shared = image.root / "mnt/shared"
    shared.mkdir(parents=True)
    image.write("Procfile", "release: echo $PORT >> order; exit 9\nweb: true\n")
    with (shared / ".release.lock").open("a") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        waiting = start()
        assert waiting.stderr is not None
        assert waiting.stderr.readline() == "container-init: release waits for that of another task.\n"
        told = start()
        assert told.stderr is not None
        told.stderr.readline()
        told.send_signal(signal.SIGTERM)
        assert told.wait(DEADLINE_S) == 128 + signal.SIGTERM
        assert not (image.app / "order").exists()

    assert waiting.wait(DEADLINE_S) == 9
    assert (image.app / "order").read_text() == "8080\n"


def test_without_a_place_that_tasks_share_nothing_is_said(image: Image) -> None:
    """As on a laptop."""
    image.write("Procfile", "release: true\nweb: true\n")

    done = image.run("container-init")

    assert done.stderr.splitlines() == ["container-init: release: true", "container-init: web: true"]


NO_LOCKS = """\
import errno, fcntl, os

def lockf(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

fcntl.lockf = lockf
"""


@pytest.mark.parametrize(
    ("kind", "reason"), [("a folder", "Is a directory"), ("not to be locked", "No locks available")]
)
def test_where_there_can_be_no_lock_it_is_said_and_release_runs(image: Image, kind: str, reason: str) -> None:
    """A task that starts again, with nothing to migrate, must not fail of it."""
    lock = image.root / "mnt/shared/.release.lock"
    (lock if kind == "a folder" else lock.parent).mkdir(parents=True)
    image.write("Procfile", "release: echo released\nweb: echo serving\n")
    image.write("patches/sitecustomize.py", "" if kind == "a folder" else NO_LOCKS)

    done = image.run("container-init", variables={"PYTHONPATH": str(image.app / "patches")})

    assert (done.returncode, done.stdout) == (0, "released\nserving\n")
    assert done.stderr.splitlines()[0] == (
        f"container-init: release does not wait for that of other tasks: {lock} cannot be locked ({reason})."
    )
