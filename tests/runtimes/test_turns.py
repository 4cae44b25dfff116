"""Releases of tasks that start at once take turns."""

from __future__ import annotations

import fcntl
import signal

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
