"""What a load balancer and one of its targets say to each other: a request and its answer, or a WebSocket.

Connections leave from ``source``, because a balancer of AWS never is the target's own loopback: servers that
trust 127.0.0.1 (the forwarded headers of gunicorn and uvicorn) must not trust this one by accident.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

import h11
from wsproto import ConnectionType, WSConnection
from wsproto import events as ws
from wsproto.utilities import ProtocolError

CONNECT_TIMEOUT_S = 10.0
"""How long an Application Load Balancer waits for a connection to a target before it answers 504.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
"""

_CHUNK_BYTES = 65536
_OF_THE_CONNECTION = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"})
_OF_A_HANDSHAKE = _OF_THE_CONNECTION | {
    "host",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
}

Headers = dict[str, str | list[str]]


class TargetFailed(Exception):
    """The target could not be reached, or broke off before its answer had begun."""


@dataclass(frozen=True)
class Address:
    """Where a target listens, and the address of this machine that connects to it ("" for any)."""

    host: str
    port: int
    source: str = ""

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection.

        Raises:
            TargetFailed: nothing answers there in time.
        """
        local = (self.source, 0) if self.source else None
        try:
            return await asyncio.wait_for(
                asyncio.open_connection(self.host, self.port, local_addr=local), CONNECT_TIMEOUT_S
            )
        except OSError as error:
            raise TargetFailed(f"Target {self.host}:{self.port} connect error: {error}") from error


class Answer:
    """A target's answer: its status and headers, and a body that is still to be read."""

    def __init__(self, address: Address, idle_s: float) -> None:
        self._address = address
        self._idle_s = idle_s
        self._connection = h11.Connection(h11.CLIENT)
        self._sending: asyncio.Task[None] | None = None
        self.status = 0
        self.headers: Headers = {}

    async def open(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        """Send a request and wait until its answer begins.

        Raises:
            TargetFailed: there will be no answer.
        """
        self._reader, self._writer = await self._address.connect()
        try:
            request = self._connection.send(
                h11.Request(method=method, target=target, headers=_framed(method, headers, body))
            )
            content = self._connection.send(h11.Data(data=body)) if body else b""
            self._connection.send(h11.EndOfMessage())
            # Beside the answer, not before it: a target may refuse a body that it has not read.
            self._sending = asyncio.create_task(_write(self._writer, (request or b"") + (content or b"")))
            event = await self._next_event()
            while isinstance(event, h11.InformationalResponse):
                event = await self._next_event()
        except BaseException as error:
            self.close()
            if isinstance(error, (OSError, h11.ProtocolError)):
                raise TargetFailed(
                    f"Target {self._address.host}:{self._address.port} answer error: {error or 'timed out'}"
                ) from error
            raise
        self.status = event.status_code
        self.headers = _gathered(event.headers)
        # The load balancer writes its own Date in place of the target's.
        self.headers["date"] = formatdate(usegmt=True)

    async def pass_body_on(self, send: Any, receive: Any) -> None:
        """Send the body as it arrives; a body that breaks off stays without its end, as at its source."""
        gone = asyncio.create_task(_await_disconnect(receive))
        try:
            while True:
                event = asyncio.ensure_future(self._next_event())
                await asyncio.wait({event, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not event.done():
                    event.cancel()
                    return
                found = event.result()
                if isinstance(found, h11.Data):
                    await send({"type": "http.response.body", "body": bytes(found.data), "more_body": True})
                else:
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return
        except (OSError, h11.ProtocolError):
            return
        finally:
            gone.cancel()
            self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._sending is not None:
            self._sending.cancel()
        self._writer.close()

    async def _next_event(self) -> Any:
        while (event := self._connection.next_event()) is h11.NEED_DATA:
            data = await asyncio.wait_for(self._reader.read(_CHUNK_BYTES), self._idle_s)
            if not data and self._connection.their_state is h11.SEND_RESPONSE:
                raise TargetFailed(f"Target {self._address.host}:{self._address.port} closed the connection")
            self._connection.receive_data(data)
        return event


async def bridge_websocket(
    address: Address, target: str, headers: Mapping[str, str], scope: Any, receive: Any, send: Any
) -> tuple[int, Headers, bytes] | None:
    """Connect a client's WebSocket with one of the target; returns the target's answer where it refuses.

    The balancer passes messages on until either side closes, and closes the other one with the same code.

    Raises:
        TargetFailed: the target cannot be reached, or speaks no WebSocket.
    """
    reader, writer = await address.connect()
    connection = WSConnection(ConnectionType.CLIENT)
    try:
        extra = [
            (name.encode(), value.encode("latin-1"))
            for name, value in headers.items()
            if name not in _OF_A_HANDSHAKE
        ]
        request = ws.Request(
            host=headers.get("host", address.host),
            target=target,
            subprotocols=list(scope.get("subprotocols") or []),
            extra_headers=extra,
        )
        writer.write(connection.send(request))
        messages = _messages(connection, reader)
        refused: tuple[int, Headers] | None = None
        refusal = b""
        async for event in messages:
            if isinstance(event, ws.AcceptConnection):
                accepted = [pair for pair in event.extra_headers if pair[0].lower() != b"date"]
                await send(
                    {"type": "websocket.accept", "subprotocol": event.subprotocol, "headers": accepted}
                )
                await _pass_messages_on(connection, messages, writer, receive, send)
                return None
            if isinstance(event, ws.RejectConnection):
                refused = event.status_code, _gathered(event.headers)
                if not event.has_body:
                    break
            elif isinstance(event, ws.RejectData):
                refusal += event.data
                if event.body_finished:
                    break
        if refused is None:
            raise TargetFailed(f"Target {address.host}:{address.port} closed the connection")
        return *refused, refusal
    except ProtocolError as error:
        raise TargetFailed(f"Target {address.host}:{address.port} answer error: {error}") from error
    finally:
        writer.close()


async def _messages(connection: WSConnection, reader: asyncio.StreamReader) -> AsyncIterator[ws.Event]:
    while True:
        for event in connection.events():
            yield event
        try:
            data = await reader.read(_CHUNK_BYTES)
        except OSError:
            return
        if not data:
            return
        connection.receive_data(data)


async def _pass_messages_on(
    connection: WSConnection, messages: AsyncIterator[ws.Event], writer: Any, receive: Any, send: Any
) -> None:
    async def to_target() -> None:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                with contextlib.suppress(ProtocolError):
                    writer.write(connection.send(ws.CloseConnection(code=message.get("code") or 1005)))
                return
            if message.get("bytes") is not None:
                writer.write(connection.send(ws.BytesMessage(data=message["bytes"])))
            else:
                writer.write(connection.send(ws.TextMessage(data=message["text"])))
            await writer.drain()

    async def to_client() -> None:
        text, data = "", bytearray()
        async for event in messages:
            if isinstance(event, ws.TextMessage):
                text += event.data
                if event.message_finished:
                    await send({"type": "websocket.send", "text": text})
                    text = ""
            elif isinstance(event, ws.BytesMessage):
                data += event.data
                if event.message_finished:
                    await send({"type": "websocket.send", "bytes": bytes(data)})
                    data = bytearray()
            elif isinstance(event, ws.Ping):
                writer.write(connection.send(event.response()))
            elif isinstance(event, ws.CloseConnection):
                with contextlib.suppress(ProtocolError):
                    writer.write(connection.send(event.response()))
                await send({"type": "websocket.close", "code": event.code, "reason": event.reason or ""})
                return
        await send({"type": "websocket.close", "code": 1006})

    ways = [asyncio.create_task(to_target()), asyncio.create_task(to_client())]
    try:
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in done:
            with contextlib.suppress(OSError, ProtocolError):
                way.result()
        with contextlib.suppress(OSError):
            await writer.drain()
    finally:
        for way in ways:
            way.cancel()


def _framed(method: str, headers: Mapping[str, str], body: bytes) -> list[tuple[str, str]]:
    kept = [(name, value) for name, value in headers.items() if name not in _OF_THE_CONNECTION]
    if body or method in {"POST", "PUT", "PATCH"}:
        kept.append(("content-length", str(len(body))))
    return kept


def _gathered(pairs: Any) -> Headers:
    """Repeated fields stay apart: the dates of several Set-Cookie hold commas."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


async def _write(writer: asyncio.StreamWriter, content: bytes) -> None:
    with contextlib.suppress(OSError):
        for begin in range(0, len(content), _CHUNK_BYTES):
            writer.write(content[begin : begin + _CHUNK_BYTES])
            await writer.drain()


async def _await_disconnect(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
