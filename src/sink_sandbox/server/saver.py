"""Write the state soon after it changes, so that a killed sandbox comes back with it.

ministack itself saves only at an orderly shutdown. One thread takes a snapshot a moment after the last
change, at the latest a second after the first, and writes the files whose bytes changed. It looks again a
few times afterwards, because stacks, services and executions go on without a request, and then rests.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from sink_sandbox.client.process import make_private, open_private

logger = logging.getLogger(__name__)

_SETTLE_S = 0.25
_LATEST_S = 1.0
_LOOK_AGAIN_S = (1, 2, 4, 8, 16)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that readers, and a crash, only ever see whole; it is its user's alone."""
    make_private(path.parent)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        with open(draft, "wb", opener=open_private) as handle:
            handle.write(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


class Saver:
    """Saves what ``snapshot`` returns (service name to file content) under ``folder``."""

    def __init__(self, snapshot: Callable[[], dict[str, bytes]], folder: Path) -> None:
        self._snapshot = snapshot
        self._folder = folder
        self._written: dict[str, bytes] = {}
        self._changed = threading.Event()
        self._ended = threading.Event()
        self._writing = threading.Lock()
        self._pending = False
        self._under_way = 0  # counted by the event loop alone
        self._thread = threading.Thread(target=self._run, name="sandbox-saver", daemon=True)

    def start(self) -> None:
        """Begin to save in the background."""
        self._thread.start()

    def touch(self) -> None:
        """Say that the state may have changed."""
        self._pending = True
        self._changed.set()

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """Surround what may change the state; until it ends the state does not count as saved."""
        self._under_way += 1
        try:
            yield
        finally:
            self.touch()
            self._under_way -= 1

    @property
    def is_settled(self) -> bool:
        """Whether everything that was changed is on disk."""
        return not self._pending and not self._under_way and not self._writing.locked()

    def stop(self) -> None:
        """Save once more and end."""
        self._ended.set()
        self._changed.set()
        self._thread.join(timeout=10)
        self.save()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Keep from writing while the state is being replaced; every file is written anew afterwards."""
        with self._writing:
            try:
                yield
            finally:
                self._written.clear()
                self.touch()

    def save(self) -> None:
        """Write the services whose state differs from what was written last."""
        with self._writing:
            self._pending = False
            try:
                for service, content in self._snapshot().items():
                    digest = hashlib.sha256(content).digest()
                    if self._written.get(service) != digest:
                        write_atomically(self._folder / f"{service}.json", content)
                        self._written[service] = digest
            except BaseException:
                self._pending = True
                raise

    def _run(self) -> None:
        while not self._ended.is_set():
            self._changed.wait()
            waited = 0.0
            while waited < _LATEST_S and not self._ended.is_set():
                self._changed.clear()
                self._ended.wait(_SETTLE_S)
                waited += _SETTLE_S
                if not self._changed.is_set():
                    break
            self._changed.clear()
            self._try_to_save()
            for pause_s in _LOOK_AGAIN_S:
                if self._ended.is_set() or self._changed.wait(pause_s):
                    break
                self._try_to_save()
            if self._pending:  # the disk is still full, perhaps: what is not saved lets nobody rest
                self._changed.set()

    def _try_to_save(self) -> None:
        try:
            self.save()
        except Exception:  # the thread must outlive a service that cannot be saved
            logger.exception("The state could not be saved.")
