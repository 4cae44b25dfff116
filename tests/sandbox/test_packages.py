"""Archives: what a buildspec's patterns choose, and that unpacking stays inside its folder."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from sink_sandbox.services.codebuild.buildspec import Artifacts
from sink_sandbox.services.codebuild.packages import (
    PackageError,
    pack_files,
    read_member,
    select_files,
    unpack,
)

FILES = ["a.txt", "out/b.txt", "out/deep/c.txt", "out/deep/d.tmp", ".hidden", "other/b.txt"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("artifacts", "names"),
    [
        (Artifacts(("a.txt",)), ["a.txt"]),
        (Artifacts(("out/*",)), ["out/b.txt"]),
        (Artifacts(("out/**/*",)), ["out/b.txt", "out/deep/c.txt", "out/deep/d.tmp"]),
        (Artifacts(("**/*",)), sorted(FILES)),
        (Artifacts(("**/*",), "out"), ["b.txt", "deep/c.txt", "deep/d.tmp"]),
        (Artifacts(("**/*",), "out", True), ["b.txt", "c.txt", "d.tmp"]),
        (Artifacts(("**/*",), "out", False, ("**/*.tmp",)), ["b.txt", "deep/c.txt"]),
        (Artifacts(("b.txt",), "o*"), ["b.txt"]),
    ],
)
def test_patterns_choose_files(tree: Path, artifacts: Artifacts, names: list[str]) -> None:
    assert [name for name, _ in select_files(artifacts, tree)] == names


@pytest.mark.parametrize(
    ("artifacts", "problem"),
    [
        (Artifacts(("missing",)), "no matching artifact paths found"),
        (Artifacts(("*",), "missing"), "no matching base directory path found for missing"),
    ],
)
def test_nothing_that_matches_is_a_failure(tree: Path, artifacts: Artifacts, problem: str) -> None:
    with pytest.raises(PackageError, match=problem):
        select_files(artifacts, tree)


def test_modes_and_links_survive(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        script = zipfile.ZipInfo("bin/run")
        script.external_attr = (stat.S_IFREG | 0o755) << 16
        made.writestr(script, "#!/bin/sh\n")
        link = zipfile.ZipInfo("current")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(link, "bin/run")

    unpack(buffer.getvalue(), tmp_path / "x")

    assert os.access(tmp_path / "x/bin/run", os.X_OK)
    assert (tmp_path / "x/current").readlink() == Path("bin/run")


@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/etc/out.txt"])
def test_an_entry_outside_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr(name, "x")

    with pytest.raises(PackageError, match="outside the folder"):
        unpack(buffer.getvalue(), tmp_path / "x")


def test_what_is_no_zip_is_said(tmp_path: Path) -> None:
    for read in (lambda: unpack(b"text", tmp_path), lambda: read_member(b"text", "a")):
        with pytest.raises(PackageError, match="not a zip file"):
            read()


def test_a_missing_member_is_named(tree: Path) -> None:
    content = pack_files([("a.txt", tree / "a.txt")])

    assert read_member(content, "a.txt") == b"a.txt"
    with pytest.raises(PackageError, match="no file b"):
        read_member(content, "b.txt")


def test_no_entry_is_written_through_a_link_of_the_archive(tmp_path: Path) -> None:
    """Neither through a linked folder, nor over a link of the same name."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")

    def zipped(*entries: tuple[str, str, int]) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as made:
            for name, content, mode in entries:
                entry = zipfile.ZipInfo(name)
                entry.external_attr = mode << 16
                made.writestr(entry, content)
        return buffer.getvalue()

    link, file = stat.S_IFLNK | 0o777, stat.S_IFREG | 0o644
    with pytest.raises(PackageError, match="lies outside the folder"):
        unpack(zipped(("out", str(outside), link), ("out/file", "theirs", file)), tmp_path / "one")
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = zipped(("out", str(outside / "file"), link), ("out", "theirs", file))
    unpack(twice, tmp_path / "two")

    assert (outside / "file").read_text() == "mine"
    assert (tmp_path / "two/out").read_text() == "theirs"


@pytest.mark.parametrize("pattern", ["link", "folder/*", "folder/**/*", "../outside/*"])
def test_no_file_outside_the_source_becomes_an_artifact(tmp_path: Path, pattern: str) -> None:
    outside, source = tmp_path / "outside", tmp_path / "source"
    outside.mkdir()
    source.mkdir()
    (outside / "secret").write_text("mine")
    (source / "link").symlink_to(outside / "secret")
    (source / "folder").symlink_to(outside)

    with pytest.raises(PackageError, match="leads out of the source folder"):
        select_files(Artifacts((pattern,)), source)
