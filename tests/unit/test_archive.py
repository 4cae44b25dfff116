"""The archive of a release: the same bytes for the same files, and nothing in it that does not belong."""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from the_sink import archive
from the_sink.archive import Entry, Manifest, pack
from the_sink.errors import InputError

MANIFEST = Manifest(
    app="my-app",
    commit="1" * 40,
    subject="Say “hello”, wörld",
    committed_at=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
    template_version="1.0.0",
)

ENTRIES = [
    Entry("b/run", b"#!/bin/sh\n", is_executable=True),
    Entry("a.txt", b"hello"),
    Entry("link", b"a.txt", is_link=True),
    Entry("é/ü", b""),
]

names = st.lists(
    st.text(
        st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=8
    ).filter(lambda part: part not in {".", ".."}),
    min_size=1,
    max_size=3,
).map("/".join)
entries = st.lists(
    st.builds(
        Entry, path=names, content=st.binary(max_size=50), is_executable=st.booleans(), is_link=st.just(False)
    ),
    unique_by=lambda entry: entry.path,
    max_size=12,
).filter(lambda found: all(entry.path != archive.RELEASE_FILE for entry in found))
moments = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)


def packed(found: list[Entry], manifest: Manifest = MANIFEST) -> bytes:
    with TemporaryDirectory() as folder:
        return pack(found, manifest, Path(folder) / "x.zip").path.read_bytes()


@settings(max_examples=60, deadline=None)
@given(entries, moments, st.randoms())
def test_the_bytes_do_not_depend_on_the_order_of_the_entries(found, moment, random):
    manifest = Manifest("my-app", "1" * 40, "", moment, "")
    shuffled = list(found)
    random.shuffle(shuffled)

    assert packed(shuffled, manifest) == packed(found, manifest)


@settings(max_examples=60, deadline=None)
@given(entries, moments)
def test_every_file_comes_out_as_it_went_in(found, moment):
    manifest = Manifest("my-app", "1" * 40, "", moment, "")
    with TemporaryDirectory() as folder:
        made = pack(found, manifest, Path(folder) / "x.zip")
        with zipfile.ZipFile(made.path) as opened:
            contents = {
                info.orig_filename: (opened.read(info), bool(info.external_attr >> 16 & 0o111))
                for info in opened.infolist()
            }

    assert contents.pop(archive.RELEASE_FILE) == (manifest.to_json(), False)
    assert contents == {entry.path: (entry.content, entry.is_executable) for entry in found}
    assert made.files == len(found) + 1


@settings(max_examples=30, deadline=None)
@given(moments, st.integers(-12, 12))
def test_the_committers_time_zone_does_not_count(moment, hours):
    elsewhere = moment.astimezone(timezone(timedelta(hours=hours)))

    assert packed(ENTRIES, Manifest("my-app", "1" * 40, "", elsewhere, "")) == packed(
        ENTRIES, Manifest("my-app", "1" * 40, "", moment, "")
    )


def test_these_bytes_are_those_of_every_other_machine():
    """An archive that exists with other bytes is refused, so these may never change for an old commit."""
    expected = "46a272e572c0820ca5898d38b3bbe6ec57cf1439e41a836b1d52ca592da2bb80"

    assert hashlib.sha256(packed(ENTRIES)).hexdigest() == expected


def test_what_is_returned_is_what_was_written(tmp_path):
    made = pack(ENTRIES, MANIFEST, tmp_path / "x.zip")

    content = (tmp_path / "x.zip").read_bytes()
    assert (made.path, made.size_bytes) == (tmp_path / "x.zip", len(content))
    assert made.sha256 == hashlib.sha256(content).hexdigest()
    assert (made.manifest, made.files) == (MANIFEST, 5)


def test_modes_links_times_and_order_are_fixed(tmp_path):
    pack(ENTRIES, MANIFEST, tmp_path / "x.zip")

    with zipfile.ZipFile(tmp_path / "x.zip") as opened:
        infos = opened.infolist()
        assert opened.read("link") == b"a.txt"
    assert [(info.filename, info.external_attr >> 16) for info in infos] == [
        ("a.txt", stat.S_IFREG | 0o644),
        ("b/run", stat.S_IFREG | 0o755),
        ("link", stat.S_IFLNK | 0o777),
        ("release.json", stat.S_IFREG | 0o644),
        ("é/ü", stat.S_IFREG | 0o644),
    ]
    assert {info.date_time for info in infos} == {(2026, 3, 4, 5, 6, 6)}  # zip counts in two seconds
    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}


def test_release_json_says_what_the_archive_is(tmp_path):
    pack([], MANIFEST, tmp_path / "x.zip")

    with zipfile.ZipFile(tmp_path / "x.zip") as opened:
        assert json.loads(opened.read("release.json")) == {
            "app": "my-app",
            "commit": "1" * 40,
            "subject": "Say “hello”, wörld",
            "committed_at": "2026-03-04T05:06:07Z",
            "template_version": "1.0.0",
        }


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            [Entry("release.json", b"{}")],
            "The commit holds release.json, which the platform writes into every archive.",
        ),
        (
            [Entry("a", b""), Entry("a", b"")],
            "a would be in the archive twice: git holds it and package.include names it.",
        ),
        ([Entry("../a", b"")], "'../a' cannot be a path in an archive."),
        ([Entry("/a", b"")], "'/a' cannot be a path in an archive."),
        ([Entry("a//b", b"")], "'a//b' cannot be a path in an archive."),
    ],
)
def test_what_cannot_be_packed_is_refused_and_nothing_is_left(tmp_path, found, message):
    with pytest.raises(InputError) as caught:
        pack(found, MANIFEST, tmp_path / "x.zip")

    assert caught.value.message == message
    assert not (tmp_path / "x.zip").exists()


def test_an_archive_that_no_pipeline_takes_is_refused_before_it_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LIMIT_BYTES", 2 * 1024 * 1024)
    found = [
        Entry("big.bin", bytes(1536 * 1024)),
        Entry("bigger.bin", bytes(3 * 512 * 1024 + 1)),
        Entry("s", b""),
    ]

    with pytest.raises(InputError) as caught:
        pack(found, MANIFEST, tmp_path / "x.zip")

    assert caught.value.message == (
        "The archive would have 3.0 MB, CodePipeline takes 2.0 MB; "
        "the largest files are bigger.bin (1.5 MB), big.bin (1.5 MB), release.json (0.0 MB)."
    )
    assert caught.value.hint == "Keep files out of it with export-ignore in .gitattributes."
    assert not (tmp_path / "x.zip").exists()


def test_an_archive_whose_headers_make_it_too_large_is_removed_again(tmp_path, monkeypatch):
    content = [Entry("a", b"x" * 1000)]
    monkeypatch.setattr(archive, "LIMIT_BYTES", 1000 + len(MANIFEST.to_json()))

    with pytest.raises(InputError, match="CodePipeline takes"):
        pack(content, MANIFEST, tmp_path / "x.zip")

    assert not (tmp_path / "x.zip").exists()


def test_the_limit_is_the_pipelines():
    assert archive.LIMIT_BYTES == 268_435_456
