"""``sink-build``, packed: the zip that builds and Commands actions of the platform's run.

The same sources at the same version are the same bytes wherever they are packed, because a published
version never changes: the order is fixed, times and modes are one, and nothing is compressed (deflate's
output differs between the zlibs of different makers).
"""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

_SHEBANG = b"#!/usr/bin/env python3\n"
"""So that it is a program once it may be executed. What a zip imports first is its own, never the folder that
it is run in: https://docs.python.org/3/using/cmdline.html#interface-options"""

_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip can say."""


def pack_sink_build(sources: Path, version: str) -> bytes:
    """Return the zip.

    Args:
        sources: The folder ``stacks/python/build``.
        version: The platform's; it is what the program says of itself.
    """
    files = {path.relative_to(sources).as_posix(): path.read_bytes() for path in sources.rglob("*.py")}
    files["sink_build/VERSION"] = f"{version}\n".encode()
    target = io.BytesIO(_SHEBANG)
    target.seek(0, io.SEEK_END)
    with zipfile.ZipFile(target, "a", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system = 3  # Unix, on every system: it decides how the mode is read
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, content)
    return target.getvalue()
