"""A build's log: lines to CloudWatch Logs in small batches, secrets masked."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

logger = logging.getLogger(__name__)

_BATCH_S = 0.15
_MASKED_FROM = 3
"""Shorter values would mask every other word."""


class BuildLog:
    """Lines of one log stream; ``add`` never blocks on the network."""

    def __init__(self, logs: Any, group: str, stream: str) -> None:
        self._logs = logs
        self._group = group
        self._stream = stream
        self._secrets: list[str] = []
        self._lines: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._writer = threading.Thread(target=self._write, name="build-log", daemon=True)

    def open(self) -> None:
        """Create the stream, and the group where it is missing, and begin to write.

        Raises:
            ClientError: the role that the build acts under may not.
        """
        try:
            self._logs.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        except self._logs.exceptions.ResourceNotFoundException:
            self._logs.create_log_group(logGroupName=self._group)
            self._logs.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        self._writer.start()

    def hide(self, value: str) -> None:
        """Mask a secret value, and each of its lines, from now on."""
        with self._lock:
            parts = {value, *value.splitlines()}
            self._secrets = sorted(
                {*self._secrets, *(part for part in parts if len(part) >= _MASKED_FROM)},
                key=len,
                reverse=True,
            )

    def add(self, line: str) -> None:
        """Write a line of a command's output."""
        with self._lock:
            for secret in self._secrets:
                line = line.replace(secret, "***")
            # An empty message is refused by PutLogEvents.
            self._lines.append({"timestamp": int(time.time() * 1000), "message": line or " "})

    def say(self, text: str) -> None:
        """Write a line of CodeBuild's own."""
        self.add(f"[Container] {datetime.now(UTC):%Y/%m/%d %H:%M:%S.%f} {text}")

    def close(self) -> None:
        """Write what is left."""
        self._ended.set()
        self._writer.join(timeout=10)

    def _write(self) -> None:
        while True:
            ended = self._ended.wait(_BATCH_S)
            with self._lock:
                batch, self._lines = self._lines, []
            try:
                for start in range(0, len(batch), 1000):
                    self._logs.put_log_events(
                        logGroupName=self._group,
                        logStreamName=self._stream,
                        logEvents=batch[start : start + 1000],
                    )
            except ClientError as error:  # somebody deleted the group: the build goes on without a log
                logger.warning("The build log %s cannot be written: %s", self._stream, error)
            if ended and not self._lines:
                return
