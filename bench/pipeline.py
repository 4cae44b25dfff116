"""A warm pipeline of a generated app, from its start to its success, against the work without a pipeline.

The work that nobody can avoid, done by hand in the same run: the app's locked dependencies go into a fresh
environment (the package cache is warm) and the app is started by container-init until it answers, once
for Build's look at its image and once for the new task. The pipeline itself has Build, Admit, CloudFormation,
UpdateService and Record, and is measured by its own clock; the whole ``invoke deploy`` is printed too.
Bound: 10 s where processes play the containers, 15 s with a Docker Engine.

What it costs that the sandbox verifies each request (signatures, tokens, hashes) is told by the sandbox
itself and set beside the whole ``invoke deploy``. Bound: 3 %.

The half with an engine builds its runtime from an image that the engine has, local/python:3.13 or the one
named by THE_SINK_BASE_IMAGE: what a registry takes to answer is nothing to measure. An engine without one
fails the bench; without an engine that half is left out, and says so.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sink_sandbox
from demo.journey import Journey, free_port
from sink_host import uv
from sink_host.docker_engine import EngineUnavailable, find_engine
from sink_sandbox.client import lifecycle
from sink_sandbox.server.clients import Clients
from the_sink.local import app_environment, serving

CHECKOUT = Path(__file__).resolve().parents[1]
BOUNDS_SECONDS = {"processes": 10, "docker": 15}
VERIFYING_BOUND = 0.03
ROUNDS = 3
RUNTIME = "3.13"
"""That of the walk."""
BASE_IMAGE = os.environ.setdefault("THE_SINK_BASE_IMAGE", "local/python:{version}")
"""The walk's commands read it there."""


class Quiet(Journey):
    """The README's walk without its words; what went wrong is shown."""

    def run(self, command: Sequence[str], cwd: Path) -> None:
        """Run a command and say what it said only if it failed."""
        done = subprocess.run(
            command, cwd=cwd, env=self.environment, check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")

    def change(self, number: int) -> None:
        """Commit another line of the app's source."""
        source = next((self.app / "app" / "src").glob("*/main.py"))
        source.write_text(f"{source.read_text()}\n# Release {number}.\n")
        self.commit(f"Release {number}")


@contextlib.contextmanager
def deployed(compute: str) -> Iterator[tuple[Quiet, Clients]]:
    """An app whose first release serves in a sandbox of its own, and the sandbox's clients."""
    with tempfile.TemporaryDirectory(prefix="the-sink-bench-") as scratch:
        os.environ["XDG_STATE_HOME"] = str(Path(scratch, "state"))
        walk = Quiet(CHECKOUT, Path(scratch, "walk"), "bench", say=lambda _line: None)
        port = free_port()
        try:
            walk.run(["invoke", "sandbox.start", "--port", str(port), "--compute", compute], CHECKOUT)
            walk.publish_platform()
            walk.generate_app()
            walk.bootstrap("stage")
            walk.deploy("stage")
            sandbox = lifecycle.require("bench")
            yield walk, Clients(sandbox.endpoint_url, sandbox.secret)
        finally:
            walk.run(["invoke", "sandbox.stop"], CHECKOUT)


def pipeline_seconds(clients: Clients, region: str = "eu-west-1") -> float:
    """Return how long the newest execution of the app's pipeline took by the pipeline's own clock."""
    found: Any = clients.get("codepipeline", region).list_pipeline_executions(
        pipelineName="hello-sink-stage-pipeline", maxResults=1
    )
    newest = found["pipelineExecutionSummaries"][0]
    assert newest["status"] == "Succeeded", newest
    return float((newest["lastUpdateTime"] - newest["startTime"]).total_seconds())


def verification() -> tuple[float, float]:
    """Return how many requests the bench's sandbox has verified, and the seconds that took."""
    told = sink_sandbox.status("bench")["verification"]
    return told["requests"], told["seconds"]


def seconds_by_hand(app: Path, folder: Path) -> float:
    """Install the app's lock into a fresh environment and start it twice until it answers."""
    environment = folder / "venv"
    web = app_environment.read_procfile(app)["web"]
    begin = time.perf_counter()
    uv.make_environment(environment, Path(sys.executable))
    uv.install_locked(environment, app / "app" / "requirements.lock")
    for _ in range(2):
        port = free_port()
        variables, _reloads = serving.serving_variables(app, environment, port, web)
        variables = {name: value for name, value in variables.items() if "RELOAD" not in name}
        python = str(environment / "bin" / "python")
        server = subprocess.Popen(
            [python, str(serving.container_init())],
            cwd=app / "app",
            env=variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until_healthy(port, server)
        finally:
            server.terminate()
            server.wait()
    return time.perf_counter() - begin


def wait_until_healthy(port: int, server: subprocess.Popen[bytes]) -> None:
    """Ask /health twenty times a second until it is there."""
    while True:
        assert server.poll() is None, "the app ended instead of serving"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.suppress(OSError):
            connection.request("GET", "/health")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        connection.close()
        time.sleep(0.05)


def measurable() -> Iterator[str]:
    """Yield each compute that can be measured here, and say which is not there.

    Raises:
        SystemExit: there is an engine, and it has no image to build the runtime from.
    """
    yield "processes"
    try:
        engine = find_engine()
    except EngineUnavailable as error:
        print(f"docker: no engine here ({error.message})")
        return
    image = BASE_IMAGE.replace("{version}", RUNTIME)
    asked = subprocess.run(
        [engine.command, "image", "inspect", image],
        env={**os.environ, "DOCKER_HOST": engine.host},
        check=False,
        capture_output=True,
    )
    if asked.returncode:
        raise SystemExit(
            f"docker: the engine has no image {image} to build the runtime from. Make local/python:{RUNTIME} "
            f"with tests/docker/base_image.sh {RUNTIME} trixie, or name another one with THE_SINK_BASE_IMAGE."
        )
    yield "docker"


def main() -> int:
    """Print pipelines, deploys, the baseline and their ratio; 1 if a bound is broken."""
    broken = False
    for compute in measurable():
        bound = BOUNDS_SECONDS[compute]
        with deployed(compute) as (walk, clients), tempfile.TemporaryDirectory() as scratch:
            seconds_by_hand(walk.app, Path(scratch))  # fills the package cache
            rounds = []
            for number in range(ROUNDS):
                baseline = seconds_by_hand(walk.app, Path(scratch))
                walk.change(number)
                requests, verifying = verification()
                begin = time.perf_counter()
                walk.deploy("stage")
                whole = time.perf_counter() - begin
                verified = tuple(a - b for a, b in zip(verification(), (requests, verifying), strict=True))
                rounds.append((baseline, pipeline_seconds(clients), whole, *verified))
        columns = (statistics.median(column) for column in zip(*rounds, strict=True))
        baseline, ours, whole, requests, verifying = columns
        print(f"{compute}: install and start twice by hand:   {baseline:5.1f} s (median of {ROUNDS})")
        print(f"{compute}: the whole pipeline, warm:          {ours:5.1f} s, at most {bound} s")
        print(f"{compute}: the command invoke deploy:         {whole:5.1f} s")
        print(f"{compute}: ratio {ours / baseline:.2f}")
        print(
            f"{compute}: signatures verified:                {1000 * verifying:5.0f} ms of it for "
            f"{requests:.0f} requests, ratio {verifying / whole:.4f}, at most {VERIFYING_BOUND}"
        )
        broken = broken or ours > bound or verifying > VERIFYING_BOUND * whole
    return int(broken)


if __name__ == "__main__":
    raise SystemExit(main())
