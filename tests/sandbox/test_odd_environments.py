"""A sandbox in a shell that is set up in unusual ways: builds reach it all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sink_sandbox.client import lifecycle
from sink_sandbox.server.clients import Clients

from .test_builds import Project

NOBODY = "http://127.0.0.1:9"
"""A proxy that would fail every request: nothing listens on the port of discard."""


@pytest.fixture
def odd(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[str], Any]]:
    """A sandbox of its own, started in that environment."""
    for name, value in request.param.items():
        monkeypatch.setenv(name, value.replace("TMP", str(tmp_path)))
    (tmp_path / "a #b").mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "a #b"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    sandbox = lifecycle.start("default", port=free_port())
    clients = Clients(sandbox.endpoint_url, sandbox.secret)
    yield lambda service: clients.get(service, "eu-west-1")
    lifecycle.stop("default")


BUILDSPEC = """
version: 0.2
env:
  variables:
    REGISTRY: 000000000000.dkr.ecr.eu-west-1.amazonaws.com
phases:
  build:
    commands:
      - aws s3 cp source.txt s3://work/copied
      - aws ecr get-login-password | docker login --username AWS --password-stdin $REGISTRY
      - echo written > "$(mktemp -d)/file"
artifacts:
  files: [source.txt]
"""


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"HTTP_PROXY": NOBODY, "http_proxy": NOBODY}, id="a proxy without exceptions"),
        pytest.param({"TMPDIR": "TMP/a #b"}, id="a TMPDIR with a space and a hash"),
    ],
    indirect=True,
)
def test_a_build_reaches_the_sandbox(odd: Callable[[str], Any]) -> None:
    project = Project(odd)

    build = project.run(BUILDSPEC, {"source.txt": "hello"}, privilegedModeOverride=True)

    said = project.output(build)
    assert build["buildStatus"] == "SUCCEEDED", (said, build["phases"])
    assert odd("s3").get_object(Bucket="work", Key="copied")["Body"].read() == b"hello"
    assert not [line for line in said if "127.0.0.1:9" in line]
