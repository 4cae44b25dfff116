"""``sink-build login``: logs in to the registry and finds the runtime image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sink_build.version import read_version


def run(_environ: Mapping[str, str], _arguments: Sequence[str]) -> None:
    """Say which ``sink-build`` this is."""
    print(f"sink-build {read_version()}")
