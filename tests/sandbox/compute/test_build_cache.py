"""What a build takes from the one before, and that equal input gives an equal image."""

from __future__ import annotations

import os
from pathlib import Path

from .builds import Bench, Published, build_app
from .conftest import Emulator, write_tree


def test_equal_input_gives_an_equal_digest(
    emulator: Emulator, published: Published, app_tree: Path, tmp_path: Path
) -> None:
    """On another machine, from files with other times, without any cache."""
    one = build_app(Bench(tmp_path / "one", emulator.endpoint_url, app_tree), published)
    for path in app_tree.rglob("*"):
        os.utime(path, (1, 1))
    (app_tree / "version").chmod(0o666)
    two = build_app(Bench(tmp_path / "two", emulator.endpoint_url, app_tree), published)
    write_tree(app_tree, {"version": "three"})
    three = build_app(Bench(tmp_path / "two", emulator.endpoint_url, app_tree), published)

    assert one.digest == two.digest
    assert one.digest != three.digest
    shared = {layer["digest"] for layer in one.layers} & {layer["digest"] for layer in three.layers}
    assert len(shared) == len(one.layers) - 1, "only COPY of the sources makes another layer"


def test_unchanged_instructions_are_cached(app_bench: Bench, published: Published) -> None:
    build_app(app_bench, published)
    assert sum(line.endswith(" CACHED") for line in app_bench.said) == 4
    assert not any("installed for" in line for line in app_bench.said)

    write_tree(app_bench.context, {"src/app.py": "changed"})
    build_app(app_bench, published)
    assert sum(line.endswith(" CACHED") for line in app_bench.said) == 2, "the lock and its installation"

    write_tree(app_bench.context, {"requirements.lock": "b==2\n"})
    build_app(app_bench, published)
    assert not any(line.endswith(" CACHED") for line in app_bench.said)
    assert any(line.endswith("installed for plain") for line in app_bench.said)


def test_no_cache_builds_anew_but_installs_nothing_twice(app_bench: Bench, published: Published) -> None:
    first = build_app(app_bench, published)
    second = build_app(app_bench, published, use_cache=False)
    assert second.digest == first.digest
    assert not any(line.endswith(" CACHED") for line in app_bench.said)
    assert any(
        "app-init dependencies: CACHED, installed before for Python 3.11" in line for line in app_bench.said
    )


def test_lost_environment_is_not_taken_for_cached(app_bench: Bench, published: Published) -> None:
    first = build_app(app_bench, published)
    (app_bench.state_dir / "venvs" / first.labels["the-sink.sandbox.venv"] / ".complete").unlink()
    build_app(app_bench, published)
    assert any("installed for" in line for line in app_bench.said)
