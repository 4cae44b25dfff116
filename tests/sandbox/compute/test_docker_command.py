"""The ``docker`` that a build finds: what it does, what it says, what it refuses."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sink_sandbox.docker_cli.go_template import render_template
from sink_sandbox.docker_cli.process.command import main
from the_sink.errors import InputError

from .builds import Published
from .conftest import ACCOUNT, HOST, Docker, Emulator, eventually, open_docker, write_tree

TRAILER = re.compile(r"^(?P<tag>\S+): digest: (?P<digest>sha256:[0-9a-f]{64}) size: (?P<size>\d+)$")


def pushed_digest(said: str) -> str:
    match = TRAILER.fullmatch(said.strip().splitlines()[-1])
    assert match
    return match["digest"]


def test_build_push_pull_keep_the_digest(
    docker: Docker, fresh_docker: Docker, emulator: Emulator, runtime: str, app_tree: Path, repository: str
) -> None:
    image = f"{repository}:v1"
    docker.ok("build", "--provenance=false", "--build-arg", f"FROM={runtime}", "-t", image, str(app_tree))
    pushed = docker.ok("push", image)
    digest = pushed_digest(pushed)
    assert pushed.startswith(f"The push refers to repository [{repository}]\n")
    assert "Pushed" in pushed
    assert pushed_digest(docker.ok("push", image)) == digest
    assert "Layer already exists" in docker.ok("push", image)
    assert docker.ok("inspect", "--format", "{{index .RepoDigests 0}}", image) == f"{repository}@{digest}\n"

    name = repository.rpartition("/")[2]
    details = emulator.client("ecr").describe_images(repositoryName=name)["imageDetails"]
    assert [(each["imageDigest"], each["imageTags"]) for each in details] == [(digest, ["v1"])]

    fresh_docker.log_in()
    pulled = fresh_docker.ok("pull", image)
    assert f"Digest: {digest}\nStatus: Downloaded newer image for {image}\n{image}\n" in pulled
    assert "Image is up to date" in fresh_docker.ok("pull", f"{repository}@{digest}")
    for one in (docker, fresh_docker):
        assert one.ok("image", "inspect", "-f", "{{.Id}}", image) == docker.ok(
            "inspect", "-f", "{{.Id}}", image
        )


def test_an_image_goes_on_to_another_repository_as_it_is(
    fresh_docker: Docker, emulator: Emulator, app: str, repository: str
) -> None:
    """As a promotion does, on a build host that has never seen it: by digest, under the same tag."""
    ecr, name = emulator.client("ecr"), repository.rpartition("/")[2]
    source, tag = app.rsplit(":", 1)
    before = ecr.describe_images(repositoryName="app")["imageDetails"]
    (digest,) = (each["imageDigest"] for each in before if tag in each["imageTags"])
    fresh_docker.log_in()

    fresh_docker.ok("pull", f"{source}@{digest}")
    fresh_docker.ok("tag", f"{source}@{digest}", f"{repository}:{tag}")
    said = fresh_docker.ok("push", f"{repository}:{tag}")
    fresh_docker.ok("tag", f"{repository}:{tag}", f"{repository}:moving")
    fresh_docker.ok("push", f"{repository}:moving")

    assert pushed_digest(said) == digest
    (found,) = ecr.describe_images(repositoryName=name)["imageDetails"]
    assert (found["imageDigest"], sorted(found["imageTags"])) == (digest, ["moving", tag])
    assert ecr.describe_images(repositoryName="app")["imageDetails"] == before
    other = open_docker(emulator, fresh_docker.folder.parent / "other", fresh_docker.folder)
    other.log_in()
    assert f"Digest: {digest}" in other.ok("pull", f"{repository}@{digest}")
    assert other.ok("run", "--rm", f"{repository}@{digest}", "show", "app/version").startswith("one\n")


def test_base_comes_from_the_registry(
    fresh_docker: Docker, emulator: Emulator, runtime: str, app_tree: Path, published: Published
) -> None:
    """On a fresh build host, and again after the runtime's tag has moved on."""
    fresh_docker.log_in()
    build = ("build", "-q", "--build-arg", f"FROM={runtime}", "-t", "mine", str(app_tree))
    first = fresh_docker.ok(*build)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", first)
    labels = json.loads(fresh_docker.ok("inspect", "-f", "{{json .Config.Labels}}", "mine"))
    assert labels["the-sink.sandbox.base"] == "public.ecr.aws/docker/library/python:3.11-slim"

    other = open_docker(emulator, fresh_docker.folder.parent / "other", fresh_docker.folder)
    other.log_in()
    dockerfile = published.runtime_tree / "3.11.Dockerfile"
    moved = str(published.runtime_tree)
    other.ok("build", "--label", "moved=on", "-f", str(dockerfile), "-t", runtime, moved)
    try:
        other.ok("push", runtime)
        assert fresh_docker.ok(*build) != first
    finally:
        docker = open_docker(emulator, published.state_dir, fresh_docker.folder)
        docker.ok("push", runtime)
    assert fresh_docker.ok(*build) == first


@pytest.mark.parametrize("form", ["secret", "copy"])
def test_image_delivery_adds_a_layer_to_an_image_that_is_not_pushed(
    docker: Docker, repository: str, app: str, tmp_path: Path, form: str
) -> None:
    """The tag names the registry, but only this build host has it yet; apps of 1.0.0 copy their .env."""
    docker.ok("tag", app, f"{repository}:once")
    adding = {
        "secret": "RUN --mount=type=secret,id=env,required=true,mode=0444 "
        "install -m 0400 /run/secrets/env /app/.env\n",
        "copy": "COPY .env ./\n",
    }
    env = write_tree(tmp_path / "env", {".env": "A=1\n"}) / ".env"
    env.chmod(0o400)
    context = write_tree(tmp_path / "context", {"Dockerfile": f"ARG FROM\nFROM ${{FROM}}\n{adding[form]}"})
    if form == "copy":
        env.rename(context / ".env")
    given = ["--secret", f"id=env,src={env}"] * (form == "secret")
    image = f"{repository}:once"

    docker.ok("build", "--no-cache", *given, "-t", image, "--build-arg", f"FROM={image}", str(context))

    assert docker.ok("run", "--rm", image, "show", "app/.env").startswith("A=1\n")
    before, after = (
        json.loads(docker.ok("inspect", "-f", "{{json .RootFS.Layers}}", name)) for name in (app, image)
    )
    assert after[:-1] == before


@pytest.mark.parametrize("form", ["{}", "type=registry,ref={}"])
def test_a_cache_image_may_be_named_and_changes_nothing(
    docker: Docker, runtime: str, app_tree: Path, repository: str, form: str
) -> None:
    """Layers are found by what they are made of, whatever image a build for an engine would look into."""
    build = ("build", "--build-arg", f"FROM={runtime}", "-t", f"{repository}:with", str(app_tree))
    cache = form.format(f"{repository}:cache-0123456789abcdef")

    with_cache = docker.ok(*build, "--quiet", "--build-arg", "BUILDKIT_INLINE_CACHE=1", "--cache-from", cache)

    assert with_cache == docker.ok(*build, "--quiet")


def test_failure_of_the_registry_is_said_in_docker_s_words(
    docker: Docker, emulator: Emulator, app: str, repository: str
) -> None:
    docker.ok("tag", app, f"{HOST}/no-such-repository:x")
    said = docker.refused("push", f"{HOST}/no-such-repository:x")
    assert (
        "docker: name unknown: The repository with name 'no-such-repository' does not exist in the registry "
        f"with id '{ACCOUNT}'." in said
    )
    assert "manifest unknown" in docker.refused("pull", f"{repository}:nothing")
    emulator.client("ecr").put_image_tag_mutability(
        repositoryName=repository.rpartition("/")[2], imageTagMutability="IMMUTABLE"
    )
    docker.ok("tag", app, f"{repository}:fixed")
    docker.ok("push", f"{repository}:fixed")
    docker.ok("tag", f"{HOST}/runtime:3.11", f"{repository}:fixed")
    assert "tag invalid: tag 'fixed' is immutable" in docker.refused("push", f"{repository}:fixed")


def test_login_is_needed_and_forgotten(fresh_docker: Docker, app: str) -> None:
    assert f"{HOST}: no basic auth credentials." in fresh_docker.refused("pull", app)
    assert (
        fresh_docker.ok("login", "-u", "AWS", "--password-stdin", f"https://{HOST}", stdin="t")
        == "Login Succeeded\n"
    )
    fresh_docker.ok("pull", app)
    fresh_docker.ok("logout", HOST)
    assert "no basic auth credentials" in fresh_docker.refused("push", app)
    assert b"t\n" not in (fresh_docker.state_dir / "docker" / "logins.json").read_bytes()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["login", "--username", "AWS", HOST], "needs --username and --password-stdin"),
        (["login", "-p", "secret", "-u", "AWS", HOST], "docker login: the flag -p is not understood"),
        (["login", "-u", "me", "--password-stdin", HOST], f"{HOST} refused the credentials of 'me'."),
        (["login", "-u", "AWS", "--password-stdin", "ghcr.io"], "the sandbox has only its own registry"),
        (["compose", "up"], "`docker compose up` is not understood without a Docker Engine."),
        (["buildx", "build", "."], "`docker buildx build` is not understood"),
        (["ps"], "`docker ps` is not understood without a Docker Engine."),
        ([], "`docker ` is not understood"),
        (["build", "--secret", "id=x", "."], "docker build: --secret id=x is not understood without"),
        (["build", "--secret", "id=x,env=X", "."], "docker build: --secret id=x,env=X is not understood"),
        (["build", "--secret", "id=x,src=no", "."], "the file of the secret x, no, does not exist."),
        (["build", "--provenance=true", "."], "the sandbox makes no provenance attestation"),
        (["build", "--cache-from", "type=gha", "."], "--cache-from type=gha is not understood without"),
        (["build", "--cache-from", "type=registry,ref=No", "."], "'No' is not an image reference"),
        (["build", "--cache-to", "type=inline", "."], "docker build: the flag --cache-to is not understood"),
        (["build", "--platform", "windows/amd64", "."], "--platform windows/amd64 is not linux/amd64"),
        (["build", "nowhere"], "the context nowhere is not a folder"),
        (["build"], "docker build takes at least 1 argument(s), not 0."),
        (["build", "-f"], "docker build: -f needs a value."),
        (["push", "--all-tags", "x"], "docker push: the flag --all-tags is not understood"),
        (["push", "nothing:here"], "No such image: nothing:here."),
        (["pull", "docker.io/library/nginx"], "is not in the sandbox's registry"),
        (["tag", "a"], "docker tag takes at least 2 argument(s), not 1."),
        (["inspect", "--type", "container", "x"], "the sandbox knows images, no container"),
        (["images", "--format", "x"], "docker images: the flag --format is not understood"),
        (["images", "a", "b"], "docker images takes at most 1 argument(s), not 2."),
        (["run", "x"], "docker run needs --rm"),
        (["run", "--rm", "-d", "x"], "docker run: the flag -d is not understood"),
        (["run", "--rm", "-it", "x"], "docker run: the flag -it is not understood"),
        (["run", "--rm", "nothing"], "No such image: nothing."),
        (["run", "--rm", "-p", "8080", "APP"], "-p 8080 is not understood; the app has one port."),
        (
            ["run", "--rm", "-v", "name:/x", "APP"],
            "names a volume; the sandbox mounts files and folders only",
        ),
        (["run", "--rm", "-v", "/x", "APP"], "-v /x is not understood"),
        (["run", "--rm", "-v", "/no/such/thing:/x", "APP"], "/no/such/thing cannot be mounted"),
        (["run", "--rm", "--env-file", "/nowhere", "APP"], "--env-file /nowhere cannot be read"),
        (["run", "--rm", "-e", "=x", "APP"], "an environment variable's name is empty"),
        (["run", "--rm", "--entrypoint", "nonsense", "APP"], 'exec: "nonsense": executable file not found'),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    published: Published,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    sentence: str,
) -> None:
    monkeypatch.setenv("THE_SINK_SANDBOX_STATE", str(published.state_dir))
    monkeypatch.setenv("THE_SINK_SANDBOX_ENDPOINT", emulator.endpoint_url)
    monkeypatch.setattr("sys.stdin", io.StringIO("token"))

    code = main([published.app if word == "APP" else word for word in words])

    assert code in (1, 125, 127)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("docker: ")
    assert sentence in said.err
    assert len(said.err.splitlines()) <= 2
    assert not list(published.state_dir.glob("containers/*"))


def test_run_is_the_process_itself(docker: Docker, app: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SECRET=mounted\n")
    (tmp_path / "variables").write_text("# comment\n\nSHOWN=from file\nOTHER=x\n")

    done = docker(
        "run", "--rm", "-v", f"{tmp_path}/.env:/app/.env:ro", "--env-file", f"{tmp_path}/variables",
        "--name", "any", app, "show", "/app/.env",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout == "SECRET=mounted\nfrom file hello $world\nTrue\n"
    assert done.stderr == ""
    assert (
        docker("run", "--rm", "-e", "SHOWN=flag", app, "show", "app/version")
        .stdout.splitlines()[1]
        .startswith("flag")
    )
    assert docker("run", "--rm", app, "exit", "42").returncode == 42
    assert docker("run", "--rm", "--entrypoint", "nonsense", app).returncode == 127
    assert docker("run", "--rm", "nothing").returncode == 125
    assert not list((docker.state_dir / "containers").iterdir())
    assert (tmp_path / ".env").read_text() == "SECRET=mounted\n"


def test_run_passes_the_caller_s_variable_on_without_showing_it(docker: Docker, app: str) -> None:
    docker.environment["SHOWN"] = "handed on"
    assert "handed on" in docker.ok("run", "--rm", "-e", "SHOWN", app, "show", "app/version")
    assert "handed on" not in docker.ok("run", "--rm", app, "show", "app/version")


def test_run_translates_paths_for_this_machine_s_programs(docker: Docker, app: str) -> None:
    assert docker.ok("run", "--rm", "--entrypoint", "cat", app, "/app/version") == "one\n"
    assert docker.ok("run", "--rm", "--entrypoint", "python3", app, "-c", "print(6 * 7)") == "42\n"
    assert (
        docker.ok("run", "--rm", "-w", "/app/src", "--entrypoint", "/bin/sh", app, "-c", "ls") == "app.py\n"
    )
    assert docker.ok("run", "--rm", "--entrypoint", "", app, "cat", "/app/version") == "one\n"


def test_published_port_is_where_the_app_listens(
    docker: Docker, app: str, free_port: Any, tmp_path: Path
) -> None:
    port = free_port()
    command = subprocess.Popen(
        ["docker", "run", "--rm", "-p", f"{port}:8080", "-e", f"REPORT={tmp_path}", app],
        env=docker.environment,
        stdout=subprocess.PIPE,
    )
    eventually((tmp_path / str(port)).exists)
    command.terminate()
    assert command.wait(60) == 0
    assert command.stdout is not None
    command.stdout.close()


def test_images_version_and_info(docker: Docker, app: str) -> None:
    rows = docker.ok("images").splitlines()
    assert rows[0].split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "SIZE"]
    assert [row.split()[:2] for row in rows[1:]] == [[f"{HOST}/app", "one"], [f"{HOST}/runtime", "3.11"]]
    short = docker.ok("images", "-q", app).strip()
    assert docker.ok("inspect", "-f", "{{.Id}}", short).startswith(f"sha256:{short}")
    assert "no Docker Engine" in docker.ok("version")
    assert docker.ok("version", "--format", "{{.Server.Version}}") == "the-sink\n"
    assert "no Docker Engine" in docker.ok("info")
    assert docker.ok("info", "-f", "{{.Driver}}") == "process\n"


def test_stopped_sandbox_is_one_sentence(docker: Docker, app: str) -> None:
    docker.environment["THE_SINK_SANDBOX_ENDPOINT"] = "http://127.0.0.1:9"
    assert "The sandbox's registry at http://127.0.0.1:9 does not answer." in docker.refused("pull", app)


def test_damaged_store_is_one_sentence(docker: Docker, app: str) -> None:
    config = docker.ok("inspect", "-f", "{{.Id}}", app).strip().removeprefix("sha256:")
    (docker.state_dir / "images" / "blobs" / "sha256" / config).write_text("{}")
    assert "is damaged or gone" in docker.refused("inspect", app)


def test_command_imports_nothing_from_where_it_is_called(docker: Docker) -> None:
    (docker.folder / "json.py").write_text("raise SystemExit('the build\\'s own module')")
    docker.environment["PYTHONPATH"] = str(docker.folder)
    assert "no Docker Engine" in docker.ok("version")


def test_commands_of_several_processes_lose_no_name(docker: Docker, app: str) -> None:
    names = [f"name-{number}:x" for number in range(8)]
    running = [subprocess.Popen(["docker", "tag", app, name], env=docker.environment) for name in names]
    assert [process.wait(60) for process in running] == [0] * len(names)
    assert {line.split()[0] + ":x" for line in docker.ok("images").splitlines()} >= set(names)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{.Id}}", "sha256:1"),
        ("id={{ .Id }}!", "id=sha256:1!"),
        ("{{json .Config.Labels}}", '{"a":"b"}'),
        ("{{json .}}", '{"Id":"sha256:1","Config":{"Labels":{"a":"b"},"Cmd":null},"List":["x",true]}'),
        ("{{index .List 0}}", "x"),
        ('{{index .Config.Labels "a"}}', "b"),
        ('{{index .Config.Labels "none"}}', ""),
        ("{{.List}} {{.Config.Labels}} {{.Config.Cmd}}", "[x true] map[a:b] <no value>"),
    ],
)
def test_templates(template: str, expected: str) -> None:
    value = {"Id": "sha256:1", "Config": {"Labels": {"a": "b"}, "Cmd": None}, "List": ["x", True]}
    assert expected == render_template(template, value)


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{{range .List}}{{.}}{{end}}", "The template {{range .List}} is not understood"),
        ("{{.Nothing}}", "there is no field Nothing"),
        ("{{index .List 7}}", "there is no element 7"),
        ("{{len .List}}", "The template {{len .List}} is not understood"),
    ],
)
def test_other_templates_are_refused(template: str, sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        render_template(template, {"List": ["x"]})


def test_command_imports_no_heavy_package() -> None:
    """A build calls it a dozen times; docker-py, boto3 and ministack each take longer than the rest."""
    code = (
        "import sys; import sink_sandbox.docker_cli.process.command; "
        "import sink_sandbox.containers.process.images.build; "
        "print({'docker', 'requests', 'boto3', 'botocore', 'ministack'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"
