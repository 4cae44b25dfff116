"""A release's archive: a zip with the same bytes wherever the same commit is packed (no I/O but its file).

:mod:`the_sink.local.package` reads the commit's tree, this module packs it, ``deploy`` puts it where the
pipelines look. The order is fixed, times are the commit's, modes are two, and nothing is compressed:
deflate's output differs between zlib and zlib-ng, which Pythons of different makers carry, and an archive
that exists with other bytes is an error.
"""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from the_sink.errors import InputError

LIMIT_BYTES = 256 * 1024 * 1024
"""Input artifacts of CodePipeline's CloudFormation action end here:
https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html"""

RELEASE_FILE = "release.json"

_EARLIEST, _LATEST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)
"""What a zip's DOS times can say."""


@dataclass(frozen=True)
class Entry:
    """One file of a release.

    Attributes:
        path: Relative, with slashes.
        content: The file's bytes; of a link, where it points.
        is_executable: Whether anybody may execute it; other permissions are not kept.
        is_link: Whether it is a symbolic link.
    """

    path: str
    content: bytes
    is_executable: bool = False
    is_link: bool = False


@dataclass(frozen=True)
class Manifest:
    """What ``release.json`` says: the app reads it to say what it is, the build to name its image.

    Attributes:
        app: The app's name.
        commit: 40 hexadecimal digits.
        subject: The commit message's first line.
        committed_at: With a time zone.
        template_version: Of the template that the app is at, ``1.0.0``; "" where it is not known.
    """

    app: str
    commit: str
    subject: str
    committed_at: datetime
    template_version: str

    def to_json(self) -> bytes:
        """Return the file, the same bytes for the same release."""
        content = {
            "app": self.app,
            "commit": self.commit,
            "subject": self.subject,
            "committed_at": self.committed_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "template_version": self.template_version,
        }
        return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


@dataclass(frozen=True)
class Archive:
    """A packed release on this machine.

    Attributes:
        path: The zip.
        size_bytes: Its size.
        sha256: Hexadecimal digest of its bytes.
        manifest: What is in it.
        files: How many files that is, ``release.json`` among them.
    """

    path: Path
    size_bytes: int
    sha256: str
    manifest: Manifest
    files: int


def pack(entries: Iterable[Entry], manifest: Manifest, target: Path) -> Archive:
    """Write the archive of a release to ``target``.

    Args:
        entries: In any order; paths are unique.
        manifest: Becomes ``release.json`` at the root.
        target: Overwritten; removed again where the archive is refused.

    Raises:
        InputError: the archive is larger than the pipeline takes, a path occurs twice, leaves the
            archive or is ``release.json``, which the platform writes.
    """
    entries = list(entries)
    _check_paths(entries)
    everything = sorted(
        [*entries, Entry(RELEASE_FILE, manifest.to_json())], key=lambda entry: entry.path.encode()
    )
    size_bytes = sum(len(entry.content) for entry in everything)
    if size_bytes <= LIMIT_BYTES:
        with _removed_on_error(target):
            _write(everything, manifest.committed_at, target)
            # Headers count too: what is measured is what CodePipeline will measure.
            size_bytes = target.stat().st_size
    if size_bytes > LIMIT_BYTES:
        target.unlink(missing_ok=True)
        raise InputError(
            _too_large(everything, size_bytes), "Keep files out of it with export-ignore in .gitattributes."
        )
    return Archive(
        path=target, size_bytes=size_bytes, sha256=_sha256(target), manifest=manifest, files=len(everything)
    )


def read_archive(path: Path, fallback: Manifest) -> tuple[Archive, dict[str, bytes]]:
    """Return a release's archive that lies on this machine, and its files by path.

    Args:
        path: The zip.
        fallback: What is known of it from elsewhere: archives of the legacy platform say nothing of
            themselves.

    Raises:
        InputError: it is no zip, or its ``release.json`` is none.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            contents = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
        manifest = _read_manifest(contents[RELEASE_FILE]) if RELEASE_FILE in contents else fallback
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"The archive of {fallback.commit[:8]} cannot be read: {error}.",
            "Somebody put something else under its key; commit anew and deploy that.",
        ) from error
    size_bytes = path.stat().st_size
    return Archive(path, size_bytes, _sha256(path), manifest, len(contents)), contents


def _read_manifest(content: bytes) -> Manifest:
    found = json.loads(content)
    return Manifest(
        app=str(found["app"]),
        commit=str(found["commit"]),
        subject=str(found["subject"]),
        committed_at=datetime.fromisoformat(found["committed_at"]),
        template_version=str(found.get("template_version", "")),
    )


def _check_paths(entries: list[Entry]) -> None:
    seen: set[str] = set()
    for entry in entries:
        parts = entry.path.split("/")
        if entry.path == RELEASE_FILE:
            raise InputError(
                f"The commit holds {RELEASE_FILE}, which the platform writes into every archive.",
                f"Remove it: git rm {RELEASE_FILE}.",
            )
        if entry.path in seen:
            raise InputError(
                f"{entry.path} would be in the archive twice: git holds it and package.include names it.",
                "Take it out of package.include in sink.toml.",
            )
        if "" in parts or ".." in parts or "." in parts:
            raise InputError(f"{entry.path!r} cannot be a path in an archive.", "Rename the file.")
        seen.add(entry.path)


def _write(entries: list[Entry], committed_at: datetime, target: Path) -> None:
    moment = min(max(committed_at.astimezone(UTC), _EARLIEST), _LATEST)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.path, date_time=moment.timetuple()[:6])
            info.create_system = 3  # Unix, on every system: it decides how the mode is read
            info.external_attr = _mode(entry) << 16
            archive.writestr(info, entry.content)


def _mode(entry: Entry) -> int:
    if entry.is_link:
        return stat.S_IFLNK | 0o777
    return stat.S_IFREG | (0o755 if entry.is_executable else 0o644)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _too_large(entries: list[Entry], size_bytes: int) -> str:
    largest = sorted(entries, key=lambda entry: (-len(entry.content), entry.path))[:3]
    names = ", ".join(f"{entry.path} ({_megabytes(len(entry.content))})" for entry in largest)
    return (
        f"The archive would have {_megabytes(size_bytes)}, CodePipeline takes {_megabytes(LIMIT_BYTES)}; "
        f"the largest files are {names}."
    )


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1024 / 1024:.1f} MB"


@contextmanager
def _removed_on_error(target: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        target.unlink(missing_ok=True)
        raise
