"""A limit for request bodies: a larger one is refused with status 413, and never collected."""

import io
import time
from typing import Protocol

from flask import Flask, Response, g, request

from .errors import ApiError

_CHUNK_BYTES = 64 * 1024
_DISCARD_S = 20


class _Input(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _LimitedBody(io.RawIOBase):
    """A body that is counted as it is read: what comes in chunks says no length beforehand.

    Flask's own MAX_CONTENT_LENGTH cuts such a body off where the limit is, and says nothing.
    """

    def __init__(self, body: _Input, max_bytes: int) -> None:
        self._body = body
        self._max_bytes = max_bytes
        self._taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        data = self._body.read(len(buffer))
        self._taken += len(data)
        if self._taken > self._max_bytes:
            raise _too_large(self._max_bytes)
        buffer[: len(data)] = data
        return len(data)


def limit_bodies(app: Flask, max_bytes: int) -> None:
    """Refuse bodies of more than `max_bytes`, whether they say their length or come in chunks."""

    @app.before_request
    def limit() -> None:
        g.body = request.environ["wsgi.input"]
        request.environ["wsgi.input"] = _LimitedBody(g.body, max_bytes)
        if (request.content_length or 0) > max_bytes:
            raise _too_large(max_bytes)

    @app.after_request
    def discard_refused(response: Response) -> Response:
        # gunicorn closes a connection with an unread body, and a load balancer that is still sending the
        # body would answer 502 then, not 413.
        if response.status_code == 413:
            until = time.monotonic() + _DISCARD_S
            while g.body.read(_CHUNK_BYTES) and time.monotonic() < until:
                pass
        return response


def _too_large(max_bytes: int) -> ApiError:
    return ApiError(413, f"The request body is larger than {max_bytes} bytes.")
