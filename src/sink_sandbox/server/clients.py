"""boto3 clients of the sandbox itself, for the parts of it that act as clients of AWS."""

from __future__ import annotations

import threading
from typing import Any

from sink_sandbox.client.lifecycle import ACCOUNT_ID
from sink_sandbox.services.iam.access import Credentials


class Clients:
    """Makes and keeps one client per service and region; safe to share between threads.

    They act as the account itself, which may do everything, or ``under`` a role.
    """

    def __init__(self, endpoint_url: str, secret: str) -> None:
        self.endpoint_url = endpoint_url
        self._factory = _Factory(endpoint_url, secret)
        self._credentials: Credentials | None = None
        self._made: dict[tuple[str, str], Any] = {}
        self._under: dict[str, Clients] = {}

    def under(self, credentials: Credentials) -> Clients:
        """Return the clients that act under a role; the same ones for the same session."""
        with self._factory.lock:
            known = self._under.get(credentials.role)
            if known is None or known._credentials != credentials:
                known = self._under[credentials.role] = Clients(self.endpoint_url, "")
                known._factory, known._credentials = self._factory, credentials
            return known

    def get(self, service: str, region: str) -> Any:
        """Return the client of ``service`` in ``region``."""
        with self._factory.lock:  # making clients is not thread-safe, using them is
            client = self._made.get((service, region))
            if client is None:
                client = self._factory.make(service, region, self._credentials)
                self._made[service, region] = client
            return client


class _Factory:
    """Makes clients from one session: what it has read of a service serves every role's client."""

    def __init__(self, endpoint_url: str, secret: str) -> None:
        self.lock = threading.Lock()
        self._endpoint_url = endpoint_url
        self._secret = secret
        self._session: Any = None

    def make(self, service: str, region: str, credentials: Credentials | None) -> Any:
        import boto3
        from botocore.config import Config

        if self._session is None:
            self._session = boto3.Session()
        return self._session.client(
            service,
            region_name=region,
            endpoint_url=self._endpoint_url,
            aws_access_key_id=credentials.access_key_id if credentials else ACCOUNT_ID,
            aws_secret_access_key=credentials.secret_access_key if credentials else self._secret,
            aws_session_token=credentials.session_token if credentials else None,
            config=Config(
                max_pool_connections=32,
                retries={"max_attempts": 2, "mode": "standard"},
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                proxies={},  # the endpoint is this machine's own
            ),
        )
