"""The `docker` of a build with an engine: the registry's names in, the registry's names out."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from sink_sandbox.client import lifecycle
from sink_sandbox.containers.docker.names import sandbox_id
from tests.clients import registry_password

HOST = "000000000000.dkr.ecr.eu-west-1.amazonaws.com"
INNER = "/sink-"
"""What no output may show: the engine's own name of an image."""


class Shell:
    """The environment of a build in one sandbox."""

    def __init__(self, sandbox: lifecycle.Sandbox, home: Path) -> None:
        self.sandbox = sandbox
        self.id = sandbox_id(sandbox.state_dir)
        self.home = home
        self.environment = {
            "PATH": f"{sandbox.state_dir}/docker/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "DOCKER_CONFIG": str(home / ".docker"),
        }

    def docker(self, *words: str, code: int = 0, stdin: str = "") -> str:
        """Run a command and return all that it said."""
        done = subprocess.run(
            ["docker", *words],
            env=self.environment,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=self.home,
        )
        assert done.returncode == code, done.stdout
        assert INNER not in done.stdout, done.stdout
        return done.stdout.strip()

    def client(self, service: str, region: str = "eu-west-1") -> Any:
        return boto3.client(
            service,
            endpoint_url=self.sandbox.endpoint_url,
            region_name=region,
            aws_access_key_id="000000000000",
            aws_secret_access_key=self.sandbox.secret,
        )

    def log_in(self, host: str = HOST) -> None:
        """Sign in as a buildspec does."""
        token = registry_password(self.sandbox, host.split(".")[3])
        self.docker("login", "--username", "AWS", "--password-stdin", host, stdin=token)


@pytest.fixture(scope="module")
def make_shell(
    tmp_path_factory: pytest.TempPathFactory, start_sandbox: Callable[[str], lifecycle.Sandbox]
) -> Callable[[str], Shell]:
    """A function that starts a sandbox with an engine and returns a build's shell in it."""
    return lambda name: Shell(start_sandbox(name), tmp_path_factory.mktemp(f"home-{name}"))


@pytest.fixture(scope="module")
def shell(make_shell: Callable[[str], Shell]) -> Shell:
    """A build's shell, signed in, with two repositories."""
    shell = make_shell("first")
    for name in ("app-stage", "app-uat"):
        shell.client("ecr").create_repository(repositoryName=name)
    shell.log_in()
    return shell


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A folder to build, with a line of its own in its image."""
    (tmp_path / "Dockerfile").write_text(
        f"ARG FROM=local/python:3.13\nFROM ${{FROM}}\nRUN echo {tmp_path.name} > /built\n"
    )
    return tmp_path


def build(shell: Shell, context: Path, name: str, *options: str) -> str:
    return shell.docker("build", "--provenance=false", "-t", name, *options, str(context))


def test_an_image_is_built_pushed_and_described_under_one_name(shell: Shell, context: Path) -> None:
    """The digest that push says, ECR has and inspect tells is one."""
    name = f"{HOST}/app-stage:one"
    said = build(shell, context, name, "--label", f"base={HOST}/base:1")
    assert name in said
    pushed = shell.docker("push", name)

    image = shell.client("ecr").describe_images(repositoryName="app-stage", imageIds=[{"imageTag": "one"}])[
        "imageDetails"
    ][0]
    assert f"one: digest: {image['imageDigest']}" in pushed
    described = json.loads(shell.docker("inspect", name))[0]
    assert described["RepoDigests"] == [f"{HOST}/app-stage@{image['imageDigest']}"]
    assert name in described["RepoTags"]
    assert described["Config"]["Labels"]["base"] == f"{HOST}/base:1"
    template = "{{index .RepoDigests 0}}"
    assert shell.docker("inspect", "--format", template, name) == described["RepoDigests"][0]


def test_a_cache_that_is_not_there_fails_no_build(shell: Shell, context: Path) -> None:
    """It may be deleted between a build's look for it and its use."""
    said = build(shell, context, f"{HOST}/app-stage:uncached", "--cache-from", f"{HOST}/app-stage:cache-0")

    assert f"{HOST}/app-stage:cache-0: not found" in said


def test_a_build_starts_from_an_image_of_the_registry(shell: Shell, context: Path, tmp_path: Path) -> None:
    """By build argument with a digest, and by a name in the Dockerfile itself, with its own ignored files."""
    name = f"{HOST}/app-stage:base"
    build(shell, context, name)
    shell.docker("push", name)
    digest = json.loads(shell.docker("inspect", name))[0]["RepoDigests"][0]
    by_argument, by_name = tmp_path / "argument", tmp_path / "name"
    for folder in (by_argument, by_name):
        folder.mkdir()
    (by_argument / "Dockerfile").write_text("ARG FROM\nFROM ${FROM}\nRUN grep -q . /built\n")
    (by_name / "Dockerfile").write_text(
        f"FROM {name} AS first\nFROM local/python:3.13\nCOPY --from={digest} /built /copy\nCOPY . /here/\n"
    )
    (by_name / "Dockerfile.dockerignore").write_text("secret\n")
    (by_name / "secret").write_text("x")
    (by_name / "public").write_text("x")

    build(shell, by_argument, f"{HOST}/app-stage:argument", "--build-arg", f"FROM={digest}")
    build(shell, by_name, f"{HOST}/app-stage:name")

    listed = shell.docker("run", "--rm", f"{HOST}/app-stage:name", "ls", "/here", "/copy")
    assert "public" in listed
    assert "secret" not in listed


def test_an_image_is_promoted_to_another_repository_by_its_digest(shell: Shell, context: Path) -> None:
    """Pull by digest, tag, push: the digest stays, and ECR has it in both."""
    name = f"{HOST}/app-stage:release"
    build(shell, context, name)
    shell.docker("push", name)
    digest = json.loads(shell.docker("inspect", name))[0]["RepoDigests"][0].partition("@")[2]
    shell.docker("rmi", name)

    shell.docker("pull", f"{HOST}/app-stage@{digest}")
    shell.docker("tag", f"{HOST}/app-stage@{digest}", f"{HOST}/app-uat:release")
    pushed = shell.docker("push", f"{HOST}/app-uat:release")

    assert f"release: digest: {digest}" in pushed
    found = shell.client("ecr").describe_images(repositoryName="app-uat")["imageDetails"]
    assert [image["imageDigest"] for image in found] == [digest]
    names = json.loads(shell.docker("inspect", f"{HOST}/app-uat:release"))[0]["RepoDigests"]
    assert names[0] == f"{HOST}/app-uat@{digest}"


def test_what_a_container_says_is_its_own(shell: Shell, context: Path) -> None:
    """Byte for byte, with its exit code; the environment goes in by name."""
    name = f"{HOST}/app-stage:run"
    build(shell, context, name)
    shell.environment["VALUE"] = 'it\'s "$x"'

    said = shell.docker("run", "--rm", "-e", "VALUE", name, "sh", "-c", 'printf %s "$VALUE"')
    assert said == shell.environment.pop("VALUE")
    shell.docker("run", "--rm", name, "sh", "-c", "exit 9", code=9)


def test_without_a_login_nothing_goes_in_or_out(make_shell: Any, context: Path) -> None:
    shell = make_shell("stranger")
    shell.client("ecr").create_repository(repositoryName="app-stage")
    name = f"{HOST}/app-stage:one"
    build(shell, context, name)

    said = shell.docker("push", name, code=1)
    assert f"docker: {HOST}: no basic auth credentials." in said
    assert "no basic auth credentials" in shell.docker("pull", name, code=1)


def test_a_repository_that_does_not_exist_is_said_by_its_name(shell: Shell, context: Path) -> None:
    name = f"{HOST}/nobody-s:one"
    build(shell, context, name)

    assert "nobody-s" in shell.docker("push", name, code=1)


def test_regions_are_apart(shell: Shell, context: Path) -> None:
    """One repository's name in two regions: the name says which."""
    there = HOST.replace("eu-west-1", "us-east-1")
    shell.client("ecr", "us-east-1").create_repository(repositoryName="app-stage")
    shell.log_in(there)
    build(shell, context, f"{there}/app-stage:far")
    shell.docker("push", f"{there}/app-stage:far")

    assert shell.client("ecr", "us-east-1").list_images(repositoryName="app-stage")["imageIds"]
    tags = shell.client("ecr").list_images(repositoryName="app-stage")["imageIds"]
    assert "far" not in {image.get("imageTag") for image in tags}


def test_an_attestation_needs_buildx(shell: Shell, context: Path, engine: Any) -> None:
    """Asking for none is what every docker does; asking for one is refused where it cannot be made."""
    name = f"the-sink-test-local-{os.getpid()}"  # another run's on this engine has its own
    build(shell, context, name, "--sbom", "false", "--load")
    if not engine.found.has_buildx:
        said = shell.docker("build", "--provenance=true", str(context), code=1)
        assert "--provenance asks for an attestation, and this docker has no buildx." in said
    engine.run("rmi", name)


def test_two_sandboxes_do_not_see_each_other(
    shell: Shell, make_shell: Any, context: Path, engine: Any
) -> None:
    """The same bytes under the same name in both: each has its own, and goes with its own."""
    other = make_shell("second")
    other.client("ecr").create_repository(repositoryName="app-stage")
    other.log_in()
    name, foreign = f"{HOST}/app-stage:both", f"{HOST}/app-stage:other"
    build(shell, context, name)
    shell.docker("push", name)
    build(other, context, foreign)
    other.docker("push", foreign)

    build(other, context, foreign, "--label", "again=yes")  # the first loses its name

    assert json.loads(shell.docker("inspect", name))[0]["RepoTags"] == [name]
    assert "other" not in shell.docker("images", f"{HOST}/app-stage")
    assert "both" not in other.docker("images", "--format", "{{.Repository}}:{{.Tag}}")
    assert other.docker("pull", name, code=1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(other.sandbox.state_dir.parent.parent))
        lifecycle.reset("second")
    assert engine.image_names(other.id) == []
    shell.docker("run", "--rm", name, "true")


def test_an_engine_that_has_gone_is_said_by_docker_itself(shell: Shell) -> None:
    """The command keeps to the engine that the sandbox was started with."""
    program = shell.sandbox.state_dir / "docker" / "bin" / "docker"
    text = program.read_text().replace("unix:///var/run/docker.sock", "unix:///nowhere/docker.sock")
    if os.environ.get("DOCKER_HOST"):
        text = text.replace(os.environ["DOCKER_HOST"], "unix:///nowhere/docker.sock")
    copy = shell.home / "bin" / "docker"
    copy.parent.mkdir()
    copy.write_text(text)
    copy.chmod(0o755)

    done = subprocess.run([str(copy), "images"], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "Cannot connect to the Docker daemon" in done.stderr


def test_a_build_starts_from_an_image_that_was_not_pushed(
    shell: Shell, context: Path, tmp_path: Path
) -> None:
    """As the delivery `image` adds its .env: uncached, readable by the service's user alone."""
    name = f"{HOST}/app-stage:unpushed"
    build(shell, context, name)
    folder = tmp_path / "env"
    folder.mkdir()
    (folder / "Dockerfile").write_text(
        "ARG FROM\nFROM ${FROM}\nRUN --mount=type=secret,id=env,required=true,mode=0444 "
        "install -D -m 0400 -o 1000 /run/secrets/env /app/.env\n"
    )
    env = tmp_path / ".env"
    env.write_text('A="b"\n')
    env.chmod(0o400)
    given = ("--no-cache", "--secret", f"id=env,src={env}", "--build-arg", f"FROM={name}")

    build(shell, folder, name, *given)

    assert shell.docker("run", "--rm", name, "stat", "-c", "%a %u", "/app/.env") == "400 1000"
    assert not shell.docker("run", "--rm", name, "find", "/run/secrets", "-type", "f")
