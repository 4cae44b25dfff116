"""Where the files that are checked come from: a folder on this machine, or the tree of one commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from the_sink.config.problems import Problem


class Files(Protocol):
    """The files of an app, by their paths in it."""

    def read(self, file: str) -> tuple[str, list[Problem]]:
        """Return a file's text, or "" and why there is none."""
        ...

    def has(self, file: str) -> bool:
        """Say whether there is such a file."""
        ...


@dataclass(frozen=True)
class Folder:
    """An app's working tree, committed or not."""

    root: Path

    def read(self, file: str) -> tuple[str, list[Problem]]:
        """Return a file's text, or "" and why there is none."""
        if not self.has(file):
            return "", [Problem(file, "it is missing.", f"Restore it: git checkout HEAD -- {file}.")]
        try:
            return _text(file, (self.root / file).read_bytes())
        except OSError as error:
            return "", [Problem(file, f"it cannot be read: {error.strerror}.")]

    def has(self, file: str) -> bool:
        """Say whether there is such a file."""
        return (self.root / file).is_file()


@dataclass(frozen=True)
class Tree:
    """What one commit holds, whatever the working tree looks like.

    Args:
        contents: Bytes by path.
    """

    contents: Mapping[str, bytes]

    def read(self, file: str) -> tuple[str, list[Problem]]:
        """Return a file's text, or "" and why there is none."""
        if not self.has(file):
            return "", [Problem(file, "it is missing.", "Commit it.")]
        return _text(file, self.contents[file])

    def has(self, file: str) -> bool:
        """Say whether there is such a file."""
        return file in self.contents


def _text(file: str, content: bytes) -> tuple[str, list[Problem]]:
    try:
        # As in text mode: a checkout with Windows line ends says the same.
        text = content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return "", [Problem(file, "it is not UTF-8 text.", "Save it as UTF-8.")]
    if text.startswith("\ufeff"):
        # AWS does not say which of its readers take one, and those of other machines differ.
        return "", [Problem(file, "it begins with a byte-order mark.", "Save it as UTF-8 without one.")]
    return text, []
