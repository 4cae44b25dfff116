"""A copy of one commit in a repository of its own, to try a change in, and the way back into the real one.

The real repository is read until the change is complete; then one ``git apply`` makes all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sink_host.process import uninterrupted
from the_sink.errors import InputError
from the_sink.local import git

_IDENTITY = ("-c", "user.name=the-sink", "-c", "user.email=the-sink@localhost", "-c", "commit.gpgsign=false")


@dataclass(frozen=True)
class Scratch:
    """The copy.

    Attributes:
        top: Its working tree.
        original: The real repository's top folder.
        base: The commit in the copy that has the real commit's files.
    """

    top: Path
    original: Path
    base: str

    def commit_all(self) -> None:
        """Commit what was changed, so that the working tree is clean."""
        git.checked(self.top, "add", "--all")
        git.checked(self.top, *_IDENTITY, "commit", "--quiet", "--no-verify", "--message", "Prepared")

    def stage_all(self, also: Sequence[str] = ()) -> None:
        """Put every change into the index; of what git ignores only what the base has, and ``also``."""
        git.checked(self.top, "add", "--all")
        if also:
            git.checked(self.top, "add", "--force", "--", *also)

    def changes(self) -> dict[str, str]:
        """Return each staged path that differs from the base, with git's letter for it: A, M, D or T."""
        return dict(self._diff("--no-renames"))

    def renames(self) -> dict[str, str]:
        """Return the new path of each removed file that git finds again under another name."""
        done = git.checked(
            self.top,
            "diff",
            "--cached",
            "--name-status",
            "-z",
            "--find-renames=30%",
            "--diff-filter=R",
            self.base,
        )
        fields = done.output.decode("utf-8", "surrogateescape").split("\0")[:-1]
        return dict(zip(fields[1::3], fields[2::3], strict=True))

    def unmerged(self) -> dict[str, dict[int, tuple[str, str]]]:
        """Return the paths in conflict; for each stage that there is, the file's mode and blob."""
        done = git.checked(self.top, "ls-files", "--unmerged", "-z")
        found: dict[str, dict[int, tuple[str, str]]] = {}
        for entry in done.output.decode("utf-8", "surrogateescape").split("\0")[:-1]:
            details, _, path = entry.partition("\t")
            mode, blob, stage = details.split()
            found.setdefault(path, {})[int(stage)] = (mode, blob)
        return found

    def new_files(self, pattern: str) -> tuple[str, ...]:
        """Return the paths that git does not know, ignored ones too, whose name matches ``pattern``."""
        done = git.checked(self.top, "ls-files", "--others", "-z", "--", f":(glob)**/{pattern}")
        return tuple(done.output.decode("utf-8", "surrogateescape").split("\0")[:-1])

    def read_base(self, path: str) -> bytes | None:
        """Return a file as the base has it, None if it has none."""
        done = git.call(self.top, "cat-file", "blob", f"{self.base}:{path}")
        return None if done.code else done.output

    def restore(self, path: str) -> None:
        """Bring a file back as the base has it."""
        git.checked(self.top, "checkout", "--quiet", self.base, "--", path)

    def entry(self, path: str) -> tuple[str, str]:
        """Return the mode and blob of a file of the base."""
        mode, _, blob = git.checked(self.top, "ls-tree", self.base, "--", path).text.split("\t")[0].split()
        return mode, blob

    def store(self, content: bytes) -> str:
        """Store a blob and return its name."""
        return git.checked(self.top, "hash-object", "-w", "--stdin", stdin=content).text

    def apply(self, unmerged: Mapping[str, Mapping[int, tuple[str, str]]]) -> None:
        """Make the staged changes in the real repository, its working tree and index, all or none.

        Ctrl-C waits until it is done.

        Args:
            unmerged: Paths that are left in conflict: git will not commit before each was added again.

        Raises:
            InputError: a file that git ignores is where the change brings one.
        """
        patch = git.checked(
            self.top,
            *("diff", "--cached", "--binary", "--full-index", "--no-renames"),
            *("--no-ext-diff", "--no-textconv", "--no-color", self.base),
        ).output
        with uninterrupted():
            self._write(patch, unmerged)

    def _write(self, patch: bytes, unmerged: Mapping[str, Mapping[int, tuple[str, str]]]) -> None:
        if patch:
            arguments = ("-c", "core.autocrlf=false", "apply", "--index", "--whitespace=nowarn", "-")
            done = git.call(self.original, *arguments, stdin=patch)
            if done.code:
                reason = done.error_text.removeprefix("error: ").splitlines()[0]
                raise InputError(
                    f"The update cannot be written into {self.original}: {reason}.",
                    "Nothing was changed. Move that file away, and run it again.",
                )
        self._mark_unmerged(unmerged)

    def _mark_unmerged(self, unmerged: Mapping[str, Mapping[int, tuple[str, str]]]) -> None:
        lines = []
        for path, stages in unmerged.items():
            lines.append(f"0 {'0' * 40}\t{path}\0")
            for stage, (mode, blob) in sorted(stages.items()):
                content = git.checked(self.top, "cat-file", "blob", blob).output
                stored = git.checked(self.original, "hash-object", "-w", "--stdin", stdin=content).text
                lines.append(f"{mode} {stored} {stage}\t{path}\0")
        if lines:
            entries = "".join(lines).encode("utf-8", "surrogateescape")
            git.checked(self.original, "update-index", "-z", "--index-info", stdin=entries)

    def _diff(self, *arguments: str) -> Sequence[tuple[str, str]]:
        done = git.checked(self.top, "diff", "--cached", "--name-status", "-z", *arguments, self.base)
        fields = done.output.decode("utf-8", "surrogateescape").split("\0")[:-1]
        return list(zip(fields[1::2], fields[0::2], strict=True))


def make_scratch(original: Path, commit: str, folder: Path) -> Scratch:
    """Copy a commit's files into a new repository that borrows the original's objects, not its history.

    Args:
        original: The top folder of a repository; it is not written to.
        commit: Full.
        folder: A folder that does not exist yet.
    """
    git.checked(original, "init", "--quiet", "--template=", "--initial-branch=scratch", str(folder))
    objects = git.checked(original, "rev-parse", "--path-format=absolute", "--git-path", "objects").text
    (folder / ".git" / "objects" / "info").mkdir(parents=True, exist_ok=True)
    (folder / ".git" / "objects" / "info" / "alternates").write_text(f"{objects}\n", encoding="utf-8")
    for setting in (("core.autocrlf", "false"), ("core.eol", "lf"), ("core.hooksPath", "/dev/null")):
        git.checked(folder, "config", *setting)
    base = git.checked(
        folder, *_IDENTITY, "commit-tree", f"{commit}^{{tree}}", "-m", f"The files of {commit}"
    ).text
    git.checked(folder, "reset", "--quiet", "--hard", base)
    return Scratch(folder, original, base)
