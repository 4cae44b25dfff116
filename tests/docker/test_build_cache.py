"""The build of a release on hosts that have just been made, with nothing but the registry's cache."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from sink_host.docker_engine import FoundEngine
from sink_sandbox.authentication.registry_token import make_root_token
from sink_sandbox.client import lifecycle
from sink_sandbox.containers.docker.names import Names, sandbox_id
from sink_sandbox.docker_cli.engine.install import VARIABLES, install_docker_command
from sink_sandbox.docker_cli.engine.login import write_login
from sink_sandbox.services.codebuild.buildspec import parse_buildspec
from tests.docker.fresh_engine import fresh_engine, why_not
from the_sink.local.sink_build import pack_sink_build
from the_sink.local.template_locks import lock_path
from the_sink.naming import SINK_BUILD

CHECKOUT = Path(__file__).resolve().parents[2]
REGION, ACCOUNT = "eu-west-1", "000000000000"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
BUCKET = "the-sink-platform-pipelinebucket"
RUNTIMES, APP = "the-sink-python-runtime", "hello-sink-stage"
MARKER = "marker-4711-of-the-secret"


class Pipeline:
    """The sandbox's registry and secret, and an app's sources; a build runs on any engine."""

    def __init__(self, sandbox: lifecycle.Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.names = Names(sandbox.port, sandbox_id(sandbox.state_dir))
        self.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        program = pack_sink_build(CHECKOUT / SINK_BUILD.source, "1.0.0")
        self.client("s3").put_object(Bucket=BUCKET, Key=SINK_BUILD.channel_key(1, "stage"), Body=program)
        for name in (RUNTIMES, APP):
            self.client("ecr").create_repository(repositoryName=name)
        self.client("secretsmanager").create_secret(
            Name="hello-sink-stage-secret-core", SecretString=json.dumps({"MARKER": MARKER})
        )
        shutil.copytree(CHECKOUT / "template/aws", folder / "aws", ignore=shutil.ignore_patterns("*.jinja"))
        (folder / "aws/cfn-template-configuration-stage.json").write_text('{"Parameters": {}}')
        (folder / "app/src").mkdir(parents=True)
        (folder / "app/Procfile").write_text("web: python -m http.server\n")
        shutil.copy(CHECKOUT / lock_path("flask", "none"), folder / "app/requirements.lock")

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.sandbox.endpoint_url,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key=self.sandbox.secret,
        )

    def release(self, commit: str) -> None:
        """Another line of source, another commit."""
        (self.folder / "app/src/main.py").write_text(f"COMMIT = {commit!r}\n")
        (self.folder / "release.json").write_text(json.dumps({"commit": commit}))

    def build(self, host: FoundEngine) -> str:
        """Run the buildspec's commands on a host; return their log."""
        spec = parse_buildspec((self.folder / "aws/buildspec.yaml").read_text())
        commands = [
            command for phase in spec.phases for command in (*phase.commands, *phase.finally_commands)
        ]
        bin_folder = install_docker_command(self.sandbox.state_dir, self.sandbox.endpoint_url, host)
        home = self.folder.with_name(f"home-{Path(host.host).parent.name}")
        home.mkdir()
        environment = {
            **{name: value for name, value in os.environ.items() if name not in VARIABLES},
            "PATH": os.pathsep.join([str(bin_folder), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(home),
            "DOCKER_CONFIG": str(home / ".docker"),
            "AWS_ENDPOINT_URL": self.sandbox.endpoint_url,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": self.sandbox.secret,
            "AWS_REGION": REGION,
            "AWS_ACCOUNT_ID": ACCOUNT,
            "APP_NAME": "hello-sink",
            "APP_ENV": "stage",
            "PLATFORM_ECR_REPOSITORY": RUNTIMES,
            "RUNTIME_VERSION": "3.13",
            "ECR_REPOSITORY": APP,
            "ECR_TAG": "latest",
            "SECRETS_DELIVERY": "image",
            "PLATFORM_BUCKET": BUCKET,
            "SINK_BUILD_KEY": SINK_BUILD.channel_key(1, "stage"),
        }
        done = subprocess.run(
            ["sh", "-c", "\n".join(["set -eu", *commands])],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def images(self) -> dict[str, dict[str, Any]]:
        """The manifests in the app's repository, by tag."""
        ecr = self.client("ecr")
        manifests = {}
        for image in ecr.describe_images(repositoryName=APP)["imageDetails"]:
            wanted = [{"imageDigest": image["imageDigest"]}]
            found = ecr.batch_get_image(repositoryName=APP, imageIds=wanted)["images"][0]
            manifests |= dict.fromkeys(image["imageTags"], json.loads(found["imageManifest"]))
        return manifests

    def holds_marker(self, digest: str) -> bool:
        """Whether the value of the secret stands in a layer; its files follow one another as they are."""
        blob = (self.sandbox.state_dir / "registry/sha256" / digest.removeprefix("sha256:")).read_bytes()
        return MARKER.encode() in gzip.decompress(blob)


@pytest.fixture(scope="module")
def pipeline(
    tmp_path_factory: pytest.TempPathFactory, free_port: Any, engine: Any, base_image: Any
) -> Iterator[Pipeline]:
    """A registry with a runtime, and an app whose secret is delivered in its image."""
    if reason := why_not():
        assert not os.environ.get("CI"), reason  # .ci/run brings all that it takes: there nothing is left out
        pytest.skip(f"A fresh build host cannot be played here: {reason}.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        sandbox = lifecycle.start("cache", port=free_port(), compute="processes")
        try:
            pipeline = Pipeline(sandbox, tmp_path_factory.mktemp("release"))
            runtime = f"{pipeline.names.to_engine(REGISTRY)}/{RUNTIMES}:3.13"
            folder = CHECKOUT / "runtimes/python"
            base = f"BASE={base_image('3.13')}"
            dockerfile = str(folder / "3.13.Dockerfile")
            engine.run(
                *("build", "--network", "host", "--build-arg", base, "-f", dockerfile),
                *("-t", runtime, str(folder)),
            )
            configuration = tmp_path_factory.mktemp("docker")
            write_login(configuration, f"localhost:{sandbox.port}", make_root_token(sandbox.state_dir))
            engine.run("--config", str(configuration), "push", runtime)
            engine.run("rmi", runtime)
            yield pipeline
        finally:
            lifecycle.stop("cache")
            lifecycle.reset("cache")  # its images would stay in the engine


@pytest.fixture(scope="module")
def logs(pipeline: Pipeline, engine: Any) -> list[str]:
    """The logs of three releases with the same dependencies, each built on a host of its own."""
    said = []
    for number in range(3):
        pipeline.release(f"{number}" * 40)
        with fresh_engine(engine.found) as host:
            said.append(pipeline.build(host))
    return said


def test_a_source_change_installs_nothing_on_hosts_that_have_only_the_registry(
    pipeline: Pipeline, logs: list[str]
) -> None:
    """Two in a row: a cache that is written again from itself is known to help every second time only."""
    first, *later = logs
    assert "Installed " in first
    for log in later:
        steps = log.splitlines()
        installs = next(line.split()[0] for line in steps if line.endswith("RUN app-init dependencies"))
        assert f"{installs} CACHED" in steps
        assert "Installed " not in log

    images = pipeline.images()
    releases = [manifest for tag, manifest in images.items() if tag[0].isdigit()]
    (cache,) = [manifest for tag, manifest in images.items() if tag.startswith("cache-")]
    assert len(releases) == 3
    shared = {layer["digest"] for layer in cache["layers"]}
    for release in releases:
        own = [layer for layer in release["layers"] if layer["digest"] not in shared]
        assert sum(layer["size"] for layer in own) < 100_000, "the dependencies are uploaded once"


def test_the_cache_holds_no_secret_that_the_image_holds(pipeline: Pipeline, logs: list[str]) -> None:
    """In the delivery "image" the value is in the release's last layer, and nowhere in the cache."""
    images = pipeline.images()
    (cache,) = [manifest for tag, manifest in images.items() if tag.startswith("cache-")]
    release = next(manifest for tag, manifest in images.items() if tag.startswith("1"))
    config = pipeline.sandbox.state_dir / "registry/sha256" / cache["config"]["digest"].partition(":")[2]

    assert "moby.buildkit.cache.v0" in json.loads(config.read_text())
    assert MARKER not in config.read_text()
    *before, last = [pipeline.holds_marker(layer["digest"]) for layer in release["layers"]]
    assert last
    assert not any(before)
    assert not any(pipeline.holds_marker(layer["digest"]) for layer in cache["layers"])
