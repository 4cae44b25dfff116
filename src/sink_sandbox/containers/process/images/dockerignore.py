"""Which files of a build context ``COPY`` sees: ``.dockerignore``, as Docker reads it.

https://docs.docker.com/build/concepts/context/#dockerignore-files
"""

from __future__ import annotations

import os
import re
from pathlib import Path


def pattern_to_regex(pattern: str) -> str:
    """Return the regular expression of one glob: ``*``, ``?``, ``[…]`` within a name, ``**`` across names."""
    pieces: list[str] = []
    position = 0
    while position < len(pattern):
        letter = pattern[position]
        if pattern.startswith("**/", position):
            pieces.append("(?:.*/)?")
            position += 3
            continue
        if pattern.startswith("**", position):
            pieces.append(".*")
            position += 2
            continue
        if letter == "*":
            pieces.append("[^/]*")
        elif letter == "?":
            pieces.append("[^/]")
        elif letter == "[" and "]" in pattern[position + 2 :]:
            end = pattern.index("]", position + 2)
            body = pattern[position + 1 : end].replace("\\", "\\\\")
            pieces.append(f"[{body}]")
            position = end
        elif letter == "\\" and position + 1 < len(pattern):
            position += 1
            pieces.append(re.escape(pattern[position]))
        else:
            pieces.append(re.escape(letter))
        position += 1
    return "".join(pieces)


class Ignored:
    """The rules of a context; the last one that matches a path or a folder above it decides."""

    def __init__(self, lines: list[str]) -> None:
        self._rules: list[tuple[bool, re.Pattern[str]]] = []
        for raw in lines:
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            keep = line.startswith("!")
            pattern = os.path.normpath(line.removeprefix("!").strip().lstrip("/"))
            if pattern != ".":
                # A rule for a folder holds for everything in it.
                self._rules.append((keep, re.compile(pattern_to_regex(pattern) + "(?:/.*)?")))

    def __contains__(self, path: str) -> bool:
        ignored = False
        for keep, regex in self._rules:
            if regex.fullmatch(path):
                ignored = not keep
        return ignored


def read_ignored(context: Path, dockerfile: Path) -> Ignored:
    """Return the rules: those beside the Dockerfile (``<Dockerfile>.dockerignore``) before the context's."""
    for candidate in (dockerfile.with_name(dockerfile.name + ".dockerignore"), context / ".dockerignore"):
        if candidate.is_file():
            return Ignored(candidate.read_text(encoding="utf-8-sig").splitlines())
    return Ignored([])
