"""A generated service behind a load balancer, by its own server: what it believes, and what it holds."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from sink_sandbox.client import lifecycle
from tests.sandbox.helpers import Pipelines
from tests.sandbox.images import CONTAINER_INIT as CONTAINER_INIT_OF_IMAGE
from tests.sandbox.images import runtime_files
from tests.sandbox.shop import HOST, Shop

from .conftest import CHECKOUT, Service, find_pythons

CONTAINER_INIT = CHECKOUT / "runtimes" / "python" / "container-init"
*_, NEWEST = find_pythons().values()
BALANCER = "127.0.0.2"
"""Whoever asks a task on AWS is not 127.0.0.1, which servers trust by themselves."""

MEBIBYTE = 1024 * 1024
MANY = 150

# /folder leads to /folder/, in both frameworks by a redirect of their own.
FOLDER = """

if hasattr(app, "add_url_rule"):
    app.add_url_rule("/folder/", view_func=lambda: "here")
else:
    app.get("/folder/")(lambda: "here")
"""


@dataclass
class Server:
    """The process of a task, and the port that it serves."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(BALANCER, 0))

    def ask(self, path: str, **headers: str) -> http.client.HTTPResponse:
        connection = self.connect()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers={"Host": "notes.example.com", **named})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def peak_bytes(self) -> int:
        """The most memory that one of its processes has had at any time."""
        first = psutil.Process(self.process.pid)
        return max(
            int(line.split()[1]) * 1024
            for process in (first, *first.children(recursive=True))
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
            if line.startswith("VmHWM:")
        )


@pytest.fixture(scope="module", params=["fastapi-none", "flask-none"])
def server(
    request: pytest.FixtureRequest,
    make_service: Callable[..., Service],
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
) -> Iterator[Server]:
    service = make_service(request.param, NEWEST)
    root = tmp_path_factory.mktemp("task")
    shutil.copytree(service.folder, root / "app", ignore=shutil.ignore_patterns("__pycache__", ".env"))
    main = root / "app/src/hello_sink/main.py"
    main.write_text(main.read_text() + FOLDER)
    port = free_port()
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "SINK_ROOT": str(root),
        "SINK_VENV": str(service.environment),
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }
    log = root / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(CONTAINER_INIT)],
            env=variables,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Server(process, port, log)
    try:
        deadline = time.monotonic() + 60
        while not is_up(server):
            assert time.monotonic() < deadline, log.read_text()
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def is_up(server: Server) -> bool:
    try:
        return server.ask("/health").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_redirect_stays_on_the_scheme_that_the_client_came_by(server: Server, scheme: str) -> None:
    answer = server.ask("/folder", X_Forwarded_Proto=scheme, X_Forwarded_For="203.0.113.9")

    assert answer.status in (307, 308)
    assert answer.headers["Location"] == f"{scheme}://notes.example.com/folder/"


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_a_body_of_150_mib_is_refused_and_takes_no_memory(server: Server, chunked: bool) -> None:
    """Nor is the connection lost over it, for which a load balancer would answer 502."""
    connection = server.connect()
    connection.request("POST", "/notes", b'{"text": "first"}', {"Content-Type": "application/json"})
    assert connection.getresponse().read()
    before = server.peak_bytes()

    connection.putrequest("POST", "/notes")
    connection.putheader("Content-Type", "application/json")
    if chunked:
        connection.putheader("Transfer-Encoding", "chunked")
    else:
        connection.putheader("Content-Length", str(MANY * MEBIBYTE))
    connection.endheaders()
    part = b'"' + b"x" * (MEBIBYTE - 1)
    for _ in range(MANY):
        connection.send(b"%x\r\n%s\r\n" % (MEBIBYTE, part) if chunked else part)
    if chunked:
        connection.send(b"0\r\n\r\n")
    refused = connection.getresponse()

    assert refused.status == 413
    assert json.loads(refused.read()) == {"detail": f"The request body is larger than {MEBIBYTE} bytes."}
    assert server.peak_bytes() - before < 8 * MEBIBYTE
    connection.close()
    assert server.ask("/health").status == 200


def test_a_task_of_the_sandbox_is_redirected_likewise(
    make_service: Callable[..., Service], aws: Callable[[str], Any], sandbox: lifecycle.Sandbox, variant: str
) -> None:
    """Through the load balancer, whose clients come by HTTP, and as that of an HTTPS listener would ask."""
    service = make_service(variant, NEWEST)
    shop = Shop(aws, sandbox, Pipelines(aws))
    shop.push(
        "live",
        files={**runtime_files(), **files_of(service)},
        entrypoint=CONTAINER_INIT_OF_IMAGE,
    )
    assert shop.deploy()["StackStatus"] == "CREATE_COMPLETE"
    host = f"{HOST}:{sandbox.port}"

    by_http = redirected(sandbox.port, "127.0.0.1", host)
    by_https = redirected(port_of_task(sandbox), BALANCER, "notes.example.com", "https")

    assert by_http == f"http://{host}/folder/"
    assert by_https == "https://notes.example.com/folder/"


@pytest.fixture(params=["fastapi-none", "flask-none"])
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def files_of(service: Service) -> dict[str, str]:
    """The files of an image of the service, with the route that redirects."""
    found = {
        f"app/{path.relative_to(service.folder)}": path.read_text()
        for path in service.folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "tests" not in path.parts
    }
    found["app/src/hello_sink/main.py"] += FOLDER
    # The image has no dependencies of its own; the server is that of the service's environment.
    found["app/Procfile"] = found["app/Procfile"].replace("\nweb: ", f"\nweb: {service.environment}/bin/")
    return found


def redirected(port: int, source: str, host: str, scheme: str = "") -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(source, 0))
    forwarded = {"X-Forwarded-Proto": scheme} if scheme else {}
    connection.request("GET", "/folder", headers={"Host": host, **forwarded})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    assert answer.status in (307, 308), said
    return str(answer.headers["Location"])


def port_of_task(sandbox: lifecycle.Sandbox) -> int:
    """Where the process of the sandbox's one task listens."""
    found = {
        int(process.environ()["PORT"])
        for process in psutil.Process(lifecycle.require(sandbox.name).pid).children(recursive=True)
        if "hello_sink.main:app" in process.cmdline()
    }
    (port,) = found
    return port
