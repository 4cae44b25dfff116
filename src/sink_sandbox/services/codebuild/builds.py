"""The builds under way: starts each in a thread of its own, stops them when asked."""

from __future__ import annotations

import logging
import threading

from sink_sandbox.services.codebuild.job import Job, Record
from sink_sandbox.services.codebuild.runner import Build, BuildHost

logger = logging.getLogger(__name__)


class Builds:
    """Runs builds.

    Making one removes what the builds of a killed sandbox have left in the same state folder.
    """

    def __init__(self, host: BuildHost) -> None:
        host.clear()
        self._host = host
        self._running: dict[str, Build] = {}
        self._lock = threading.Lock()

    def submit(self, job: Job, record: Record) -> None:
        """Begin a build; its record tells how it goes."""
        build = Build(job, record, self._host)
        with self._lock:
            self._running[job.build_id] = build
        threading.Thread(
            target=self._run, args=(job, build), name=f"build-{job.uuid[:8]}", daemon=True
        ).start()

    def stop(self, build_id: str) -> bool:
        """Stop a build; False when it is not under way."""
        with self._lock:
            build = self._running.get(build_id)
        if build is None:
            return False
        build.stop()
        return True

    def stop_all(self) -> None:
        """Stop what is under way, at the end of the sandbox or when it is emptied."""
        with self._lock:
            running = list(self._running.values())
        for build in running:
            build.stop()

    def _run(self, job: Job, build: Build) -> None:
        try:
            build.run()
        except Exception:
            logger.exception("The build %s ended with a defect of the sandbox.", job.build_id)
        finally:
            with self._lock:
                self._running.pop(job.build_id, None)
