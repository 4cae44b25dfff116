"""What the build of a release costs, against the legacy platform's way in the same run.

That way is a Dockerfile which copies everything and then has pip install the app, so that every change of a
source installs every dependency. Both build the same app FROM the same runtime with the same versions of the
same packages, in turns on the same hosts: engines that have just been started on a disk of their own and hold
the runtime's image and nothing else, as a build host of CodeBuild does after its first pull. What is timed is
`docker build` alone; the package registries are as near to both, and neither has a package cache. The images'
registry is the sandbox's, on this machine; ECR is as near to CodeBuild as a network lets it be. Bounds:

- cold, with no cache at all: twice as fast
- on a fresh host that has only the registry's cache, after a one-line change of a source: three times
- on the same host, after such a change: twenty times
- the image is no larger than runtime, dependencies (installed with bytecode) and source, plus 5 %

A fresh host is a second dockerd on a mounted file, which needs root; where it cannot be played nothing is
measured, and that is said.
The runtime is built on local/python:3.13, or on what THE_SINK_BASE_IMAGE names.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3

from demo.journey import free_port
from sink_host.docker_engine import EngineUnavailable, FoundEngine, find_engine
from sink_sandbox.authentication.registry_token import make_root_token
from sink_sandbox.client import lifecycle
from sink_sandbox.containers.docker.names import Names, sandbox_id
from sink_sandbox.docker_cli.engine.login import write_login

CHECKOUT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT))

from tests.docker.fresh_disk import DiskUnavailable, fresh_disk  # noqa: E402 - its folder is found only now
from tests.docker.fresh_engine import fresh_engine, why_not  # noqa: E402

ROUNDS = 3
BOUNDS = {"cold": 2, "fresh host": 3, "warm": 20}
BOUND_SIZE = 1.05
RUNTIME = "3.13"
BASE_IMAGE = os.environ.get("THE_SINK_BASE_IMAGE", "local/python:{version}").replace("{version}", RUNTIME)
PACKAGES = """\
flask>=3,<4
sqlalchemy>=2,<3
gunicorn
marshmallow
requests
alembic
boto3
click
flask-cors
flask-migrate
flask-sqlalchemy
marshmallow-sqlalchemy
psycopg[binary]
pydantic
pyjwt
python-dotenv
redis
tenacity
"""
EARLIER = """\
ARG FROM
FROM ${FROM}
USER root
COPY . /app/
RUN pip install --no-cache-dir --root-user-action=ignore /app/app
USER app
"""
MODULES = 40


class Host:
    """An engine and how one builds there."""

    def __init__(self, engine: FoundEngine, runtime: str) -> None:
        self._engine = engine
        self._runtime = runtime

    def run(self, *words: str) -> str:
        """Run a command of docker's and return what it said.

        Raises:
            SystemExit: it failed; with what it said.
        """
        env = {**os.environ, "DOCKER_HOST": self._engine.host}
        if not self._engine.has_buildx:
            env["DOCKER_BUILDKIT"] = "1"
        done = subprocess.run(
            [self._engine.command, *words],
            env=env,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"docker {' '.join(words)} failed:\n{done.stdout}")
        return done.stdout.strip()

    def build(self, folder: Path, tag: str, *options: str) -> float:
        """Build what is in a folder and return the seconds that it took."""
        attestation = ["--provenance=false"] if self._engine.has_buildx else []
        begin = time.perf_counter()
        self.run(
            *("build", "--network", "host", *attestation, "--build-arg", f"FROM={self._runtime}"),
            *("-f", str(folder / "aws/Dockerfile"), "-t", tag, *options, str(folder)),
        )
        return time.perf_counter() - begin

    def size(self, image: str) -> int:
        """Return how many bytes an image's files have."""
        return int(self.run("image", "inspect", "--format", "{{.Size}}", image))

    def size_of_dependencies(self, lock: Path) -> int:
        """Return the bytes of what a lock names, installed with bytecode into a folder of the runtime."""
        install = (
            "uv pip install --quiet --no-cache --compile-bytecode --require-hashes --python python3"
            " --target /tmp/packages --requirement /tmp/lock && du -sb /tmp/packages"
        )
        mount = f"{lock}:/tmp/lock:ro"
        said = self.run("run", "--rm", "--network", "host", "-v", mount, self._runtime, "sh", "-c", install)
        return int(said.splitlines()[-1].split()[0])


def write_apps(folder: Path) -> tuple[Path, Path]:
    """Write one app twice, ready for either way; return the folder of the earlier and of ours."""
    earlier, ours = folder / "earlier", folder / "ours"
    (folder / "requirements.in").write_text(PACKAGES)
    lock = folder / "requirements.lock"
    subprocess.run(
        [
            *(str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet", "--universal"),
            *("--generate-hashes", "--python-version", RUNTIME, "--no-header", "--no-annotate"),
            *("--output-file", str(lock), str(folder / "requirements.in")),
        ],
        check=True,
    )
    for app in (earlier, ours):
        source = app / "app/src/shop"
        source.mkdir(parents=True)
        (app / "aws").mkdir()
        (source / "__init__.py").touch()
        for number in range(MODULES):
            (source / f"part{number}.py").write_text(f"def part{number}():\n    return {number}\n")
        (source / "main.py").write_text('import flask\n\napp = flask.Flask("shop")\n')
        (app / "app/Procfile").write_text("web: gunicorn shop.main:app\n")
        (app / "release.json").write_text(json.dumps({"commit": "0" * 40}))
    (earlier / "aws/Dockerfile").write_text(EARLIER)
    pins = re.findall(r"^([^\s#]+==[^\s\\]+(?: ; [^\\\n]+)?)", lock.read_text(), re.MULTILINE)
    (earlier / "app/pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        f'[project]\nname = "shop"\nversion = "1"\ndependencies = {json.dumps(pins)}\n'
    )
    (ours / "aws/Dockerfile").write_bytes((CHECKOUT / "template/aws/Dockerfile").read_bytes())
    (ours / "app/requirements.lock").write_bytes(lock.read_bytes())
    return earlier, ours


def change(app: Path, commit: str) -> None:
    """Add one line to a source, as a commit of its own."""
    with (app / "app/src/shop/main.py").open("a") as source:
        source.write(f"# Release {commit}.\n")
    (app / "release.json").write_text(json.dumps({"commit": commit}))


def rebuild(host: Host, app: Path, number: int, times: int) -> float:
    """Return the median seconds of several builds, each after a change of a line.

    Of builds that take half a second it takes more, because whatever else this machine does shows in them.
    """
    took = []
    for again in range(times):
        change(app, f"{number}.{again}")
        took.append(host.build(app, app.name))
    return statistics.median(took)


@contextmanager
def registry(folder: Path, engine: FoundEngine) -> Iterator[str]:
    """Yield what an image's name begins with in the registry of a sandbox of this bench's own."""
    os.environ["XDG_STATE_HOME"] = str(folder)
    sandbox = lifecycle.start("bench", port=free_port(), compute="processes")
    try:
        ecr = boto3.client(
            "ecr",
            endpoint_url=sandbox.endpoint_url,
            region_name="eu-west-1",
            aws_access_key_id=lifecycle.ACCOUNT_ID,
            aws_secret_access_key=sandbox.secret,
        )
        for name in ("runtime", "app"):
            ecr.create_repository(repositoryName=name)
        names = Names(sandbox.port, sandbox_id(sandbox.state_dir))
        configuration = folder / "docker"
        os.environ["DOCKER_CONFIG"] = str(configuration)  # the user's own learns of no registry that is gone
        write_login(configuration, f"localhost:{sandbox.port}", make_root_token(sandbox.state_dir))
        if engine.plugins:
            (configuration / "cli-plugins").symlink_to(engine.plugins)
        yield names.to_engine(f"{lifecycle.ACCOUNT_ID}.dkr.ecr.eu-west-1.amazonaws.com")
    finally:
        lifecycle.stop("bench")


def publish_runtime(engine: FoundEngine, runtime: str) -> None:
    """Build the runtime with the machine's own engine and push it; nothing of it stays there.

    Raises:
        SystemExit: the engine has no image to build it from.
    """
    machine = Host(engine, BASE_IMAGE)
    if not machine.run("images", "--quiet", BASE_IMAGE):
        raise SystemExit(
            f"The engine has no image {BASE_IMAGE} to build the runtime from. Make local/python:{RUNTIME} "
            f"with tests/docker/base_image.sh {RUNTIME} trixie, or name another one with THE_SINK_BASE_IMAGE."
        )
    folder = CHECKOUT / "runtimes/python"
    machine.run(
        *("build", "--network", "host", "--build-arg", f"BASE={BASE_IMAGE}"),
        *("-f", str(folder / f"{RUNTIME}.Dockerfile"), "-t", runtime, str(folder)),
    )
    machine.run("push", runtime)
    machine.run("rmi", runtime)


def measure(engine: FoundEngine, scratch: Path) -> tuple[dict[str, list[tuple[float, float]]], float]:
    """Return seconds (the earlier way's, ours) by situation, and the image's size as a ratio."""
    earlier, ours = write_apps(scratch)
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in BOUNDS}
    with registry(scratch / "state", engine) as prefix:
        runtime, cache = f"{prefix}/runtime:{RUNTIME}", f"{prefix}/app:cache"
        publish_runtime(engine, runtime)
        for number in range(ROUNDS):
            with fresh_disk() as disk, fresh_engine(engine, disk) as found:
                host = Host(found, runtime)
                host.run("pull", runtime)
                # In turns, because the second finds in memory what the first had to read.
                pair = [(earlier, "earlier"), (ours, "ours")]
                took = {tag: host.build(app, tag) for app, tag in (pair[::-1] if number % 2 else pair)}
                seconds["cold"].append((took["earlier"], took["ours"]))
                seconds["warm"].append((rebuild(host, earlier, number, 1), rebuild(host, ours, number, 5)))
                if number == 0:
                    host.build(ours, cache, "--build-arg", "BUILDKIT_INLINE_CACHE=1")
                    host.run("push", cache)
                    lock = ours / "app/requirements.lock"
                    source = sum(file.stat().st_size for file in ours.rglob("*") if file.is_file())
                    parts = host.size(runtime) + host.size_of_dependencies(lock) + source
                    size = host.size("ours") / parts
            with fresh_disk() as disk, fresh_engine(engine, disk) as found:
                host = Host(found, runtime)
                host.run("pull", runtime)
                change(ours, f"{number} on a fresh host")
                seconds["fresh host"].append(
                    (host.build(earlier, "earlier"), host.build(ours, "ours", "--cache-from", cache))
                )
    return seconds, size


def main() -> int:
    """Print both ways' seconds and their ratio for each situation, and the size; 1 if a bound is broken."""
    try:
        engine = find_engine()
    except EngineUnavailable as error:
        print(f"not measured: no engine here ({error.message})")
        return 0
    try:
        if reason := why_not():
            raise DiskUnavailable(reason)
        with tempfile.TemporaryDirectory(prefix="the-sink-bench-") as scratch:
            seconds, size = measure(engine, Path(scratch))
    except DiskUnavailable as error:
        print(f"not measured: no fresh host can be played here ({error})")
        return 0
    broken = size > BOUND_SIZE
    for name, bound in BOUNDS.items():
        earlier, ours = (statistics.median(column) for column in zip(*seconds[name], strict=True))
        ratio = earlier / ours
        print(
            f"{name + ':':12} the earlier way {earlier:6.2f} s, ours {ours:6.2f} s (medians of {ROUNDS}), "
            f"{ratio:5.1f} times as fast, at least {bound}"
        )
        broken = broken or ratio < bound
    print(
        f"image:       {size:.3f} times its runtime, dependencies and source together, at most {BOUND_SIZE}"
    )
    return int(broken)


if __name__ == "__main__":
    raise SystemExit(main())
