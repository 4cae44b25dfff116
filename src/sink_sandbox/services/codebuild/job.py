"""What one build is asked to do, and the record that it keeps true while it runs."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Input:
    """A source: an object in S3, or nothing."""

    identifier: str
    """"" for the primary source."""
    bucket: str
    key: str


@dataclass(frozen=True)
class Output:
    """Where an artifact goes."""

    identifier: str
    bucket: str
    key: str
    is_zip: bool = True


@dataclass(frozen=True)
class Variable:
    """An environment variable of the project or of the start of the build."""

    name: str
    value: str
    kind: str = "PLAINTEXT"


@dataclass(frozen=True)
class Job:
    """One build, with the project's settings and the start's overrides already joined."""

    build_id: str
    arn: str
    number: int
    project: str
    region: str
    image: str
    initiator: str
    resolved_version: str
    role: str
    """The ARN of the role that the build acts under."""
    service: str
    """Who assumes it, for example ``codebuild.amazonaws.com``."""
    buildspec: str
    """Text, a path in the primary source, or the ARN of an object in S3."""
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    variables: tuple[Variable, ...]
    log_group: str
    log_stream: str
    timeout_s: float
    through: str = ""
    """The ARN of the role that assumes it, where the service does not do so itself."""
    is_privileged: bool = False
    """Whether the build has a Docker daemon."""
    started: float = field(default_factory=time.time)

    @property
    def uuid(self) -> str:
        """The part of the id that is the build's own."""
        return self.build_id.rpartition(":")[2]


class Record:
    """The build as BatchGetBuilds shows it; phases begin and end here."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self._lock = threading.Lock()

    def begin(self, phase: str) -> None:
        """Enter a phase."""
        with self._lock:
            self.data["phases"] = [*self.data["phases"], {"phaseType": phase, "startTime": time.time()}]
            self.data["currentPhase"] = phase

    def end(self, phase: str, status: str, code: str = "", message: str = "") -> None:
        """Leave a phase."""
        with self._lock:
            now = time.time()
            self.data["phases"] = [
                {
                    **entry,
                    "phaseStatus": status,
                    "endTime": now,
                    "durationInSeconds": round(now - entry["startTime"]),
                    "contexts": [{"statusCode": code, "message": message}],
                }
                if entry["phaseType"] == phase and "endTime" not in entry
                else entry
                for entry in self.data["phases"]
            ]

    def finish(self, status: str, exported: dict[str, str]) -> None:
        """Complete the build."""
        with self._lock:
            now = time.time()
            self.data["exportedEnvironmentVariables"] = [
                {"name": name, "value": value} for name, value in exported.items()
            ]
            self.data["phases"] = [*self.data["phases"], {"phaseType": "COMPLETED", "startTime": now}]
            self.data.update(currentPhase="COMPLETED", buildStatus=status, buildComplete=True, endTime=now)
