"""boto3 clients of the sandbox itself, for the parts of it that act as clients of AWS."""

from __future__ import annotations

import threading
from typing import Any

from the_sink.sandbox.lifecycle import ACCOUNT_ID, SECRET_ACCESS_KEY


class Clients:
    """Makes and keeps one client per service and region; safe to share between threads."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        self._made: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._session: Any = None

    def get(self, service: str, region: str) -> Any:
        """Return the client of ``service`` in ``region``."""
        with self._lock:  # making clients is not thread-safe, using them is
            client = self._made.get((service, region))
            if client is None:
                client = self._make(service, region)
                self._made[service, region] = client
            return client

    def _make(self, service: str, region: str) -> Any:
        import boto3
        from botocore.config import Config

        if self._session is None:
            self._session = boto3.Session(
                aws_access_key_id=ACCOUNT_ID, aws_secret_access_key=SECRET_ACCESS_KEY, region_name=region
            )
        return self._session.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint_url,
            config=Config(
                max_pool_connections=32,
                retries={"max_attempts": 2, "mode": "standard"},
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                proxies={},  # the endpoint is this machine's own
            ),
        )
