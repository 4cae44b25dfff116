"""One word for one thing: what was renamed does not come back, in code, documents, the template or output.

Add a row when a word of docs/glossary.md replaces another. History keeps its words.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from .test_docs import CHECKOUT

RETIRED = {
    r"\b[Tt]aken databases?\b": "database to be deleted",
    r"\b[Dd]eaf\b|\bDEAF\b": "task that ignores SIGTERM",
    r"\b[Ee]arlier[ -]platforms?\b": "legacy platform",
    r"\b[Kk]eepers?\b": "supervisor",
    r"\bStageWork\b": "StageRunner",
    r"\bWorkshop\b": "BuildHost",
    r"_leftovers\b|\bleftovers_|\b[Ll]eftovers\b": "orphans",
    r"\b[Ll]ends?\b (a|the|it|no|nothing)\b": "mounts",
    r"known why not": "say why it does not",
}
"""What is refused, as a pattern, and what is written instead."""

HISTORY = ("CHANGELOG.md", "docs/decisions/", "tests/fixtures/")
"""What was written at its time: the changelog, decisions, and files of earlier versions that tests read."""


def pages() -> list[Path]:
    """Return every text of this checkout that is not history, a lock, or this table."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    names = [name for name in listed.split("\0") if name and not name.startswith(HISTORY)]
    paths = [CHECKOUT / name for name in names if ".lock" not in name]
    return [path for path in paths if path.is_file() and path != Path(__file__).resolve()]


def find(pattern: str, text: str) -> list[int]:
    """Return the lines on which a retired word stands."""
    return [number for number, line in enumerate(text.splitlines(), 1) if re.search(pattern, line)]


@pytest.mark.parametrize(("pattern", "instead"), RETIRED.items(), ids=RETIRED.values())
def test_a_retired_word_does_not_come_back(pattern: str, instead: str) -> None:
    found = [
        f"{path.relative_to(CHECKOUT)}:{number}: write {instead!r}"
        for path in pages()
        for number in find(pattern, path.read_text())
    ]

    assert found == []


def test_names_of_files_are_words_too() -> None:
    names = [str(path.relative_to(CHECKOUT)) for path in pages()]

    assert len(names) > 500
    assert [
        name for name in names for pattern in RETIRED if re.search(pattern, re.sub(r"[/_.-]", " ", name))
    ] == []


def test_a_retired_word_is_found_where_it_stands() -> None:
    assert find(r"\bWorkshop\b", "class BuildHost:\n    pass\n\nclass Workshop:\n") == [4]
    assert find(r"\bWorkshop\b", "class Workshops:\n") == []
