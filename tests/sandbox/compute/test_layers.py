"""A layer is what changed in a folder, and unpacks nowhere but in its own."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sink_sandbox.containers.process.images.layers import Entry, changes, list_tree, normal_mode, pack, unpack
from the_sink.errors import SinkError


def test_changes_of_a_folder_lead_from_one_listing_to_the_next(tmp_path: Path) -> None:
    """What RUN did is one layer: applied to the state before, it gives the state after."""
    root, again = tmp_path / "root", tmp_path / "again"
    files = ("keep", "edit", "gone/deep/file", "kind")
    start = pack([Entry(path, "file", 0o644, b"1") for path in files])
    for folder in (root, again):
        folder.mkdir()
        unpack(start, folder)
    before = list_tree(root)
    (root / "edit").write_text("2")
    (root / "keep").chmod(0o755)
    for path in ("gone/deep/file", "kind"):
        (root / path).unlink()
    (root / "gone/deep").rmdir()
    (root / "gone").rmdir()
    (root / "kind").mkdir()
    (root / "link").symlink_to(root / "edit")
    (root / "kind/__pycache__").mkdir()
    (root / "kind/__pycache__/x.pyc").write_text("compiled")

    unpack(pack(changes(root, before)), again)

    expected = list_tree(root) | {"link": ("link", 0, str(again / "edit"))}
    assert expected == list_tree(again)
    assert not (again / "kind/__pycache__").exists()


def tar_of(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out"])
def test_layer_cannot_write_outside_its_root(tmp_path: Path, name: str) -> None:
    with pytest.raises(SinkError, match="outside the image"):
        unpack(tar_of(name), tmp_path / "root")
    assert not (tmp_path / "out").exists()


def test_layer_cannot_write_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    unpack(pack([Entry("way", "link", target="../")]), tmp_path / "root")
    with pytest.raises(SinkError, match="leads out of its root"):
        unpack(tar_of("way/out"), tmp_path / "root")


def test_damaged_layer_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="is no tar archive"):
        unpack(b"not a tar archive", tmp_path)


@given(st.integers(min_value=0, max_value=0o777))
def test_modes_are_those_of_git_or_the_owners_alone(mode: int) -> None:
    kept = normal_mode(mode)
    assert kept in ({0o755, 0o644} if mode & 0o077 else {mode})
    assert bool(kept & 0o100) == bool(mode & 0o100)
