"""The repository that an app's template comes from: its released versions, and the commits they name.

Everything is read from a clone of this process's own, so that what is looked up stays the same while an
update runs and the source, which may be somebody's working folder, is never written to.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from the_sink.config import answers
from the_sink.errors import InputError
from the_sink.local import git
from the_sink.models import Version, parse_version

RELEASES_FILE = "releases.toml"
"""At the root of the platform's default branch: released versions and their commits."""

_DESCRIBED = re.compile(r".+-\d+-g([0-9a-f]{7,40})")
"""``git describe`` between two tags, which copier writes as ``_commit``: v1.0.0-3-gabcdef0."""

_SHORT_FORMS = ((r"^git\+", ""), (r"^gh:/?", "https://github.com/"), (r"^gl:/?", "https://gitlab.com/"))
"""What copier understands besides git's own addresses: https://copier.readthedocs.io/en/stable/generating/"""

_REPAIR_SOURCE = "Write the template's URL or absolute path as _src_path, and commit."


@dataclass(frozen=True)
class TemplateSource:
    """A template's repository.

    Attributes:
        name: As the answers name it.
        clone: A clone of it that has a tag for every released version.
        released: The commit of each released version, oldest version first.
    """

    name: str
    clone: Path
    released: Mapping[Version, str]

    @property
    def newest(self) -> Version | None:
        """The newest released version, None where nothing was released."""
        return max(self.released, default=None)

    def resolve(self, name: str) -> str | None:
        """Return the full commit that a version, tag, commit, branch or ``_commit`` names; None for none."""
        if (version := parse_version(name)) and version in self.released:
            return self.released[version]
        return _parse(self.clone, name) or _parse(self.clone, f"origin/{name}")

    def describe(self, commit: str) -> str:
        """Return what copier will call a commit: a tag, or how far it is past one."""
        return git.checked(self.clone, "describe", "--tags", "--always", commit).text

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether one commit led to another; a commit is no ancestor of its own here."""
        return older != newer and not git.call(self.clone, "merge-base", "--is-ancestor", older, newer).code

    def read(self, commit: str, path: str) -> str | None:
        """Return a file as one commit has it, None if it has none."""
        done = git.call(self.clone, "show", f"{commit}:{path}")
        return None if done.code else done.output.decode("utf-8", "replace")

    @property
    def is_shallow(self) -> bool:
        """Whether the source itself lacks the beginning of its history."""
        return git.checked(self.clone, "rev-parse", "--is-shallow-repository").text == "true"


def open_source(name: str, folder: Path) -> TemplateSource:
    """Clone a template's repository.

    Args:
        name: ``_src_path`` of an app's answers.
        folder: A folder that does not exist yet, for the clone.

    Raises:
        InputError: it is no repository, cannot be reached, or has changes that no commit names.
    """
    address = _address(name)
    done = git.call(folder.parent, "clone", "--quiet", "--no-checkout", "--", address, str(folder))
    if done.code:
        git.require_trusted(address, done.error_text)
        lines = [line for line in done.error_text.splitlines() if line.startswith(("fatal:", "ERROR:"))]
        reason = (lines or done.error_text.splitlines() or ["git gave no reason"])[0]
        raise InputError(
            without_credentials(
                f"The platform's template cannot be fetched from {name}: {reason.removeprefix('fatal: ')}"
            ),
            f"Try it by hand: git ls-remote {without_credentials(address)}",
        )
    tags = git.checked(folder, "tag", "--list").text.split()
    released = {
        version: git.checked(folder, "rev-parse", f"refs/tags/{tag}^{{commit}}").text
        for tag in tags
        if (version := parse_version(tag))
    }
    for version, commit in read_releases(git.call(folder, "show", f"HEAD:{RELEASES_FILE}").text).items():
        if version in released or git.call(folder, "cat-file", "-e", f"{commit}^{{commit}}").code:
            continue  # the tag wins; a commit that a shallow source lacks cannot be updated to or from
        git.checked(folder, "tag", f"v{version}", commit)
        released[version] = commit
    return TemplateSource(name, folder, dict(sorted(released.items())))


def without_credentials(text: str) -> str:
    """Return a text with what stands before the host in its addresses left out: it may be a token."""
    return re.sub(r"(\b[a-z][a-z0-9+.-]*://)[^/\s@]*@", r"\1", text)


def read_releases(text: str) -> dict[Version, str]:
    """Return what a ``releases.toml`` says; lines that are no version and full commit are left out."""
    try:
        table = tomllib.loads(text).get("releases", {})
    except tomllib.TOMLDecodeError:
        return {}
    return {
        version: commit
        for name, commit in table.items()
        if (version := parse_version(name)) and re.fullmatch(r"[0-9a-f]{40}", str(commit))
    }


def find_commit(folder: Path, name: str) -> str | None:
    """Return the full commit that an app's ``_commit`` names in a repository of this machine, or None."""
    done = _parse(folder, name)
    if done is None and (version := parse_version(name)):
        commit = read_releases(git.call(folder, "show", f"HEAD:{RELEASES_FILE}").text).get(version, "")
        return _parse(folder, commit) if commit else None
    return done


def check_folder(name: str) -> str:
    """Return the path that ``_src_path`` names on this machine: a repository without changes, or a bundle.

    Raises:
        InputError: there is none, it is no repository, or it has changes that no commit names.
    """
    try:
        folder = Path(name).expanduser()
    except RuntimeError:  # no home folder is known, of this user or of the one that is named
        raise InputError(
            f"{answers.FILE}: _src_path is {name}, and no home folder is known for it.", _REPAIR_SOURCE
        ) from None
    if folder.is_file():
        return str(folder)  # a bundle, which git clones like a repository
    if not folder.is_dir():
        raise InputError(
            f"{answers.FILE}: _src_path is {name}, and there is no such folder on this machine.",
            _REPAIR_SOURCE,
        )
    found = git.call(folder, "rev-parse", "--is-inside-work-tree", "--show-cdup", "--git-dir")
    git.require_trusted(folder, found.error_text)
    # The top of a work tree, whose .git is a file in a worktree of "git worktree", or a bare repository.
    if not (found.text.startswith("true\n\n") or found.text == "false\n."):
        raise InputError(
            f"{answers.FILE}: _src_path is {name}, which is not a git repository: it has no versions.",
            _REPAIR_SOURCE,
        )
    changed = git.changed_files(folder) if (folder / ".git").exists() else ()
    if changed:
        count = "1 file" if len(changed) == 1 else f"{len(changed)} files"
        raise InputError(
            f"The platform's template in {folder} has changes that no version names: {count}, "
            f"{changed[0]}{' first' * (len(changed) > 1)}.",
            "Commit them there, or put them aside: git stash --include-untracked.",
        )
    return str(folder)


def _address(name: str) -> str:
    address = name
    for pattern, replacement in _SHORT_FORMS:
        address = re.sub(pattern, replacement, address)
    return check_folder(address) if address.startswith(("/", "~")) else address


def _parse(folder: Path, name: str) -> str | None:
    described = _DESCRIBED.fullmatch(name)
    revision = described[1] if described else name
    done = git.call(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return None if done.code else done.text
