"""The engine: joins the template's changes with the team's, in a copy of the app. Today copier's own update.

Copier's update applies patches, and has a defect that costs work: a file that the template removes or
renames and the team edited is gone afterwards, and nothing says so (tried with copier 9.19.1). So both
versions are rendered as well; what was lost is brought back, and called a conflict.

Whatever replaces it has to keep :func:`merge_template`'s promise and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from the_sink.checks.validation import BUILDSPEC_FILE, calls_sink_build
from the_sink.config import answers, platform_pin
from the_sink.config.answers import Answers
from the_sink.config.files import Tree
from the_sink.local.rendering import render_app, update_app
from the_sink.local.scratch import Scratch
from the_sink.local.template_source import TemplateSource
from the_sink.verbs.update.outcome import FileChange, Kind
from the_sink.verbs.update.target import Target

_COMMIT_LINE = re.compile(r"^_commit:.*$", re.MULTILINE)
_SOURCE_LINE = re.compile(r"^_src_path:.*(?:\n[ \t]+.*)*", re.MULTILINE)

LOCKS = ("app/requirements.lock", "app/requirements-dev.lock")
"""Given away by the template (``_skip_if_exists`` in ``copier.yml``): resolved again, never merged."""

Stages = Mapping[int, tuple[str, str]]


@dataclass(frozen=True)
class Merged:
    """What the copy holds now, staged.

    Attributes:
        files: What became of each file.
        unmerged: Paths in conflict, from the repository's top, with the stages that git's index gets.
    """

    files: tuple[FileChange, ...]
    unmerged: Mapping[str, Stages]


def merge_template(
    scratch: Scratch, inside: str, found: Answers, source: TemplateSource, target: Target
) -> Merged:
    """Bring the template's changes into the copy of an app.

    Every line that the team wrote is in the result, or its file is a conflict: between markers, as a
    ``.rej`` file, or whole where the template has removed the file.

    Args:
        scratch: A clean copy of the app's repository.
        inside: The app's folder in it, "" for the top, else ending with a slash.
        found: The app's answers.
        source: Of the template.
        target: From where to where.

    Raises:
        SinkError: copier refused.
    """
    app = scratch.top / inside
    line = _redirect(scratch, app, found, source, target)
    old, new = (scratch.top.with_name(name) for name in ("old-render", "new-render"))
    with ThreadPoolExecutor(3) as pool:
        # The answers that the app will have: its own, and the defaults of what it has not answered.
        rendering = [
            pool.submit(render_app, source.clone, commit, found.values, folder)
            for commit, folder in ((target.from_commit, old), (target.to_commit, new))
        ]
        update_app(app, target.to_commit)
        for each in rendering:
            each.result()
    text = (app / answers.FILE).read_text(encoding="utf-8")
    (app / answers.FILE).write_text(_SOURCE_LINE.sub(lambda _: line, text, count=1), encoding="utf-8")
    return _Comparison(scratch, inside, old, new).collect()


def _redirect(scratch: Scratch, app: Path, found: Answers, source: TemplateSource, target: Target) -> str:
    """Let the copy's answers name the clone, which has every version's tag; return the line they had.

    A commit that was tagged after the app was made from it has another name now, which the template also
    writes beside the pin: the copy gets the name of today, or that line would be a conflict in every app.
    """
    file = app / answers.FILE
    text = file.read_text(encoding="utf-8")
    match = _SOURCE_LINE.search(text)
    today = source.describe(target.from_commit)
    text = _SOURCE_LINE.sub(lambda _: f"_src_path: {source.clone}", text, count=1)
    file.write_text(_COMMIT_LINE.sub(f"_commit: '{today}'", text, count=1), encoding="utf-8")
    pin = app / platform_pin.FILE
    if today != found.commit and pin.is_file():
        pin.write_bytes(pin.read_bytes().replace(f"({found.commit})".encode(), f"({today})".encode()))
    scratch.commit_all()
    return match[0] if match else ""


@dataclass(frozen=True)
class _Comparison:
    """The copy after copier's update, beside what it was and what the template alone makes."""

    scratch: Scratch
    inside: str
    old: Path
    new: Path

    def collect(self) -> Merged:
        """Stage the result, bring back what was lost, and say what became of each file."""
        if self._keeps_buildspec():
            self.scratch.restore(self.inside + BUILDSPEC_FILE)
        unmerged: dict[str, Stages] = dict(self.scratch.unmerged())
        files = {self._name(path): "its conflicts are between markers" for path in unmerged}
        rejected = self.scratch.new_files("*.rej")
        for path in rejected:
            name = self._name(path)
            files[name.removesuffix(".rej")] = f"what did not fit is in {name}"
        self.scratch.stage_all(also=rejected)
        changes = self.scratch.changes()
        renames = self.scratch.renames()
        for path in [path for path, letter in changes.items() if letter == "D" and self._is_edited(path)]:
            del changes[path]
            unmerged[path] = self._stages_of_removed(path)
            files[self._name(path)] = _describe_removed(path, self._name(renames.get(path, "")))
            self.scratch.restore(path)
        found = [FileChange(name, Kind.CONFLICT, note) for name, note in files.items()]
        found += [
            self._describe(path, letter)
            for path, letter in changes.items()
            if self._name(path) not in files and path not in rejected
        ]
        found += self._kept({file.path for file in found})
        return Merged(tuple(sorted(found, key=lambda file: file.path)), unmerged)

    def _describe(self, path: str, letter: str) -> FileChange:
        name = self._name(path)
        if letter == "D":
            return FileChange(name, Kind.REMOVED)
        if letter == "A":
            came_back = (self.old / name).is_file()
            return FileChange(name, Kind.ADDED, "you had deleted it; it is back" if came_back else "")
        is_merged = self._is_edited(path) and name != answers.FILE
        return FileChange(name, Kind.MERGED if is_merged else Kind.CHANGED)

    def _kept(self, said: Set[str]) -> list[FileChange]:
        """Return what the template changed and the app has not got."""
        found = []
        for file in sorted(path for path in self.new.rglob("*") if path.is_file()):
            name = file.relative_to(self.new).as_posix()
            old, new = _read(self.old / name), file.read_bytes()
            mine = self.scratch.read_base(self.inside + name)
            if name in said or old == new or mine == new or name == answers.FILE:
                continue
            if name in LOCKS:
                note = "yours; resolve it again: invoke lock"
            elif mine is None:
                note = "you deleted it; it stays deleted"
            elif name == BUILDSPEC_FILE and self._keeps_buildspec():
                note = (
                    "yours as it was, and it builds as before; the template's is four commands now, with "
                    "your steps between them: docs/how-to/add-a-build-step.md of the platform"
                )
            else:
                note = "yours as it was; the template changed it too"
            found.append(FileChange(name, Kind.KEPT, note))
        return found

    def _keeps_buildspec(self) -> bool:
        """Whether the team has a buildspec of its own in shell, and the template's calls ``sink-build`` now.

        A line of the team's would name variables of the old commands, which are gone with them, even where it
        fits in between.
        """
        old, new = (_read(render / BUILDSPEC_FILE) for render in (self.old, self.new))
        mine = self.scratch.read_base(self.inside + BUILDSPEC_FILE)
        if mine is None or mine == old:
            return False
        return calls_sink_build(Tree({BUILDSPEC_FILE: new or b""})) and not calls_sink_build(
            Tree({BUILDSPEC_FILE: mine})
        )

    def _is_edited(self, path: str) -> bool:
        """Whether the team has a file that is not as the template made it."""
        return self.scratch.read_base(path) != _read(self.old / self._name(path))

    def _stages_of_removed(self, path: str) -> Stages:
        """Return the index's entry for a file that they removed and we edited, as a merge of git's has it."""
        mode, blob = self.scratch.entry(path)
        rendered = _read(self.old / self._name(path))
        base = {} if rendered is None else {1: (mode, self.scratch.store(rendered))}
        return {**base, 2: (mode, blob)}

    def _name(self, path: str) -> str:
        return path.removeprefix(self.inside)


def _describe_removed(path: str, renamed_to: str) -> str:
    if renamed_to:
        return (
            f"the template renamed it to {renamed_to}, without your changes: bring them there "
            f"(git show HEAD:{path} shows them), then: git rm {path}"
        )
    return f"the template removed it, and you had changed it: git add {path} keeps it, git rm {path} does not"


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
