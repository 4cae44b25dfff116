"""The registry's layers: on disk, not in the state; kept over a restart; reached by engines by path."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sink_sandbox.client import lifecycle
from sink_sandbox.containers.docker.names import Names, is_reference, sandbox_id
from sink_sandbox.server.clients import Clients

from .images import push_image, sign_in

HOST = "000000000000.dkr.ecr.eu-west-1.amazonaws.com"


def ask(
    sandbox: lifecycle.Sandbox, method: str, path: str, host: str = ""
) -> tuple[int, dict[str, str], bytes]:
    """One request to the registry: status, headers, body."""
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=60)
    try:
        headers = {"Accept": "application/vnd.docker.distribution.manifest.v2+json", **sign_in(sandbox)}
        headers |= {"Host": host} if host else {}
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.fixture
def own(free_port: Any) -> Iterator[lifecycle.Sandbox]:
    """A sandbox of this test's own, to be stopped and started."""
    yield lifecycle.start("own", port=free_port())
    lifecycle.stop("own")


@pytest.fixture
def aws_of() -> Any:
    """A function that returns a function that returns a sandbox's client: ``aws_of(sandbox)("ecr")``."""

    def of(sandbox: lifecycle.Sandbox) -> Any:
        return lambda service: Clients(sandbox.endpoint_url, sandbox.secret).get(service, "eu-west-1")

    return of


def layers_of(sandbox: lifecycle.Sandbox) -> list[str]:
    """The digests of the pushed image's layers."""
    manifest = json.loads(ask(sandbox, "GET", "/v2/app/manifests/one", HOST)[2])
    return [layer["digest"] for layer in manifest["layers"]]


def test_layers_outlive_the_sandbox_without_being_in_its_state(own: lifecycle.Sandbox, aws_of: Any) -> None:
    aws_of(own)("ecr").create_repository(repositoryName="app")
    push_image(own, "app", "one")
    (digest,) = layers_of(own)
    _, _, content = ask(own, "GET", f"/v2/app/blobs/{digest}", HOST)

    lifecycle.stop("own")
    state = (own.state_dir / "state" / "ecr.json").read_text()
    assert digest in state
    assert base64.b64encode(content).decode() not in state
    assert (own.state_dir / "registry" / "sha256" / digest.removeprefix("sha256:")).read_bytes() == content

    again = lifecycle.start("own", port=own.port)
    assert ask(again, "GET", f"/v2/app/blobs/{digest}", HOST)[2] == content


def test_layers_of_a_state_of_1_0_are_taken_up(own: lifecycle.Sandbox, aws_of: Any) -> None:
    """There the bytes were in the state."""
    aws_of(own)("ecr").create_repository(repositoryName="app")
    push_image(own, "app", "one")
    (digest,) = layers_of(own)
    _, _, content = ask(own, "GET", f"/v2/app/blobs/{digest}", HOST)
    lifecycle.stop("own")
    path = own.state_dir / "state" / "ecr.json"
    state = json.loads(path.read_text())
    blobs = next(iter(state["payload"]["layer_blobs"]["data"].values()))
    for held in blobs:
        kept = own.state_dir / "registry" / "sha256" / held.removeprefix("sha256:")
        blobs[held] = {"__bytes__": base64.b64encode(kept.read_bytes()).decode()}
        kept.unlink()
    path.write_text(json.dumps(state))

    again = lifecycle.start("own", port=own.port)

    assert ask(again, "GET", f"/v2/app/blobs/{digest}", HOST)[2] == content


def test_a_reset_removes_the_layers(own: lifecycle.Sandbox, aws_of: Any) -> None:
    aws_of(own)("ecr").create_repository(repositoryName="app")
    push_image(own, "app", "one")

    lifecycle.reset("own")

    assert not list((own.state_dir / "registry").glob("*/*"))


def test_an_engine_names_account_and_region_in_the_path(sandbox: lifecycle.Sandbox, aws: Any) -> None:
    """And is answered as if the host had said it, uploads included."""
    aws("ecr").create_repository(repositoryName="app")
    digest = push_image(sandbox, "app", "one")
    prefix = f"/v2/sink-{sandbox_id(sandbox.state_dir)}/000000000000/eu-west-1/app"

    status, headers, _ = ask(sandbox, "HEAD", f"{prefix}/manifests/one")
    assert (status, headers["docker-content-digest"]) == (200, digest)
    status, headers, _ = ask(sandbox, "POST", f"{prefix}/blobs/uploads/")
    assert status == 202
    assert headers["location"].startswith(f"{prefix}/blobs/uploads/")
    far = prefix.replace("eu-west-1", "us-east-1")
    assert ask(sandbox, "HEAD", f"{far}/manifests/one")[0] == 404


def test_a_layer_is_mounted_from_another_repository(sandbox: lifecycle.Sandbox, aws: Any) -> None:
    """An engine names that one by its path too."""
    for name in ("app", "other"):
        aws("ecr").create_repository(repositoryName=name)
    push_image(sandbox, "app", "one")
    (digest,) = layers_of(sandbox)
    scope = f"sink-{sandbox_id(sandbox.state_dir)}/000000000000/eu-west-1"
    source = f"{scope}/app".replace("/", "%2F")

    status, headers, _ = ask(
        sandbox, "POST", f"/v2/{scope}/other/blobs/uploads/?from={source}&mount={digest}"
    )

    assert status == 201
    assert headers["location"] == f"/v2/{scope}/other/blobs/{digest}"
    assert ask(sandbox, "HEAD", f"/v2/{scope}/other/blobs/{digest}")[0] == 200


def test_the_path_of_another_sandbox_is_unknown_here(sandbox: lifecycle.Sandbox, aws: Any) -> None:
    aws("ecr").create_repository(repositoryName="app")
    push_image(sandbox, "app", "one")

    status, _, body = ask(sandbox, "GET", "/v2/sink-00000000/000000000000/eu-west-1/app/manifests/one")

    assert status == 404
    assert json.loads(body)["errors"][0]["message"] == "an image of another sandbox"


@pytest.mark.parametrize(
    "name",
    [HOST, f"{HOST}/app", f"{HOST}/team/app:1.2", f"{HOST}/app:a@sha256:{'0' * 64}", f"{HOST}.cn/app"],
)
def test_every_name_goes_there_and_back(tmp_path: Path, name: str) -> None:
    names = Names(4566, sandbox_id(tmp_path))

    inner = names.to_engine(name)

    assert is_reference(name)
    assert "amazonaws" not in inner
    assert inner.startswith(names.prefix)
    assert names.to_registry(f'said "{inner}", [{inner}]') == f'said "{name}", [{name}]'.replace(
        ".com.cn", ".com"
    )
    assert not names.is_foreign(inner)
    assert Names(4566, "00000000").is_foreign(f"{inner}/x")


@pytest.mark.parametrize("word", ["app", f"x{HOST}/app", f"FROM={HOST}/app", "python:3.13", f"{HOST}x/app"])
def test_what_is_no_name_of_the_registry_stays(word: str) -> None:
    assert not is_reference(word)
