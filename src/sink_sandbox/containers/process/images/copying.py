"""What ``COPY`` puts into a layer: sources, globs and destinations, read as Docker reads them.

https://docs.docker.com/reference/dockerfile/#copy
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sink_sandbox.containers.process.images.dockerfile import Instruction
from sink_sandbox.containers.process.images.dockerignore import Ignored, pattern_to_regex
from sink_sandbox.containers.process.images.layers import Entry, normal_mode


@dataclass(frozen=True)
class Context:
    """The folder that a build may copy from."""

    root: Path
    ignored: Ignored

    def copy(
        self,
        instruction: Instruction,
        words: list[str],
        workdir: str,
        is_folder: Callable[[str], bool],
    ) -> list[Entry]:
        """Return the entries that ``COPY words[:-1] words[-1]`` makes.

        Args:
            instruction: For its flags and for messages.
            words: Sources and destination, variables replaced.
            workdir: What relative destinations are relative to.
            is_folder: Whether an absolute path is a folder of the image already.

        Raises:
            InputError: a source that does not exist, is ignored or lies outside, or a flag that is not
                understood.
        """
        if len(words) < 2:
            raise instruction.refuse("COPY needs a source and a destination.")
        flags = dict(instruction.flags)
        for name in flags:
            if name not in {"chown", "chmod", "link"}:
                raise instruction.refuse(f"COPY --{name} is not understood without a Docker Engine.")
        mode = _octal(instruction, flags.get("chmod", ""))
        *patterns, last = words
        sources = [source for pattern in patterns for source in self._match(instruction, pattern)]
        # As in Docker, a glob may match nothing as long as something is copied.
        if not sources:
            raise instruction.refuse(f"{' '.join(patterns)} matches nothing in the build context.")
        target = posixpath.normpath(posixpath.join("/", workdir, last))
        into = last.endswith(("/", "/.")) or last == "." or is_folder(target)
        if len(sources) > 1 and not into:
            raise instruction.refuse("COPY of more than one source needs a destination that ends with '/'.")
        entries: dict[str, Entry] = {}
        for source in sources:
            for entry in self._copy_one(source, target.lstrip("/"), into, mode, flags.get("chown", "")):
                entries[entry.path] = entry
        return list(entries.values())

    def _match(self, instruction: Instruction, pattern: str) -> list[str]:
        path = posixpath.normpath(pattern.lstrip("/") or ".")
        if path == ".." or path.startswith("../"):
            raise instruction.refuse(f"{pattern} lies outside the build context.")
        if not re.search(r"[*?\[]", path):
            if path != "." and (path in self.ignored or not (self.root / path).exists()):
                hint = "A .dockerignore leaves it out." if (self.root / path).exists() else ""
                raise instruction.refuse(f"{pattern} is not in the build context.", hint)
            if not (self.root / path).resolve().is_relative_to(self.root.resolve()):
                raise instruction.refuse(f"{pattern} leads out of the build context.")
            return [path]
        # COPY's globs have no **: a star stays within one name.
        regex = re.compile(pattern_to_regex(path.replace("**", "*")))
        return [name for name in self._walk("") if regex.fullmatch(name)]

    def _walk(self, folder: str) -> Iterator[str]:
        for full in sorted((self.root / folder).iterdir()):
            path = full.relative_to(self.root).as_posix()
            if path not in self.ignored:
                yield path
            # An ignored folder is entered all the same: a later rule may keep something in it.
            if full.is_dir() and not full.is_symlink():
                yield from self._walk(path)

    def _copy_one(
        self, source: str, target: str, into: bool, mode: int | None, owner: str
    ) -> Iterator[Entry]:
        full = self.root / source
        if not full.is_dir():
            name = posixpath.join(target, posixpath.basename(source)) if into else target
            # A link that is named itself is followed, one within a folder is kept: as Docker does.
            yield self._entry(full.resolve(), name, mode, owner)
            return
        if target:
            yield Entry(target, "folder", 0o755 if mode is None else mode, owner=owner)
        prefix = "" if source == "." else source
        for path in self._walk(prefix):
            name = posixpath.join(target, posixpath.relpath(path, source))
            yield self._entry(self.root / path, name, mode, owner)

    @staticmethod
    def _entry(path: Path, name: str, mode: int | None, owner: str) -> Entry:
        if path.is_symlink():
            return Entry(name, "link", 0o777, target=str(path.readlink()), owner=owner)
        if path.is_dir():
            return Entry(name, "folder", 0o755 if mode is None else mode, owner=owner)
        kept = normal_mode(path.stat().st_mode & 0o777) if mode is None else mode
        return Entry(name, "file", kept, content=path.read_bytes(), owner=owner)


def _octal(instruction: Instruction, text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise instruction.refuse(f"COPY --chmod={text} is not understood; write three octal digits.")
    return int(text, 8)
