"""An app that keeps its buildspec from before ``sink-build``: it deploys and is promoted as it was."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.journey import APP
from sink_sandbox.client import lifecycle
from tests.e2e.walks import CHECKOUT, Overheard, Walk, use_port
from the_sink.naming import Names

pytestmark = pytest.mark.long

BUILDSPEC = CHECKOUT / "tests/fixtures/buildspec-in-shell.yaml"


@pytest.fixture
def walk(tmp_path: Path, free_port: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Walk]:
    """A journey in a folder and on a sandbox of its own."""
    monkeypatch.setitem(os.environ, "XDG_STATE_HOME", str(tmp_path / "state"))
    use_port("e2e-shell", free_port())
    journey = Overheard(tmp_path / "demo", "e2e-shell", "processes", runtime="3.13")
    try:
        yield Walk(journey)
    finally:
        lifecycle.stop("e2e-shell")
        lifecycle.reset("e2e-shell")


def test_it_builds_and_is_taken_over(walk: Walk) -> None:
    journey = walk.journey
    journey.start_sandbox()
    journey.publish_platform()
    journey.generate_app()
    shutil.copy(BUILDSPEC, journey.app / "aws/buildspec.yaml")
    journey.commit("Keep the buildspec")
    for env in ("stage", "uat"):
        journey.bootstrap(env)
        journey.deploy(env)

    assert walk.version("stage")["commit"] == walk.version("uat")["commit"] == journey.head()
    assert "sink-build login" not in walk.build_log("stage")
    assert f"from {Names(APP, 'stage').repository}: nothing is built." in walk.build_log("uat")
