"""Fixtures of the sandbox's tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sink_sandbox.client import lifecycle
from the_sink.aws.session import Aws, Target, connect
from the_sink.models import Clock

from .helpers import Pipelines
from .shop import Shop


@pytest.fixture
def pipelines(aws: Callable[[str], Any]) -> Pipelines:
    """Buckets and pipelines in the emptied sandbox."""
    return Pipelines(aws)


@pytest.fixture
def connection(sandbox: lifecycle.Sandbox, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """The sandbox as a deploy sees it, which asks often."""
    monkeypatch.setattr("the_sink.verbs.poller._LONGEST_S", 0.25)
    clock = Clock(now=time.monotonic, sleep=time.sleep, utc=lambda: datetime.now(UTC))
    return connect(Target.sandbox("eu-west-1", sandbox.endpoint_url, sandbox.secret), clock)


@pytest.fixture
def shop(aws: Callable[[str], Any], sandbox: lifecycle.Sandbox, pipelines: Pipelines) -> Shop:
    return Shop(aws, sandbox, pipelines)
