"""What the `docker` of a build hands on to the real one, which here only writes it down."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sink_host.docker_engine import FoundEngine
from sink_sandbox.containers.docker.names import sandbox_id
from sink_sandbox.docker_cli.engine.command import main
from sink_sandbox.docker_cli.engine.install import VARIABLES

CACHE = "000000000000.dkr.ecr.eu-west-1.amazonaws.com/hello-sink-stage:cache-0123456789abcdef"


def play_docker(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    docker = folder / "docker"
    docker.write_text(f"#!/bin/sh\n{script}\n")
    docker.chmod(0o755)
    found = FoundEngine("unix:///nowhere", str(docker), has_buildx=True, version="28")
    for name, value in zip(VARIABLES, (str(folder), "http://127.0.0.1:4566", found.to_json()), strict=True):
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("words", "inner"),
    [
        (["--cache-from", CACHE], "{}"),
        ([f"--cache-from={CACHE}"], "--cache-from={}"),
        (["--cache-from", f"type=registry,ref={CACHE}"], "type=registry,ref={}"),
        ([f"--cache-to=type=registry,ref={CACHE},mode=min"], "--cache-to=type=registry,ref={},mode=min"),
        (["--label", f"cache={CACHE}"], f"cache={CACHE}"),
    ],
)
def test_a_cache_is_looked_for_in_the_sandboxs_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], inner: str
) -> None:
    """A label that names the same image stays as it is."""
    play_docker(tmp_path, monkeypatch, f'printf "%s\\n" "$@" > {tmp_path}/words')

    assert main(["build", *words, "."]) == 0

    engine_name = CACHE.replace(
        "000000000000.dkr.ecr.eu-west-1.amazonaws.com",
        f"localhost:4566/sink-{sandbox_id(tmp_path)}/000000000000/eu-west-1",
    )
    assert (tmp_path / "words").read_text().splitlines()[-2] == inner.format(engine_name)


def test_a_reader_that_has_seen_enough_ends_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `docker logs task | head` does without anything between."""
    play_docker(tmp_path, monkeypatch, "exec yes line")
    module = "sink_sandbox.docker_cli.engine.command"
    process = subprocess.Popen(
        [sys.executable, "-m", "sink_sandbox.shim", module, "logs", "task"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"line\n"
        process.stdout.close()
        process.wait(60)
        assert (process.returncode, process.stderr.read()) == (128 + signal.SIGPIPE, b"")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
