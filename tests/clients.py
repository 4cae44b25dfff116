"""boto3 clients of a sandbox, for tests that start one of their own or speak to it as somebody else."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import boto3
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from sink_sandbox.client.lifecycle import ACCOUNT_ID, Sandbox


def client_of(
    sandbox: Sandbox,
    service: str,
    region: str = "eu-west-1",
    session: Mapping[str, Any] | None = None,
    config: Config | None = None,
) -> Any:
    """Return a client that acts as the account, or under a ``session`` that ``sts.assume_role`` returned."""
    found = session or root_of(sandbox)
    return boto3.client(
        service,
        endpoint_url=sandbox.endpoint_url,
        region_name=region,
        aws_access_key_id=found["AccessKeyId"],
        aws_secret_access_key=found["SecretAccessKey"],
        aws_session_token=found["SessionToken"],
        config=config,
    )


def ask(
    sandbox: Sandbox,
    method: str,
    path: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    signed_by: Mapping[str, Any] | None = None,
    service: str = "s3",
    at: datetime | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Send one request as it is given here and return status, headers (in lower case) and body.

    Args:
        sandbox: Where.
        method: Of HTTP.
        path: With its query, percent-encoded.
        body: Its whole body.
        headers: Beside the signature's.
        signed_by: A session as ``client_of`` takes it; None sends the request unsigned.
        service: What the signature is for.
        at: When it is signed; None for now.
    """
    request = AWSRequest(method, sandbox.endpoint_url + path, dict(headers or {}), body)
    if signed_by is not None:
        keys = [signed_by[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
        kind = S3SigV4Auth if service == "s3" else SigV4Auth
        with patch("botocore.auth.get_current_datetime", lambda: at or datetime.now(UTC)):
            kind(Credentials(*keys), service, "eu-west-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=60)
    try:
        connection.request(method, path, body or None, dict(request.headers.items()))
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def registry_password(sandbox: Sandbox, region: str = "eu-west-1", session: Any = None) -> str:
    """Return what ``aws ecr get-login-password`` prints."""
    granted = client_of(sandbox, "ecr", region, session).get_authorization_token()["authorizationData"][0]
    return base64.b64decode(granted["authorizationToken"]).decode().partition(":")[2]


def root_of(sandbox: Sandbox) -> dict[str, Any]:
    """Return root's key as ``client_of`` and ``ask`` take sessions."""
    return {"AccessKeyId": ACCOUNT_ID, "SecretAccessKey": sandbox.secret, "SessionToken": None}
