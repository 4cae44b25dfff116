"""What git knows of an app: its commits, what is not committed, and the tree of one commit.

Every call names what a user's configuration could change, so that the same commit gives the same
answer on every machine.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sink_host.process import Completed, run
from the_sink.archive import Entry
from the_sink.errors import InputError, SinkError

MINIMUM_VERSION = (2, 38)
"""``git merge-tree --write-tree``, which updates are merged with, came with 2.38:
https://github.com/git/git/blob/master/Documentation/RelNotes/2.38.0.txt"""

_SHOWN = 5
"""So many file names fit into a sentence."""


@dataclass(frozen=True)
class Commit:
    """One commit of an app.

    Attributes:
        sha: 40 hexadecimal digits.
        subject: The first line of its message; may be "".
        committed_at: With a time zone.
    """

    sha: str
    subject: str
    committed_at: datetime

    @property
    def short(self) -> str:
        """The first eight digits, for people."""
        return self.sha[:8]


def check_git(folder: Path) -> None:
    """See that git is there and recent enough.

    Raises:
        InputError: it is missing or older than 2.38.
    """
    try:
        text = call(folder, "--version").text
    except InputError as error:
        raise InputError(
            "git is not installed, or not on the PATH.", "Install git 2.38 or later: https://git-scm.com."
        ) from error
    match = re.search(r"(\d+)\.(\d+)", text)
    if match is None or (int(match.group(1)), int(match.group(2))) < MINIMUM_VERSION:
        found = match.group(0) if match else text
        raise InputError(
            f"git {found} is too old, 2.38 or later is needed.", "Update git: https://git-scm.com."
        )


def find_repository(folder: Path) -> Path:
    """Return the top folder of the repository that ``folder`` is in.

    Raises:
        InputError: git is missing or too old; there is no repository, or git does not trust its owner.
    """
    check_git(folder)
    done = call(folder, "rev-parse", "--show-toplevel")
    if done.code == 0 and done.text:
        top = Path(done.text)
        if folder.resolve() != top.resolve() and not call(folder, "ls-files", "--", ".").text:
            raise InputError(
                f"{folder} is not a git repository: {top}, which it lies in, holds none of its files.",
                'Make it one: git init && git add --all && git commit --message "Start".',
            )
        return top
    require_trusted(folder, done.error_text)
    if "must be run in a work tree" in done.error_text:
        raise InputError(
            f"{folder} is inside a git folder, not a working tree.", "Change to the app's folder."
        )
    raise InputError(
        f"{folder} is not a git repository.",
        'Make it one: git init && git add --all && git commit --message "Start".',
    )


def resolve_commit(folder: Path, name: str = "") -> Commit:
    """Return the commit that ``name`` means: a SHA or its beginning, a branch, a tag; "" means HEAD.

    Raises:
        InputError: not a repository, without commits, or no single commit of that name.
    """
    find_repository(folder)
    if call(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").code and not name:
        raise InputError(
            f"The repository of {folder} has no commits.",
            'Commit first: git add --all && git commit -m "Start".',
        )
    wanted = name or "HEAD"
    done = call(folder, "rev-parse", "--verify", "--end-of-options", f"{wanted}^{{commit}}")
    if "ambiguous" in done.error_text:
        raise _ambiguous(folder, wanted)
    if done.code or not re.fullmatch(r"[0-9a-f]{40}", done.text):
        raise InputError(
            f"There is no commit {wanted!r} in this repository.",
            "If it was pushed from elsewhere: git fetch. What there is: git log --oneline.",
        )
    return _describe(folder, done.text)


def has_commit(folder: Path, sha: str) -> bool:
    """Say whether this clone has a commit; ``sha`` is the full one."""
    return call(folder, "cat-file", "-e", f"{sha}^{{commit}}").code == 0


def is_ancestor(folder: Path, older: str, newer: str) -> bool | None:
    """Say whether commit ``older`` is part of ``newer``'s history; None where git lacks one of them."""
    code = call(folder, "merge-base", "--is-ancestor", older, newer).code
    return code == 0 if code in {0, 1} else None


def github_repository(folder: Path) -> str:
    """Return ``owner/name`` of the repository on GitHub that ``origin`` is, "" where it is not on GitHub."""
    url = call(folder, "remote", "get-url", "origin").text
    found = re.fullmatch(
        r"(?:https://(?:[^@/]+@)?|ssh://git@|git@)github\.com[:/]([\w-]+/[\w.-]+?)(?:\.git)?/?", url.strip()
    )
    return found[1] if found else ""


def describe_identity(folder: Path) -> str:
    """Return who commits here, ``Name <address>`` as far as git has been told; "" for nobody."""
    name = call(folder, "config", "user.name").text.strip()
    address = call(folder, "config", "user.email").text.strip()
    return " ".join(filter(None, (name, f"<{address}>" if address else "")))


def changed_files(folder: Path) -> tuple[str, ...]:
    """Return the files at or below ``folder`` that differ from HEAD or are new, ignored ones aside."""
    done = checked(
        folder,
        *(
            "-c",
            "core.quotePath=false",
            "status",
            "--porcelain=v1",
            "-z",
            "--untracked-files=all",
            "--no-renames",
        ),
        *("--", "."),
    )
    return tuple(sorted(line[3:] for line in done.output.decode("utf-8", "replace").split("\0") if line))


_DEPLOY_HINT = "Only commits are deployed: git add and git commit them, or git stash --include-untracked."


def require_clean(folder: Path, hint: str = _DEPLOY_HINT) -> None:
    """See that everything is committed: what is deployed is a commit, and nobody should think otherwise.

    Args:
        folder: What is at or below it counts.
        hint: What to do about it, and why.

    Raises:
        InputError: listing what is not committed.
    """
    changed = changed_files(folder)
    if not changed:
        return
    names = ", ".join(changed[:_SHOWN]) + (
        f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    )
    are = "1 file is" if len(changed) == 1 else f"{len(changed)} files are"
    raise InputError(
        f"{are} not committed: {names}.",
        hint,
    )


def read_tree(folder: Path, sha: str) -> Iterator[Entry]:
    """Yield the files of a commit at or below ``folder``, with paths relative to it.

    ``git archive`` decides what is in it, so ``.gitattributes`` with ``export-ignore`` is honoured, as
    it is in that commit. Line ends are those that git holds, whatever this machine's configuration says.

    Raises:
        InputError: a file's name is not UTF-8, which an archive's names must be.
    """
    done = checked(
        folder,
        *("-c", "core.autocrlf=false", "-c", "core.eol=lf", "-c", f"core.attributesFile={os.devnull}"),
        *("archive", "--format=tar", sha),
    )
    with tarfile.open(fileobj=io.BytesIO(done.output), mode="r:", encoding="utf-8") as archive:
        for member in archive:
            if member.isdir():
                continue  # git holds no folders; these are implied by paths, or are submodules
            _check_name(member.name)
            if member.issym():
                yield Entry(member.name, member.linkname.encode("utf-8", "surrogateescape"), is_link=True)
            elif (content := archive.extractfile(member)) is not None:
                yield Entry(member.name, content.read(), is_executable=bool(member.mode & 0o111))


def _describe(folder: Path, sha: str) -> Commit:
    # %s is the subject, %cI the committer's date; neither holds a newline.
    fields = checked(folder, "show", "--no-patch", "--no-show-signature", "--format=%cI%n%s", sha).text.split(
        "\n"
    )
    return Commit(sha, fields[1] if len(fields) > 1 else "", datetime.fromisoformat(fields[0]))


def _ambiguous(folder: Path, name: str) -> InputError:
    listed = call(folder, "rev-parse", f"--disambiguate={name}").text.split() if len(name) >= 4 else []
    commits = [sha for sha in listed if call(folder, "cat-file", "-t", sha).text == "commit"]
    if len(commits) > 1:
        shown = ", ".join(sha[: len(name) + 4] for sha in commits[:_SHOWN])
        return InputError(
            f"{name!r} is the beginning of {len(commits)} commits: {shown}.", "Give more digits."
        )
    return InputError(
        f"{name!r} names more than one thing in this repository.", "Give the commit's SHA instead."
    )


def _check_name(path: str) -> None:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "backslashreplace").decode()
        raise InputError(f"The name of {shown} is not UTF-8.", "Rename the file: git mv.") from None


def checked(folder: Path, *arguments: str, stdin: bytes | None = None) -> Completed:
    """Run git and return what it said.

    Raises:
        SinkError: it failed, in git's own last line.
    """
    done = call(folder, *arguments, stdin=stdin)
    if done.code:
        reason = done.error_text.splitlines()[-1] if done.error_text else f"exit code {done.code}"
        verb = next((word for word in arguments if not word.startswith("-") and "=" not in word), "")
        raise SinkError(f"git {verb} failed in {folder}: {reason}.")
    return done


def require_trusted(folder: Path | str, said: str) -> None:
    """See that git did not refuse a repository for its owner.

    Args:
        folder: The repository.
        said: What git wrote to standard error.

    Raises:
        InputError: it did. https://git-scm.com/docs/git-config#Documentation/git-config.txt-safedirectory
    """
    if "dubious ownership" in said:
        raise InputError(
            f"git does not trust {folder}: it belongs to another user.",
            f"If you trust it: git config --global --add safe.directory {folder}.",
        )


def call(folder: Path, *arguments: str, stdin: bytes | None = None) -> Completed:
    """Run git in a folder, whatever an outer git or this machine's language say; its exit code is yours."""
    return run(["git", "--no-pager", *arguments], folder, env=environment(), stdin=stdin)


def environment() -> dict[str, str]:
    """Return the variables for git, or a program that runs git: none that name another repository."""
    env = {
        name: value
        for name, value in os.environ.items()
        # What a hook or an outer git sets would lead every call to another repository.
        if name not in {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_NAMESPACE"}
    }
    env |= {"LC_ALL": "C.UTF-8", "LANGUAGE": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    return env | {"GIT_ATTR_NOSYSTEM": "1"}
