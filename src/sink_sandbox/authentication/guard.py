"""What stands before every route: no web page, no foreign name, and nobody without a signature gets past it.

A page that is open in a browser reaches every port of this machine, and so does every other user of it. So a
request is looked at here before anything of it is parsed: where it says that it comes from, by which name it
asks, and whether root's key or a session of a role has signed it.
"""

from __future__ import annotations

import contextvars
import enum
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from sink_sandbox.authentication import chunks
from sink_sandbox.authentication.registry_token import read_token
from sink_sandbox.authentication.signature import (
    UNSIGNED,
    Refused,
    Request,
    Signature,
    check_signed_headers,
    check_time,
    expected,
    read_signature,
)
from sink_sandbox.containers.references import is_ecr_host

FindSecret = Callable[[str, str | None], str]
"""From a key, and the session token that came with it (None: do not compare), to its secret; or Refused."""

caller: contextvars.ContextVar[str] = contextvars.ContextVar("caller", default="")
"""The access key that the request at work was signed by; "" where a route asks for something else."""

_LARGEST_UNCHECKED = 64 * 1024 * 1024
"""Of a body whose hash is no header: it is read before it is known who sends it. CloudFormation takes 1 MB,
ECR 20 MB a part (base64)."""


class Asks(enum.Enum):
    """What a route asks of a request."""

    ROOT = enum.auto()
    """A signature by root's key."""
    SIGNATURE = enum.auto()
    """A signature by root's key, or by a role's session."""
    REGISTRY = enum.auto()
    """The same, or a token of the registry."""
    TASK = enum.auto()
    """A secret that one task alone was given; the route looks at it itself."""


class Guard:
    """Looks at every request of one sandbox.

    Args:
        port: The sandbox's.
        names: What it is called beside 127.0.0.1 and localhost.
        root_key: The access key of root.
        find_secret: Knows every key.
    """

    def __init__(self, port: int, names: Iterable[str], root_key: str, find_secret: FindSecret) -> None:
        self._port = str(port)
        self._names = frozenset(names)
        self._root_key = root_key
        self._find_secret = find_secret
        self._verified = 0
        self._spent_s = 0.0

    def cost(self) -> dict[str, float]:
        """Return how many requests were verified, and the seconds that took without the wait for bodies."""
        return {"requests": self._verified, "seconds": round(self._spent_s, 6)}

    def check_origin(self, scope: Any, asks: Asks) -> None:
        """Refuse what a web page sends, and what asks for another host.

        https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header

        Raises:
            Refused: it does.
        """
        hosts = [value for name, value in scope["headers"] if name.lower() == b"host"]
        if len(hosts) != 1 or not self._is_ours(hosts[0].decode("latin-1").lower(), asks):
            raise Refused("AccessDenied", "The sandbox is not called by the name in the header Host.")
        for name, value in scope["headers"]:
            lowered = name.lower()
            foreign = lowered == b"sec-fetch-site" and value.strip().lower() in (b"cross-site", b"same-site")
            if lowered == b"origin" or foreign:
                raise Refused("AccessDenied", "The sandbox answers no web page.")

    async def admit(self, scope: Any, receive: Any, asks: Asks) -> Any:
        """Return what the route receives from; the body may have been read here.

        Raises:
            Refused: the request is not signed as the route asks.
        """
        if asks is Asks.TASK:
            return receive
        began, body = time.perf_counter(), _Body(receive)
        try:
            caller.set(await self._authenticate(scope, body, asks))
        finally:
            self._verified += 1
            self._spent_s += time.perf_counter() - began - body.waited_s
        return body.replay

    async def _authenticate(self, scope: Any, body: _Body, asks: Asks) -> str:
        request = _request(scope)
        authorization = request.headers.get("authorization", "")
        if asks is Asks.REGISTRY and authorization.lower().startswith("basic "):
            key = read_token(self._find_secret(self._root_key, ""), authorization)
            if not key:
                raise Refused("DENIED", "The token is not one of this registry, or is too old.")
            self._find_secret(key, None)  # its session may have ended
            return key
        signature = read_signature(request)
        if asks is Asks.ROOT and signature.access_key_id != self._root_key:
            raise Refused("AccessDenied", "Only the root key of the sandbox may ask for this.")
        check_time(signature, datetime.now(UTC))
        check_signed_headers(request, signature)
        secret = self._find_secret(signature.access_key_id, signature.token)
        await _check(request, signature, secret, body)
        return signature.access_key_id

    def _is_ours(self, host: str, asks: Asks) -> bool:
        name, colon, port = host.partition(":")
        if not colon:
            # The registry's own name is the one by which our `docker` asks it for images.
            return asks is Asks.REGISTRY and is_ecr_host(name)
        # A bucket may stand before localhost: that is how clients of S3 name it at an endpoint that is no
        # address, and browsers resolve every such name to this machine without asking anybody.
        is_local = name in ("127.0.0.1", "localhost") or name.endswith(".localhost")
        return port == self._port and (is_local or name in self._names)


async def _check(request: Request, signature: Signature, secret: str, body: _Body) -> None:
    """Compare the signature, before the body is read where a header has its hash."""
    is_s3 = signature.service == "s3"
    hash_header = request.headers.get("x-amz-content-sha256", "")
    if not hash_header and is_s3 and signature.expires_s is not None:
        hash_header = UNSIGNED
    if not hash_header:
        await body.read(_LARGEST_UNCHECKED)
        _compare(request, signature, secret, hashlib.sha256(body.content).hexdigest())
        return
    _compare(request, signature, secret, hash_header)
    if is_s3 and hash_header in (UNSIGNED, chunks.UNSIGNED_WITH_TRAILER):
        return
    await body.read()
    if is_s3 and hash_header in (chunks.SIGNED, chunks.SIGNED_WITH_TRAILER):
        trailer = hash_header == chunks.SIGNED_WITH_TRAILER
        right = chunks.chunks_are_signed(body.content, signature, secret, trailer=trailer)
    else:
        right = hashlib.sha256(body.content).hexdigest() == hash_header.lower()
    if not right:
        raise Refused("XAmzContentSHA256Mismatch", "The body is not the one that was signed.")


def _compare(request: Request, signature: Signature, secret: str, payload_hash: str) -> None:
    right = expected(request, signature, secret, payload_hash)
    if not hmac.compare_digest(right.encode(), signature.value.encode()):
        raise Refused("SignatureDoesNotMatch", "The signature is not one by the secret of this key.")


def _request(scope: Any) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        value = " ".join(_text(raw_value).split())
        if name in headers and name in ("authorization", "x-amz-date", "x-amz-security-token"):
            raise Refused("IncompleteSignature", f"The request has the header {name} twice.")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    raw_path = scope.get("raw_path") or scope["path"].encode()
    query = scope.get("query_string", b"")
    return Request(scope["method"], raw_path.decode("latin-1"), query.decode("latin-1"), headers)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


class _Body:
    """A request's body, which is read here or left to the route."""

    def __init__(self, receive: Any) -> None:
        self._receive = receive
        self._is_pending = False
        self.content = b""
        self.waited_s = 0.0

    async def read(self, largest: int | None = None) -> None:
        """Read it whole.

        Raises:
            Refused: it is too large, or ends before it should.
        """
        began = time.perf_counter()
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                raise Refused("IncompleteBody", "The request ended before its body did.")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if largest is not None and size > largest:
                raise Refused("EntityTooLarge", "A body of this size must be signed in X-Amz-Content-SHA256.")
            if not message.get("more_body"):
                break
        self.content = b"".join(parts)
        self._is_pending = True
        self.waited_s += time.perf_counter() - began

    async def replay(self) -> Any:
        """Receive what was read, and from then on what comes after it."""
        if not self._is_pending:
            return await self._receive()
        self._is_pending = False
        content, self.content = self.content, b""
        return {"type": "http.request", "body": content, "more_body": False}
