"""From a commit to its archive: the tree that git holds, and the built files that ``sink.toml`` names.

The edge beside :mod:`the_sink.archive`, which does the packing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from sink_host.process import show
from the_sink.archive import Archive, Entry, Manifest, pack
from the_sink.checks.validation import check_release
from the_sink.config import Settings
from the_sink.config.answers import FILE as ANSWERS_FILE
from the_sink.config.answers import parse_answers
from the_sink.config.files import Tree
from the_sink.config.problems import Problem, warnings_of
from the_sink.errors import InputError, SinkError
from the_sink.local.git import Commit, read_tree, require_clean, resolve_commit

REQUIRED = ("aws/buildspec.yaml", "aws/cfn-template.yml")
"""Without these in it no pipeline can act on an archive."""


def check_commit(settings: Settings, commit: Commit, env: str, *, is_checked_out: bool) -> list[Problem]:
    """See that the pipeline of an environment can act on a commit's own files, whatever is checked out.

    Args:
        settings: Of the working tree: they are what the pipeline was made from.
        commit: The one to deploy.
        env: The environment.
        is_checked_out: Whether ``validate`` would say the same, so that a refusal need not name the commit.

    Returns:
        What is worth knowing all the same.

    Raises:
        ConfigError: it cannot; the first reason, and how many more there are.
    """
    tree = Tree({entry.path: entry.content for entry in read_tree(settings.root, commit.sha)})
    missing = [path for path in REQUIRED if not tree.has(path)]
    if missing:
        raise _no_app(commit, missing)
    return warnings_of(check_release(tree, settings, env), "" if is_checked_out else commit.short)


def package_commit(settings: Settings, commit: Commit, folder: Path) -> Archive:
    """Pack a commit of an app into ``folder/<sha>.zip``.

    Runs ``package.before`` and adds ``package.include`` first, where ``sink.toml`` has them. Such files
    come from the working tree, so they can only join the commit that is checked out, with nothing changed.

    Raises:
        InputError: the commit holds no app; files are named that cannot be packed; the archive is too large.
        SinkError: ``package.before`` failed.
    """
    extra: list[Entry] = []
    if settings.package.before or settings.package.include:
        _require_checked_out(settings.root, commit)
        _run_before(settings)
    tree = {entry.path: entry for entry in read_tree(settings.root, commit.sha)}
    if settings.package.include:
        extra = [
            entry for entry in _included(settings.root, settings.package.include) if entry.path not in tree
        ]
    missing = [path for path in REQUIRED if path not in tree]
    if missing:
        raise _no_app(commit, missing)
    manifest = Manifest(
        app=settings.app,
        commit=commit.sha,
        subject=commit.subject,
        committed_at=commit.committed_at,
        template_version=_template_version(tree.get(ANSWERS_FILE)),
    )
    return pack([*tree.values(), *extra], manifest, folder / f"{commit.sha}.zip")


def _no_app(commit: Commit, missing: Iterable[str]) -> InputError:
    return InputError(
        f"Commit {commit.short} holds no {' and no '.join(missing)}: no pipeline can deploy it.",
        "Commit the app's aws/ folder, or choose a commit that has it.",
    )


def _require_checked_out(root: Path, commit: Commit) -> None:
    if resolve_commit(root).sha != commit.sha:
        raise InputError(
            f"sink.toml has [package], files of the working tree, and {commit.short} is not checked out.",
            f"Check it out first: git checkout {commit.short}.",
        )
    require_clean(root)


def _run_before(settings: Settings) -> None:
    command = settings.package.before
    if not command:
        return
    # The user's own line, so a shell reads it. What it prints is no data of the task's.
    code = show(["/bin/sh", "-c", command], settings.root, is_data=False)
    if code:
        raise SinkError(
            f"package.before of sink.toml ended with exit code {code}: {command}.",
            "Its own words are above; nothing was packed.",
        )


def _included(root: Path, patterns: Iterable[str]) -> Iterator[Entry]:
    seen: set[Path] = set()
    for pattern in patterns:
        found = [path for match in sorted(root.glob(pattern)) for path in _files(match)]
        if not found:
            raise InputError(
                f"package.include of sink.toml names {pattern!r}, and there is no such file.",
                "Build it first, name the command in package.before, or take the line out.",
            )
        for path in found:
            if path not in seen:
                seen.add(path)
                yield _entry(root, path)


def _files(match: Path) -> Iterator[Path]:
    if match.is_symlink() or match.is_file():
        yield match
    elif match.is_dir():
        for folder, folders, names in os.walk(match):
            folders.sort()
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            yield from (Path(folder) / name for name in sorted([*names, *links]))


def _entry(root: Path, path: Path) -> Entry:
    relative = path.relative_to(root).as_posix()
    is_secret = re.fullmatch(r"\.env(\..*)?", path.name) and path.suffix != ".example"
    if is_secret or ".git" in path.relative_to(root).parts:
        raise InputError(
            f"package.include of sink.toml names {relative}, which never goes into an archive.",
            "Settings reach the app through its secret: take the line out.",
        )
    if not path.resolve().is_relative_to(root.resolve()):
        raise InputError(
            f"package.include of sink.toml names {relative}, which leads out of the app's folder.",
            "Copy what is meant into the app (package.before can do that), and name the copy.",
        )
    if path.is_symlink():
        return Entry(relative, os.fsencode(path.readlink()), is_link=True)
    return Entry(relative, path.read_bytes(), is_executable=os.access(path, os.X_OK))


def _template_version(answers: Entry | None) -> str:
    parsed = parse_answers(answers.content.decode("utf-8", "replace")) if answers else None
    return parsed.template_version if parsed else ""
