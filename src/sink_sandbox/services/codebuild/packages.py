"""Zip archives of sources and artifacts: unpack into a folder, pack from one by a buildspec's patterns."""

from __future__ import annotations

import fnmatch
import glob
import io
import os
import stat
import zipfile
from pathlib import Path

from sink_sandbox.services.codebuild.buildspec import Artifacts


class PackageError(Exception):
    """An archive is not one, or the files of an artifact are not there."""


def unpack(content: bytes, folder: Path) -> None:
    """Extract a zip into ``folder``, with modes and symbolic links, and never outside it.

    Raises:
        PackageError: the content is no zip, or an entry leaves the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile as error:
        raise PackageError("the archive is not a zip file") from error
    root = folder.resolve()
    with archive:
        for entry in archive.infolist():
            target = folder / entry.filename
            if root not in [target.parent.resolve(), *target.parent.resolve().parents]:
                raise PackageError(f"the archive's entry {entry.filename!r} lies outside the folder")
            mode = entry.external_attr >> 16
            if entry.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_symlink():
                target.unlink()  # an earlier entry's: writing would follow it
            if stat.S_ISLNK(mode):
                target.symlink_to(archive.read(entry).decode())
                continue
            target.write_bytes(archive.read(entry))
            if mode:
                target.chmod(stat.S_IMODE(mode) | stat.S_IRUSR | stat.S_IWUSR)


def read_member(content: bytes, path: str) -> bytes:
    """Return one file of a zip.

    Raises:
        PackageError: there is none.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.read(path)
    except zipfile.BadZipFile as error:
        raise PackageError("the archive is not a zip file") from error
    except KeyError as error:
        raise PackageError(f"the archive has no file {path}") from error


def pack_files(files: list[tuple[str, Path]]) -> bytes:
    """Return a zip of (name in the archive, file)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files:
            archive.write(path, name)
    return buffer.getvalue()


def select_files(artifacts: Artifacts, source: Path) -> list[tuple[str, Path]]:
    """Return the files of an artifact with their names in it, in a stable order.

    Raises:
        PackageError: nothing matches, which fails the upload as CodeBuild says it.
    """
    found: dict[str, Path] = {}
    for base in _base_folders(artifacts.base_directory, source):
        for pattern in artifacts.files:
            for match in _matches(pattern, base):
                path = base / match
                if path.is_dir() or any(_excluded(match, excluded) for excluded in artifacts.exclude_paths):
                    continue
                if not path.resolve().is_relative_to(source.resolve()):
                    raise PackageError(f"the artifact path {match} leads out of the source folder")
                name = Path(match).name if artifacts.discard_paths else os.path.normpath(match)
                found[name] = path
    if not found:
        raise PackageError("no matching artifact paths found")
    return sorted(found.items())


def _base_folders(pattern: str, source: Path) -> list[Path]:
    if not pattern:
        return [source]
    folders = [source / match for match in _matches(pattern, source) if (source / match).is_dir()]
    if not folders:
        raise PackageError(f"no matching base directory path found for {pattern}")
    return folders


def _matches(pattern: str, folder: Path) -> list[str]:
    # Path.glob neither takes absolute patterns nor keeps names relative to the folder.
    return sorted(glob.glob(pattern, root_dir=folder, recursive=True, include_hidden=True))  # noqa: PTH207 - Path.glob cannot


def _excluded(match: str, pattern: str) -> bool:
    return fnmatch.fnmatch(match, pattern) or fnmatch.fnmatch(match, pattern.replace("**/", ""))
