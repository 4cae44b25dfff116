"""A secret that is planted to be looked for, and the search for it wherever bytes may lie.

The search sees through what hides bytes: compression, archives within archives (images are those), base64 and
hexadecimal. What quotes text (JSON, URLs, shells, ``.env``) leaves letters and digits as they are, and
the marker is made of these; the value around it is text that each of them changes.
"""

from __future__ import annotations

import base64
import io
import os
import re
import secrets
import stat
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

_GZIP = b"\x1f\x8b"
_DEEPEST = 5
"""An image's layer is compressed in a tar in a registry's blob; nothing real goes further down."""


@dataclass(frozen=True)
class Planted:
    """One secret value; every instance is another one, so that no two runs find each other's."""

    marker: str = field(default_factory=lambda: f"planted{secrets.token_hex(8)}")

    @property
    def value(self) -> str:
        """Text that no format writes as it is, with the marker in it."""
        return f"{self.marker} \"double\" 'single' $HOME ${{HOME}} `id` \\n %2F é # = \n{self.marker}\\"

    @property
    def forms(self) -> tuple[bytes, ...]:
        """What the marker looks like where bytes are kept."""
        plain = self.marker.encode()
        found = {plain, plain.hex().encode(), plain.hex().upper().encode()}
        for before in range(3):
            # A place in base64 is one of three; what the neighbours have a part in is cut off.
            text = base64.b64encode(b"\0" * before + plain)
            found.add(text[4 if before else 0 : -4])
        return tuple(sorted(found))

    def is_in(self, content: bytes) -> bool:
        """Whether the bytes hold the marker as they are, in base64 or in hexadecimal."""
        return any(form in content for form in self.forms)

    def find_in(self, name: str, content: bytes, depth: int = 0) -> Iterator[str]:
        """Yield where the marker is: ``name``, or ``name!member`` inside what ``content`` packs."""
        if depth > _DEEPEST:
            return
        members = _unpack(content)
        for member, inner in members:
            place = f"{name}!{member}" if member else name
            if self.is_in(member.encode()):
                yield place
            yield from self.find_in(place, inner, depth + 1)
        if not members and self.is_in(content):
            yield name

    def find_below(self, folder: Path, since_s: float = 0.0) -> set[str]:
        """Return every place below a folder that has it, as paths from there.

        Args:
            folder: Files that go away while it is read are passed over, links are not followed.
            since_s: Only files that were written after this time.
        """
        found: set[str] = set()
        for path in _files(folder, since_s):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            found.update(self.find_in(str(path.relative_to(folder)), content))
        return found


class Arguments:
    """Looks at the arguments of every process of this machine again and again while it is entered.

    Attributes:
        seen: Every command line, its arguments joined by spaces.
    """

    def __init__(self, pause_s: float = 0.05) -> None:
        self.seen: set[bytes] = set()
        self._pause_s = pause_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="arguments", daemon=True)

    def __enter__(self) -> Arguments:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(self._pause_s):
            for process in os.scandir("/proc"):
                if process.name.isdigit():
                    self.seen.add(_command_line(process.path))


def pattern(place: str) -> str:
    """Return a place with what differs from run to run as ``*``: ids and digests."""
    return re.sub(r"\b[0-9a-f]{32,}\b", "*", place)


def _command_line(process: str) -> bytes:
    try:
        return Path(process, "cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        return b""  # it has ended


def _files(folder: Path, since_s: float) -> Iterator[Path]:
    device = folder.stat().st_dev
    for root, folders, names in os.walk(folder):
        # What is mounted below (a container's root, say) is kept somewhere else.
        folders[:] = [name for name in folders if _is_on(device, Path(root, name))]
        for name in names:
            path = Path(root, name)
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(found.st_mode) and max(found.st_mtime, found.st_ctime) >= since_s:
                yield path


def _is_on(device: int, folder: Path) -> bool:
    try:
        return folder.lstat().st_dev == device
    except FileNotFoundError:
        return False


def _unpack(content: bytes) -> list[tuple[str, bytes]]:
    """Return what the bytes pack, nothing if they pack nothing.

    A member without a name is the content itself, decompressed.
    """
    try:
        if content.startswith(_GZIP):
            return [("", _gunzip(content))]
        if content.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                return [(name, packed.read(name)) for name in packed.namelist()]
        if content[257:262] == b"ustar":
            with tarfile.open(fileobj=io.BytesIO(content)) as layer:
                return [(member.name, _read(layer, member)) for member in layer if member.isfile()]
    except (zlib.error, zipfile.BadZipFile, tarfile.TarError):
        pass  # it only begins like one
    return []


def _gunzip(content: bytes) -> bytes:
    """Not ``gzip.decompress``: what is being written has no end yet."""
    parts = []
    while content.startswith(_GZIP):
        reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
        parts.append(reader.decompress(content))
        content = reader.unused_data
    return b"".join(parts)


def _read(layer: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = layer.extractfile(member)
    return file.read() if file else b""
