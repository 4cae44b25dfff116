"""A real emulated AWS with its registry, a tiny runtime, and the stand-in as builds call it."""

from __future__ import annotations

import functools
import os
import shutil
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from sink_sandbox.containers.process import install_docker_command

from .builds import Bench, Published

ACCOUNT = "000000000000"
REGION = "eu-west-1"
SERVER = Path(__file__).with_name("emulator_with_engine.py")
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"

RUNTIME_DOCKERFILE = """\
# The runtime of these tests: a Python base, two scripts, one operating-system step.
FROM public.ecr.aws/docker/library/python:3.11-slim
ENV RUNTIME_VERSION=3.11 PATH="/opt/venv/bin:${PATH}" GREETING='hello $world'
RUN apt-get update \\
    && apt-get install -y nothing-at-all
COPY --chmod=755 app-init container-init /usr/local/bin/
RUN useradd app
USER app
WORKDIR /app
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --retries=3 CMD ["container-init", "health"]
ENTRYPOINT ["container-init"]
"""

# Installs by writing a file, so that a test can see how often it ran.
APP_INIT = """\
#!/usr/bin/env python3
import os, pathlib, sys
root, venv = pathlib.Path(os.environ["SINK_ROOT"]), pathlib.Path(os.environ["SINK_VENV"])
what = sys.argv[1:] or ["dependencies", "app"]
if "dependencies" in what:
    lock = (root / "app/requirements.lock").read_text()
    if "impossible" in lock:
        sys.exit("app-init: no such package")
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(sys.executable)
    (venv / "lock").write_text(lock)
    print("installed for", os.environ.get("FLAVOUR", "nobody"))
if "app" in what:
    (root / "app/prepared").write_text("yes")
    print("prepared")
"""

# Serves its environment; `exit N` ends with N; SIGTERM ends it with 0 after a last line.
CONTAINER_INIT = """\
#!/usr/bin/env python3
import http.server, json, os, pathlib, signal, subprocess, sys
root = pathlib.Path(os.environ["SINK_ROOT"])
command = sys.argv[1:]

def leave(*_):
    print("stopping", flush=True)
    sys.exit(0)

signal.signal(signal.SIGTERM, leave)
if report := os.environ.get("REPORT"):
    pathlib.Path(report, os.environ["PORT"]).write_text(str(os.getpid()))
if command[:1] == ["exit"]:
    print("leaving with", command[1], flush=True)
    sys.exit(int(command[1]))
if command[:1] == ["show"]:
    print((root / command[1].lstrip("/")).read_text(), end="")
    print(os.environ.get("SHOWN", "-"), os.environ.get("GREETING"))
    print(pathlib.Path.cwd() == root.resolve() / "app")
    sys.exit(0)
if command[:1] == ["stubborn"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    (pathlib.Path(command[1])).write_text(f"{os.getpid()} {helper.pid}")
    signal.pause()
version = (root / "app/version").read_text().strip()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        lock = (pathlib.Path(os.environ["SINK_VENV"]) / "lock").read_text()
        body = json.dumps({"version": version, "venv": lock, "pid": os.getpid(),
                           "shown": os.environ.get("SHOWN"),
                           "endpoint": os.environ.get("AWS_ENDPOINT_URL")}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        print("served", self.path, flush=True)

print("starting", version, flush=True)
http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""

APP_DOCKERFILE = """\
ARG FROM
FROM ${FROM}
ARG FLAVOUR=plain
COPY requirements.lock ./
RUN app-init dependencies
COPY . ./
RUN app-init app
LABEL flavour="${FLAVOUR}"
"""


def eventually(probe: Callable[[], Any], timeout_s: float = 60) -> Any:
    """Return the first true answer of ``probe``, or fail when the time is up."""
    deadline = time.monotonic() + timeout_s
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"{probe} stayed {answer!r} for {timeout_s} s"
        time.sleep(0.05)
    return answer


@dataclass(frozen=True)
class Emulator:
    endpoint_url: str

    @functools.cache  # noqa: B019 - one emulator lives as long as the tests, and a client is slow to make
    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="sandbox",
        )


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulated AWS of this test run: its registry, and its ECS with the process engine in it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint_url = f"http://127.0.0.1:{port}"
    folder = tmp_path_factory.mktemp("emulator")
    settings = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "0",
        "STATE_DIR": str(folder),
        "DOCKER_HOST": "unix:///nowhere",
        "TMPDIR": str(folder),
        "LOG_LEVEL": "ERROR",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(SERVER), str(folder / "engine"), endpoint_url],
            env={**os.environ, **settings},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        eventually(lambda: _listens(port), timeout_s=60)
        yield Emulator(endpoint_url)
    finally:
        process.terminate()
        process.wait(60)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Docker:
    """The stand-in, called as a build calls it: by name, through PATH."""

    state_dir: Path
    folder: Path
    environment: dict[str, str]

    def __call__(
        self, *words: str, stdin: str = "", cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", *words],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=cwd or self.folder,
            timeout=60,
            check=False,
        )

    def ok(self, *words: str, stdin: str = "", cwd: Path | None = None) -> str:
        done = self(*words, stdin=stdin, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def refused(self, *words: str, stdin: str = "") -> str:
        done = self(*words, stdin=stdin)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stderr
        return done.stderr

    def log_in(self) -> None:
        self.ok("login", "--username", "AWS", "--password-stdin", HOST, stdin="a-token\n")


def open_docker(emulator: Emulator, state_dir: Path, folder: Path) -> Docker:
    command = install_docker_command(state_dir, emulator.endpoint_url)
    folder.mkdir(exist_ok=True)
    return Docker(state_dir, folder, {**os.environ, "PATH": f"{command}{os.pathsep}{os.environ['PATH']}"})


def write_tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.fixture(scope="session")
def published(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("published")
    for name in ("runtime", "app"):
        emulator.client("ecr").create_repository(repositoryName=name)
    found = Published(
        folder / "sandbox",
        f"{HOST}/runtime:3.11",
        f"{HOST}/app:one",
        write_tree(
            folder / "runtime",
            {"3.11.Dockerfile": RUNTIME_DOCKERFILE, "app-init": APP_INIT, "container-init": CONTAINER_INIT},
        ),
        write_tree(
            folder / "app",
            {
                "Dockerfile": APP_DOCKERFILE,
                "requirements.lock": "a==1\n",
                "version": "one\n",
                "src/app.py": "print('hi')\n",
            },
        ),
    )
    docker = open_docker(emulator, found.state_dir, folder)
    docker.log_in()
    dockerfile = str(found.runtime_tree / "3.11.Dockerfile")
    docker.ok("build", "-f", dockerfile, "-t", found.runtime, str(found.runtime_tree))
    docker.ok("push", found.runtime)
    docker.ok("build", "--build-arg", f"FROM={found.runtime}", "-t", found.app, str(found.app_tree))
    docker.ok("push", found.app)
    return found


@pytest.fixture
def state_dir(published: Published, tmp_path: Path) -> Path:
    """A sandbox in which runtime and app were built and pushed, of this test's own."""
    return Path(shutil.copytree(published.state_dir, tmp_path / "sandbox", symlinks=True))


@pytest.fixture
def docker(emulator: Emulator, state_dir: Path, tmp_path: Path) -> Docker:
    return open_docker(emulator, state_dir, tmp_path / "build")


@pytest.fixture
def fresh_docker(emulator: Emulator, tmp_path: Path) -> Docker:
    """The stand-in on a machine that has seen no image and no login yet."""
    return open_docker(emulator, tmp_path / "fresh", tmp_path / "build")


@pytest.fixture
def runtime(published: Published) -> str:
    return published.runtime


@pytest.fixture
def app(published: Published) -> str:
    return published.app


@pytest.fixture
def app_tree(published: Published, tmp_path: Path) -> Path:
    """The sources of the app, to be changed by this test."""
    return Path(shutil.copytree(published.app_tree, tmp_path / "app"))


@pytest.fixture
def repository(emulator: Emulator, tmp_path: Path) -> str:
    """The address of an empty repository of this test's own."""
    name = f"repository-{zlib.crc32(str(tmp_path).encode()):08x}"
    emulator.client("ecr").create_repository(repositoryName=name)
    return f"{HOST}/{name}"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Nothing listens at its endpoint: images from outside need no registry."""
    context = write_tree(
        tmp_path / "context",
        {"a.txt": "a", "b.txt": "b", "src/one.py": "1", "src/deep/two.py": "2", "run.sh": "#!/bin/sh\n"},
    )
    (context / "run.sh").chmod(0o775)
    return Bench(tmp_path / "sandbox", "http://127.0.0.1:9", context)


@pytest.fixture
def app_bench(emulator: Emulator, state_dir: Path, app_tree: Path) -> Bench:
    return Bench(state_dir, emulator.endpoint_url, app_tree)
