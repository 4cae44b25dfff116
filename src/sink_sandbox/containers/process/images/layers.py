"""Layers: folders as deterministic tar archives, and back.

Equal content gives equal bytes, hence an equal digest, wherever and whenever an image is built: entries
are sorted, times are one fixed moment, modes say only what matters. What ``RUN`` changed in a root
folder is found by comparing two listings.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sink_sandbox.errors import SinkError

MODIFIED_AT_S = 315_619_200
"""The time of every entry: 1980-01-02, because zip files, which some builds make, know no earlier year."""

CREATED_AT = "1980-01-02T00:00:00Z"
_WHITEOUT = ".wh."


@dataclass(frozen=True)
class Entry:
    """One path of a layer.

    Attributes:
        path: Relative to the image's root, with forward slashes, neither ``.`` nor ``..`` in it.
        kind: ``file``, ``folder``, ``link`` or ``gone`` (the layer removes what lies below it).
        mode: Permission bits.
        content: A file's bytes.
        target: Where a symbolic link points.
        owner: As ``--chown`` names it; told in the archive, not enforced.
    """

    path: str
    kind: str
    mode: int = 0o644
    content: bytes = b""
    target: str = ""
    owner: str = ""


def normal_mode(mode: int) -> int:
    """Return the permission bits that a layer keeps.

    A checkout's group and other bits depend on the umask of whoever made it, so they become those of
    git: 755 or 644. A file that only its owner may read keeps that, because somebody meant it.
    """
    if mode & 0o077 == 0:
        return mode & 0o700
    return 0o755 if mode & 0o100 else 0o644


def pack(entries: list[Entry]) -> bytes:
    """Return the tar archive of ``entries``, and of the folders above them, in one fixed form."""
    complete = {
        parent: Entry(parent, "folder", 0o755)
        for entry in entries
        for parent in map(str, PurePosixPath(entry.path).parents)
        if parent != "."
    }
    complete |= {entry.path: entry for entry in entries}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(complete):
            entry = complete[path]
            archive.addfile(_header(entry), io.BytesIO(entry.content))
    return buffer.getvalue()


def _header(entry: Entry) -> tarfile.TarInfo:
    path = PurePosixPath(entry.path)
    name = str(path.with_name(_WHITEOUT + path.name)) if entry.kind == "gone" else entry.path
    header = tarfile.TarInfo(name)
    header.mtime = MODIFIED_AT_S
    header.mode = entry.mode
    header.uname, _, header.gname = entry.owner.partition(":")
    if entry.kind == "folder":
        header.type = tarfile.DIRTYPE
    elif entry.kind == "link":
        header.type, header.linkname = tarfile.SYMTYPE, entry.target
    header.size = len(entry.content)
    return header


def has_folder(layer: bytes, path: str) -> bool:
    """Return whether a layer makes ``path`` (relative to the root) a folder."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        return any(header.isdir() and header.name.rstrip("/") == path for header in archive)


def unpack(layer: bytes, root: Path) -> None:
    """Apply one layer to ``root``: later layers replace and remove what earlier ones made.

    An absolute symbolic link is made to point below ``root``, where a container would see its target.

    Raises:
        SinkError: the archive has a path outside the root, or an entry that no image of ours has.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
            for header in archive:
                path = PurePosixPath(header.name)
                if path.is_absolute() or ".." in path.parts:
                    raise SinkError(f"A layer names the path {header.name!r} outside the image.")
                _unpack_entry(archive, header, path, root)
    except tarfile.TarError as exc:
        raise SinkError(f"A layer of the image is no tar archive: {exc}.") from exc


def _unpack_entry(archive: tarfile.TarFile, header: tarfile.TarInfo, path: PurePosixPath, root: Path) -> None:
    parent = inside(root, str(path.parent))
    parent.mkdir(parents=True, exist_ok=True)
    target = parent / path.name
    if path.name.startswith(_WHITEOUT):
        _remove(parent / path.name.removeprefix(_WHITEOUT))
    elif header.isdir():
        if target.is_symlink() or not target.is_dir():
            _remove(target)
            target.mkdir()
        # Owner's rights are kept: whoever runs the sandbox must be able to remove the folder again.
        target.chmod(header.mode | 0o700)
    elif header.issym():
        _remove(target)
        link = header.linkname
        target.symlink_to(root / link.lstrip("/") if link.startswith("/") else link)
    elif header.isreg():
        _remove(target)
        source = archive.extractfile(header)
        with target.open("wb") as stream:
            shutil.copyfileobj(source or io.BytesIO(), stream)
        target.chmod(header.mode)
        os.utime(target, (MODIFIED_AT_S, MODIFIED_AT_S))
    else:
        raise SinkError(f"{header.name!r} in an image layer is neither file, folder nor symbolic link.")


def inside(root: Path, path: str) -> Path:
    """Return where ``path`` of an image lies below ``root``, following links of the image on the way.

    Raises:
        SinkError: a link leads out of the root.
    """
    found = (root / path.lstrip("/")).resolve()
    if not found.is_relative_to(root.resolve()):
        raise SinkError(f"{path!r} of the image leads out of its root.")
    return found


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def list_tree(root: Path) -> dict[str, tuple[str, int, str]]:
    """Return what lies below ``root``: path → kind, mode and content digest or link target."""
    return {path.relative_to(root).as_posix(): _fingerprint(path) for path in _walk(root)}


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        # Compiled files name the folder that they were made in, here a scratch folder of the build:
        # they would make equal builds differ, and Python makes them again where they are missing.
        if path.name == "__pycache__":
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _fingerprint(path: Path) -> tuple[str, int, str]:
    if path.is_symlink():
        return ("link", 0, str(path.readlink()))
    if path.is_dir():
        return ("folder", path.stat().st_mode & 0o777, "")
    return ("file", path.stat().st_mode & 0o777, hashlib.sha256(path.read_bytes()).hexdigest())


def changes(root: Path, before: dict[str, tuple[str, int, str]]) -> list[Entry]:
    """Return the layer that leads from the listing ``before`` to what ``root`` holds now."""
    after = list_tree(root)
    gone = {path for path in before if path not in after}
    # A folder's whiteout covers what was in it.
    removed = [Entry(path, "gone") for path in gone if str(PurePosixPath(path).parent) not in gone]
    made = [
        _entry(root, path, kind, mode)
        for path, (kind, mode, content) in after.items()
        if before.get(path) != (kind, mode, content)
    ]
    return removed + made


def _entry(root: Path, path: str, kind: str, mode: int) -> Entry:
    source = root / path
    if kind == "link":
        target = str(source.readlink())
        below = Path(target)
        # The way back of unpack: a link below the root is absolute in the image.
        image_target = f"/{below.relative_to(root)}" if below.is_relative_to(root) else target
        return Entry(path, "link", 0o777, target=image_target)
    if kind == "folder":
        return Entry(path, "folder", mode)
    return Entry(path, "file", mode, content=source.read_bytes())
