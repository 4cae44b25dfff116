"""Whether there is a Docker Engine, asked with real sockets and small `docker` programs: each sentence."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any, ClassVar

import pytest

from sink_host.docker_engine import EngineUnavailable, FoundEngine, find_engine


class Answer(BaseHTTPRequestHandler):
    """An engine as far as ``GET /version`` goes."""

    facts: ClassVar[dict[str, str]] = {"Version": "27.1.0", "Os": "linux"}

    def do_GET(self) -> None:
        body = json.dumps(self.facts).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass

    def address_string(self) -> str:
        return "a socket"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """A function that serves an engine's version on a socket of its own and returns the socket."""
    servers = []

    def start(**facts: str) -> Path:
        path = tmp_path / f"engine-{len(servers)}.sock"
        handler = type("Handler", (Answer,), {"facts": {**Answer.facts, **facts}})
        server = ThreadingUnixStreamServer(str(path), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return path

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def docker(tmp_path: Path) -> Callable[..., str]:
    """A function that makes a folder with a `docker` of a version, with or without buildx."""

    def make(version: str = "27.1.0", buildx: bool = True, text: str = "") -> str:
        folder = tmp_path / f"bin-{version}-{buildx}-{len(text)}"
        folder.mkdir()
        program = folder / "docker"
        program.write_text(
            "#!/bin/sh\n"
            f"# {text}\n"
            f'case "$1" in --version) echo "Docker version {version}, build 1";; '
            f'buildx) exit {0 if buildx else 1};; context) echo "$CONTEXT_HOST";; *) exit 1;; esac\n'
        )
        program.chmod(0o755)
        return str(folder)

    return make


def refusal(environ: dict[str, str]) -> tuple[str, str]:
    with pytest.raises(EngineUnavailable) as caught:
        find_engine(environ)
    return caught.value.message, caught.value.hint


def test_an_engine_that_answers_is_found_with_its_command(serve: Any, docker: Any) -> None:
    folder = docker()

    found = find_engine({"PATH": folder, "DOCKER_HOST": f"unix://{serve()}", "HOME": "/nowhere"})

    assert (found.version, found.has_buildx, found.command) == ("27.1.0", True, f"{folder}/docker")
    assert FoundEngine.from_json(found.to_json()) == found


def test_a_command_without_buildx_is_passed_over_for_one_that_can_build(serve: Any, docker: Any) -> None:
    """A client of 23 or later builds through its plugin only; one before has BuildKit built in."""
    path = os.pathsep.join([docker("28.2.2", buildx=False), old := docker("20.10.24+dfsg1", buildx=False)])

    found = find_engine({"PATH": path, "DOCKER_HOST": f"unix://{serve()}", "HOME": "/nowhere"})

    assert (found.command, found.has_buildx) == (f"{old}/docker", False)


def test_the_sandbox_s_own_docker_is_never_the_real_one(serve: Any, docker: Any) -> None:
    ours = docker(text="exec python -I -m sink_sandbox.docker_cli.process.command")
    real = docker("20.10.24", buildx=False)

    found = find_engine(
        {"PATH": f"{ours}{os.pathsep}{real}", "DOCKER_HOST": f"unix://{serve()}", "HOME": "/nowhere"}
    )

    assert found.command == f"{real}/docker"


def test_the_chosen_context_says_where_the_engine_is(serve: Any, docker: Any, tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text('{"currentContext": "desktop-linux"}')

    found = find_engine({"PATH": docker(), "HOME": str(tmp_path), "CONTEXT_HOST": f"unix://{(s := serve())}"})

    assert found.host == f"unix://{s}"


def test_no_command_is_one_sentence(tmp_path: Path) -> None:
    assert refusal({"PATH": str(tmp_path)}) == (
        "docker is not installed, or not on the PATH.",
        "Install a Docker Engine.",
    )


def test_no_command_that_can_build_is_one_sentence(serve: Any, docker: Any) -> None:
    folder = docker("28.2.2", buildx=False)

    message, hint = refusal({"PATH": folder, "DOCKER_HOST": f"unix://{serve()}", "HOME": "/nowhere"})

    assert message == f"No docker command here can build: {folder}/docker has no buildx."
    assert "docker-buildx" in hint


@pytest.mark.parametrize("host", ["garbage", "http://x", "unix://", "://", "tcp:"])
def test_an_address_that_is_none_is_named(docker: Any, host: str) -> None:
    message, hint = refusal({"PATH": docker(), "DOCKER_HOST": host})

    assert message == f"DOCKER_HOST is {host!r}, which is no address of a Docker Engine."
    assert hint == "Unset it, or write it as unix:///var/run/docker.sock."


def test_an_engine_of_another_machine_is_refused_where_it_must_be_here(docker: Any) -> None:
    message, _ = refusal({"PATH": docker(), "DOCKER_HOST": "ssh://build@far.example"})

    assert message == (
        "The Docker Engine at ssh://build@far.example is on another machine, which reaches neither the "
        "sandbox's registry nor its files."
    )


def test_an_engine_that_does_not_run_is_one_sentence(docker: Any, tmp_path: Path) -> None:
    """No socket, and the socket of an engine that has ended."""
    nowhere, ended = tmp_path / "none.sock", tmp_path / "ended.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(ended))

    for index, path in enumerate((nowhere, ended)):
        message, hint = refusal({"PATH": docker(f"27.{index}.0"), "DOCKER_HOST": f"unix://{path}"})
        assert message == f"The Docker Engine does not run: nothing answers at unix://{path}."
        assert hint == "Start it."


def test_an_engine_that_answers_nonsense_does_not_run(docker: Any, tmp_path: Path) -> None:
    path = tmp_path / "nonsense.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def hang_up() -> None:
            connection, _ = server.accept()
            connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        message, _ = refusal({"PATH": docker(), "DOCKER_HOST": f"unix://{path}"})

    assert message == f"The Docker Engine does not run: nothing answers at unix://{path}."


def test_an_engine_of_windows_containers_is_refused(serve: Any, docker: Any) -> None:
    message, hint = refusal({"PATH": docker(), "DOCKER_HOST": f"unix://{serve(Os='windows')}"})

    assert message == "The Docker Engine runs Windows containers."
    assert hint == "Switch it to Linux containers."


def test_a_socket_that_this_user_may_not_use_is_one_sentence() -> None:
    """As root a mode means nothing, so somebody else asks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        program = folder / "docker"
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
        path = folder / "engine.sock"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            server.listen()
            path.chmod(0)
            answer = as_nobody({"PATH": str(folder), "DOCKER_HOST": f"unix://{path}"})

    assert answer == [
        f"This user may not use the Docker Engine: no permission on {path}.",
        "Add the user to the group docker and sign in again.",
    ]


def as_nobody(environ: dict[str, str]) -> list[str]:
    """Ask for the engine in a child without root's rights."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            find_engine(environ)
        except EngineUnavailable as error:
            os.write(writing, f"{error.message}\n{error.hint}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text.splitlines()


def test_a_command_that_does_not_end_is_not_said_to_lack_buildx(
    serve: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sink_host.docker_engine._COMMAND_S", 0.2)
    (tmp_path / "docker").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "docker").chmod(0o755)

    message, hint = refusal({"PATH": f"{tmp_path}:/usr/bin:/bin", "DOCKER_HOST": f"unix://{serve()}"})

    assert message == f"{tmp_path / 'docker'} buildx version does not answer within 0.2 s."
    assert hint == "Try again, or restart the engine."
