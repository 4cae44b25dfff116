"""`container-init health` asks the app of its container as the load balancer does."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest

from .conftest import Image


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the status that the server was given; 0 ends the connection without an answer."""

    def do_GET(self) -> None:
        status = self.server.status if self.path == "/health" else 404  # type: ignore[attr-defined]
        if status:
            self.send_response(status)
            self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (200, 0, "answers with status 200."),
        (503, 1, "answers with status 503."),
        (0, 1, "does not answer: RemoteDisconnected."),
    ],
)
def test_the_answer_decides(
    image: Image, server: http.server.HTTPServer, status: int, code: int, said: str
) -> None:
    server.status = status  # type: ignore[attr-defined]

    done = image.run("container-init", "health", variables={"PORT": str(server.server_port)})

    expected = f"http://127.0.0.1:{server.server_port}/health {said}\n"
    assert (done.returncode, done.stdout, done.stderr) == (code, expected, "")


def test_an_app_that_does_not_listen_is_unhealthy(image: Image) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = image.run("container-init", "health", variables={"PORT": str(port)})

    expected = f"http://127.0.0.1:{port}/health does not answer: Connection refused.\n"
    assert (done.returncode, done.stdout) == (1, expected)


def test_a_port_that_is_none_is_said(image: Image) -> None:
    done = image.run("container-init", "health", variables={"PORT": "http"})

    assert (done.returncode, done.stdout) == (1, "PORT is 'http', which is no port.\n")
