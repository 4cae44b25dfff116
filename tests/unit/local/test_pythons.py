"""Which Python of this machine stands for a version: the same one for the sandbox and for an app's tasks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sink_host.pythons import find_python

OWN = ".".join(map(str, sys.version_info[:3]))


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    find_python.cache_clear()
    yield
    find_python.cache_clear()


def test_python_of_another_version_is_found_where_pyenv_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uv asks pyenv's shims, which refuse every version but the current one."""
    for version in ("3.99.2", "3.99.10"):
        program = tmp_path / "versions" / version / "bin" / "python3.99"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))

    found = find_python("3.99")

    assert (found.version, found.minor, found.notice) == ("3.99.10", "3.99", "")


def test_a_version_that_is_not_here_is_replaced_and_said() -> None:
    found = find_python("3.98")

    assert found.version == OWN
    assert found.notice == f"Python 3.98 is not on this machine; Python {OWN} is used instead."
