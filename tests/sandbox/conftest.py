"""Fixtures of the sandbox's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .helpers import Pipelines


@pytest.fixture
def pipelines(aws: Callable[[str], Any]) -> Pipelines:
    """Buckets and pipelines in the emptied sandbox."""
    return Pipelines(aws)
