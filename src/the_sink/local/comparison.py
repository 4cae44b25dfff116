"""A release's archive held against what this clone has of its commit.

Whoever may write into the bucket may have put other files under a commit's name. A clone that has the commit
knows which files it holds, so a promotion need not believe the bucket.
"""

from __future__ import annotations

import stat
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from the_sink.archive import RELEASE_FILE, Archive, Entry
from the_sink.config import Settings
from the_sink.config.settings import FILE as SETTINGS_FILE
from the_sink.errors import InputError
from the_sink.local import git

_SHOWN = 3


@dataclass(frozen=True)
class _Difference:
    """How an archive's files differ from the commit's; paths, sorted."""

    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]

    def __str__(self) -> str:
        parts = ((self.changed, "changed"), (self.missing, "missing"), (self.added, "added"))
        return "; ".join(f"{verb}: {_listed(paths)}" for paths, verb in parts if paths)


def compare_with_commit(settings: Settings, archive: Archive, sha: str) -> str:
    """Return what a person should know of the difference between an archive and this clone's commit.

    Args:
        settings: The app's.
        archive: As it lies in the bucket, fetched to this machine.
        sha: The commit under whose name it lies there.

    Returns:
        "" where the clone has no such commit, or the archive holds its files and no others; a sentence where
        it holds more, which ``[package]`` explains.

    Raises:
        InputError: the files differ otherwise, or ``release.json`` names another release.
    """
    manifest = archive.manifest
    if (manifest.app, manifest.commit) != (settings.app, sha):
        raise _refusal(sha, f"it says that it is {manifest.commit[:8]} of {manifest.app}")
    if not git.has_commit(settings.root, sha):
        return ""
    tree = {entry.path: entry for entry in git.read_tree(settings.root, sha)}
    found = _read(archive.path, sha)
    difference = _Difference(
        changed=tuple(sorted(path for path in tree.keys() & found.keys() if tree[path] != found[path])),
        missing=tuple(sorted(tree.keys() - found.keys())),
        added=tuple(sorted(found.keys() - tree.keys() - {RELEASE_FILE})),
    )
    if not str(difference):
        return ""
    if difference.changed or difference.missing or not _has_package(settings, tree):
        raise _refusal(sha, str(difference))
    return (
        f"Not compared with this clone's commit {sha[:8]}, because git does not hold it ([package] of "
        f"{SETTINGS_FILE}): {_listed(difference.added)}."
    )


def _has_package(settings: Settings, tree: Mapping[str, Entry]) -> bool:
    """Whether the commit's settings, or those checked out, pack files that git does not hold."""
    if settings.package.include or settings.package.before:
        return True
    try:
        package = tomllib.loads(tree[SETTINGS_FILE].content.decode()).get("package", {})
    except (KeyError, ValueError):
        return False
    return bool(package.get("include") or package.get("before"))


def _read(path: Path, sha: str) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    with zipfile.ZipFile(path) as packed:
        for info in packed.infolist():
            if info.is_dir():
                continue
            if info.filename in found:
                # Which of the two counts is whoever unpacks it's to choose.
                raise _refusal(sha, f"{info.filename} is in it twice")
            mode = info.external_attr >> 16
            is_link = stat.S_ISLNK(mode)
            is_executable = bool(mode & stat.S_IXUSR) and not is_link
            found[info.filename] = Entry(info.filename, packed.read(info), is_executable, is_link)
    return found


def _listed(paths: tuple[str, ...]) -> str:
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _refusal(sha: str, what: str) -> InputError:
    return InputError(
        f"The archive of {sha[:8]} is not what this clone has as {sha[:8]}: {what}.",
        "Find out who put it there. A release never changes: commit anew, and deploy that to stage.",
    )
