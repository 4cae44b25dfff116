"""The search for a planted secret sees through everything that the journeys' bytes are wrapped in."""

from __future__ import annotations

import base64
import gzip
import io
import json
import subprocess
import sys
import tarfile
import time
import urllib.parse
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.planted import Arguments, Planted, pattern

SECRET = Planted()
CORE = SECRET.value.encode()


def zipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("app/.env", content)
    return packed.getvalue()


def tarred(content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("app/.env")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.mark.parametrize(
    "write",
    [
        lambda text: json.dumps(json.dumps(text)).encode(),
        lambda text: urllib.parse.quote_plus(text).encode(),
        lambda text: repr(text).encode(),
        lambda text: base64.b64encode(text.encode()),
        lambda text: base64.b64encode(b"." + text.encode()),
        lambda text: base64.urlsafe_b64encode(b".." + text.encode()),
        lambda text: text.encode().hex().upper().encode(),
    ],
    ids=["JSON in JSON", "URL", "Python", "base64", "base64 + 1", "base64 + 2", "hexadecimal"],
)
def test_no_way_of_writing_hides_it(write: Callable[[str], bytes]) -> None:
    assert SECRET.is_in(b"before " + write(SECRET.value) + b" after")
    assert not SECRET.is_in(write(Planted().value))


@pytest.mark.parametrize(
    "content, place",
    [
        (gzip.compress(CORE), "it"),
        (gzip.compress(b"first") + gzip.compress(CORE), "it"),
        (gzip.compress(CORE)[:-9], "it"),
        (zipped(CORE), "it!app/.env"),
        (gzip.compress(tarred(CORE)), "it!app/.env"),
        (tarred(gzip.compress(tarred(CORE))), "it!app/.env!app/.env"),
        (b"\x1f\x8b no gzip, " + CORE, "it"),
    ],
    ids=["gzip", "two gzips", "cut gzip", "zip", "layer", "image", "mere first bytes"],
)
def test_nothing_that_packs_hides_it(tmp_path: Path, content: bytes, place: str) -> None:
    (tmp_path / "it").write_bytes(content)
    (tmp_path / "other").write_bytes(zipped(b"nothing"))

    assert SECRET.find_below(tmp_path) == {place}


def test_only_what_was_written_since_is_read_where_a_time_is_given(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(CORE)
    written_s = (tmp_path / "it").stat().st_mtime

    assert SECRET.find_below(tmp_path, written_s) == {"it"}
    assert SECRET.find_below(tmp_path, written_s + 1) == set()


def test_the_arguments_of_a_process_are_seen() -> None:
    with Arguments() as arguments:
        process = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()", SECRET.marker], stdin=subprocess.PIPE
        )
        deadline = time.monotonic() + 60
        while not any(SECRET.is_in(line) for line in set(arguments.seen)) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.communicate(timeout=60)

    assert [line for line in arguments.seen if SECRET.is_in(line)]


def test_places_are_told_without_their_digests() -> None:
    assert pattern(f"registry/sha256/{'0a' * 32}!app/.env") == "registry/sha256/*!app/.env"
