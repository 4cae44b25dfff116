"""What a target sees of its load balancer: who connects, under which name, with which headers."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto import events as ws

from sink_sandbox.services.elb import peer

from .shop import HOST, Shop

ECHO = """\
import base64, hashlib, http.server, json, os, struct

seen = []

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        about = {"peer": self.client_address[0], "headers": {k.lower(): v for k, v in self.headers.items()}}
        if self.path == "/health":
            seen.append(about)
        if self.path == "/chat":
            return self.chat()
        if self.path == "/break":
            self.close_connection = True
            return None
        self.answer(200, {"/checks": seen}.get(self.path, about))

    def do_POST(self):
        # Refuses by the headers alone, before it has read any of the body.
        self.close_connection = True
        self.answer(413, {})
        while self.rfile.read(65536):
            pass

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "a=1; Expires=Thu, 01 Jan 2037 00:00:00 GMT")
        self.send_header("Set-Cookie", "b=2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def chat(self):
        if self.headers.get("Upgrade", "").lower() != "websocket":
            return self.answer(426, {})
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        digest = hashlib.sha1(key.encode()).digest()
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(digest).decode())
        if "Sec-WebSocket-Protocol" in self.headers:
            self.send_header("Sec-WebSocket-Protocol", self.headers["Sec-WebSocket-Protocol"].split(",")[0])
        self.end_headers()
        while True:
            kind, payload = self.frame()
            if kind == 8:
                self.send(8, payload)
                break
            self.send(kind, self.client_address[0].encode() + b" " + payload if kind == 1 else payload)
        self.close_connection = True

    def frame(self):
        first, second = self.rfile.read(2)
        size = second & 127
        if size == 126:
            (size,) = struct.unpack("!H", self.rfile.read(2))
        mask = self.rfile.read(4)
        data = self.rfile.read(size)
        return first & 15, bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))

    def send(self, kind, payload):
        size = bytes([len(payload)]) if len(payload) < 126 else bytes([126]) + struct.pack("!H", len(payload))
        self.wfile.write(bytes([128 | kind]) + size + payload)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def shop(shop: Shop) -> Shop:
    shop.push("live", files={"app/serve.py": ECHO})
    shop.deploy()
    return shop


def ask(shop: Shop, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", shop.sandbox.port, timeout=60)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body or None, {"Host": f"{HOST}:{shop.sandbox.port}", **named})
        answer = connection.getresponse()
        answer.content = answer.read()  # type: ignore[attr-defined]
        return answer
    finally:
        connection.close()


def test_a_target_is_asked_by_another_address_than_its_own(shop: Shop) -> None:
    """Else a server that trusts 127.0.0.1 would trust this balancer, and not the one on AWS."""
    told = json.loads(ask(shop, "/").content)

    assert told["peer"] == "127.0.0.2"
    assert told["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert told["headers"]["x-forwarded-proto"] == "http"
    assert told["headers"]["x-forwarded-port"] == str(shop.sandbox.port)
    assert told["headers"]["host"] == f"{HOST}:{shop.sandbox.port}"


def test_what_a_client_forwards_itself_is_overruled(shop: Shop) -> None:
    """Its own address is appended, the protocol and the port are those of the listener's side.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
    """
    sent = {"X_Forwarded_For": "203.0.113.9", "X_Forwarded_Proto": "https", "X_Forwarded_Port": "443"}

    headers = json.loads(ask(shop, "/", **sent).content)["headers"]

    assert headers["x-forwarded-for"] == "203.0.113.9, 127.0.0.1"
    assert (headers["x-forwarded-proto"], headers["x-forwarded-port"]) == ("http", str(shop.sandbox.port))


def test_a_health_check_names_the_target_by_its_private_address_and_port(shop: Shop) -> None:
    (task,) = shop.tasks()
    (address,) = [
        detail["value"]
        for attachment in task["attachments"]
        for detail in attachment["details"]
        if detail["name"] == "privateIPv4Address"
    ]

    checks = json.loads(ask(shop, "/checks").content)

    assert {(check["peer"], check["headers"]["host"]) for check in checks} == {
        ("127.0.0.2", f"{address}:8080")
    }
    assert {check["headers"]["user-agent"] for check in checks} == {"ELB-HealthChecker/2.0"}


def test_an_answer_arrives_as_the_target_gave_it(shop: Shop) -> None:
    answer = ask(shop, "/", "HEAD")

    assert (answer.status, answer.content) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0
    assert answer.headers.get_all("Set-Cookie") == ["a=1; Expires=Thu, 01 Jan 2037 00:00:00 GMT", "b=2"]


def test_a_refusal_arrives_although_the_body_has_not_been_read(shop: Shop) -> None:
    assert ask(shop, "/", "POST", b"x" * 8_000_000).status == 413


def test_a_target_that_breaks_off_is_a_bad_gateway(shop: Shop) -> None:
    refused = ask(shop, "/break")

    assert refused.status == 502
    assert "closed the connection" in json.loads(refused.content)["message"]
    assert ask(shop, "/").status == 200


class Chat:
    """A WebSocket to the load balancer."""

    def __init__(self, shop: Shop, path: str = "/chat", subprotocols: tuple[str, ...] = ()) -> None:
        self.socket = socket.create_connection(("127.0.0.1", shop.sandbox.port), timeout=60)
        self.connection = WSConnection(ConnectionType.CLIENT)
        self.say(ws.Request(host=f"{HOST}:{shop.sandbox.port}", target=path, subprotocols=list(subprotocols)))

    def say(self, event: ws.Event) -> None:
        self.socket.sendall(self.connection.send(event))

    def hear(self) -> ws.Event:
        while True:
            for event in self.connection.events():
                return event
            data = self.socket.recv(65536)
            assert data, "the connection was closed"
            self.connection.receive_data(data)


def test_a_websocket_passes_through(shop: Shop) -> None:
    chat = Chat(shop, subprotocols=("notes.v1", "notes.v0"))

    accepted = chat.hear()
    assert isinstance(accepted, ws.AcceptConnection)
    assert accepted.subprotocol == "notes.v1"
    chat.say(ws.TextMessage(data="hello"))
    heard = chat.hear()
    assert isinstance(heard, ws.TextMessage)
    assert heard.data == "127.0.0.2 hello"
    chat.say(ws.BytesMessage(data=bytes(1000)))
    heard = chat.hear()
    assert isinstance(heard, ws.BytesMessage)
    assert bytes(heard.data) == bytes(1000)
    chat.say(ws.CloseConnection(code=4001, reason="bye"))
    closed = chat.hear()
    assert isinstance(closed, ws.CloseConnection)
    assert closed.code == 4001
    chat.socket.close()


def test_a_websocket_that_the_target_does_not_take_is_refused_as_it_says(shop: Shop) -> None:
    chat = Chat(shop, "/")

    refused = chat.hear()

    assert isinstance(refused, ws.RejectConnection)
    assert refused.status_code == 200
    chat.socket.close()


def test_a_machine_without_a_second_loopback_address_says_so() -> None:
    """As macOS is until somebody adds one; 203.0.113.7 is an address that no machine has."""
    missing = peer.find_peer("203.0.113.7")

    assert missing == ""
    (note,) = peer.notes(missing)
    assert "come from 127.0.0.1" in note
    assert peer.notes(peer.find_peer()) == []
