"""The load that rollouts are measured with counts every request, and waits for none of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from demo.load import Load, LoadResult

Answer = Callable[[BaseHTTPRequestHandler, int], None]
Serve = Callable[[Answer], str]


def answer_with(status: int, body: bytes) -> Answer:
    def answer(handler: BaseHTTPRequestHandler, _number: int) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server whose requests a function answers; it is told the request's number, from 1."""
    running: list[ThreadingHTTPServer] = []

    def start(answer: Answer) -> str:
        numbers, lock = iter(range(1, 1_000_000)), threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with lock:
                    number = next(numbers)
                answer(self, number)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        running.append(server)
        return f"http://hello-sink.alb.localhost:{server.server_port}/version"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def run_until(load: Load, seen: threading.Event) -> LoadResult:
    with load:
        assert seen.wait(30)
        return load.stop()


def test_every_answer_is_counted_and_the_name_reaches_the_server(serve: Serve) -> None:
    asked, hosts = threading.Event(), set()

    def answer(handler: BaseHTTPRequestHandler, number: int) -> None:
        hosts.add((handler.headers["Host"], handler.path))
        answer_with(200, b"new" if number > 3 else b"old")(handler, number)
        if number == 10:
            asked.set()

    address = serve(answer)
    result = run_until(Load(address), asked)

    assert result.failed == 0
    assert result.errors == {}
    assert result.by_answer["old"] == 3
    assert result.by_answer["new"] == result.sent - 3 >= 7
    assert hosts == {(address.removeprefix("http://").removesuffix("/version"), "/version")}
    assert len(result.times_s) == result.sent
    assert 0 < result.percentile_s(50) <= result.percentile_s(99) <= max(result.times_s)


def test_what_is_refused_broken_off_or_answered_with_an_error_is_lost(serve: Serve) -> None:
    asked = threading.Event()

    def answer(handler: BaseHTTPRequestHandler, number: int) -> None:
        if number == 2:
            handler.connection.close()  # before a byte of the answer
        else:
            answer_with(502 if number == 3 else 200, b"x")(handler, number)
        if number == 6:
            asked.set()

    result = run_until(Load(serve(answer)), asked)

    assert result.failed == 2
    assert result.errors["status 502"] == 1
    assert sum(result.errors.values()) == 2
    assert result.by_answer == {"x": result.sent - 2}


def test_nobody_listening_loses_every_request(free_port: Callable[[], int]) -> None:
    with Load(f"http://127.0.0.1:{free_port()}/", rate_per_s=1000) as load:
        while not load.sent:
            threading.Event().wait(0.01)
        result = load.stop()

    assert result.failed == result.sent >= 1
    assert all(reason.startswith("ConnectionRefusedError") for reason in result.errors)


def test_a_server_that_stalls_does_not_slow_the_load(serve: Serve) -> None:
    ten_wait, waiting, lock = threading.Event(), [], threading.Lock()

    def answer(handler: BaseHTTPRequestHandler, number: int) -> None:
        with lock:
            waiting.append(number)
            if len(waiting) == 10:
                ten_wait.set()  # ten are unanswered at once: nobody waited for the first
        assert ten_wait.wait(30)
        answer_with(200, b"late")(handler, number)

    result = run_until(Load(serve(answer)), ten_wait)

    assert result.failed == 0
    # Counted from when each was due: the first waited for the nine after it, 20 ms apart.
    assert result.percentile_s(100) >= 0.15


def test_no_answer_in_time_is_a_lost_request(serve: Serve) -> None:
    asked, ended = threading.Event(), threading.Event()

    def answer(handler: BaseHTTPRequestHandler, number: int) -> None:
        asked.set()
        ended.wait(30)

    with Load(serve(answer), rate_per_s=5, timeout_s=0.2) as load:
        assert asked.wait(30)
        result = load.stop()
        ended.set()

    assert result.failed == result.sent
    assert set(result.errors) == {"TimeoutError: timed out"}
