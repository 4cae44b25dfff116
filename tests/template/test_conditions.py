"""One way to say for which answers a file is there: its name.

``{% if database == 'postgres' %}migrations{% endif %}`` is left out by copier where the name becomes empty.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from .conftest import CHECKOUT, questions

TEMPLATE = CHECKOUT / "template"

SHARED = {
    ".env.example": "three lines of PG variables",
    "Procfile": "release: of a database, web: of a framework",
    "README.md": "a table of what is there",
    "compose.yaml": "the database's container",
    "conftest.py": "fixtures of a database beside the others",
    "errors.py": "one handler for a database that is away",
    "gunicorn.conf.py": "one number",
    "kit.py": "one client for each framework, steps for a database beside it",
    "pyproject.toml": "dependencies, one a line",
    "settings.py": "the fields of a database",
    "test_logs.py": "one import",
}
"""Files that some answers change by a few lines: two of them would differ in less than they share."""


def condition_of(part: str) -> str:
    """Return the condition in one part of a path, or "" where the part is always there."""
    found = re.fullmatch(r"\{% if (.+?) %\}.+\{% endif %\}(\.jinja)?", part)
    return found[1] if found else ""


def parts() -> set[str]:
    return {part for path in TEMPLATE.rglob("*") for part in path.relative_to(TEMPLATE).parts}


def test_a_name_has_a_whole_condition_or_none() -> None:
    conditional = {part for part in parts() if "{%" in part}

    assert len(conditional) > 10
    assert {part for part in conditional if not condition_of(part)} == set()
    # What a checkout on Windows could not hold.
    assert {part for part in parts() if set(part) & set('<>:"|?*\\')} == set()


def test_presence_is_decided_nowhere_else() -> None:
    config = yaml.safe_load((CHECKOUT / "copier.yml").read_text())

    assert [pattern for pattern in config["_exclude"] if "{" in pattern] == []
    # No computed name that is empty for some answers.
    defaults = {name: str(details["default"]) for name, details in questions().items()}
    assert [name for name, text in defaults.items() if "package" in name and "if " in text] == []


def test_a_body_asks_for_framework_or_database_only_where_little_differs() -> None:
    asking: dict[str, list[Path]] = {}
    for path in TEMPLATE.rglob("*.jinja"):
        if re.search(r"\{%-? (el)?if [^%]*\b(framework|database)\b", path.read_text()):
            name = re.sub(r"\{%.*?%\}|\.jinja$", "", path.name)
            asking.setdefault(name, []).append(path)

    assert set(asking) == set(SHARED)


def test_two_files_of_one_place_have_a_condition_each() -> None:
    """Copier would write one over the other."""
    places: dict[str, set[str]] = {}
    for path in TEMPLATE.rglob("*"):
        if path.is_file():
            relative = path.relative_to(TEMPLATE)
            place = re.sub(r"\{% (if .+?|endif) %\}|\.jinja$", "", str(relative))
            conditions = " and ".join(filter(None, map(condition_of, relative.parts)))
            places.setdefault(place, set()).add(conditions)
    several = {place: found for place, found in places.items() if len(found) > 1}

    assert several
    assert [place for place, found in several.items() if "" in found] == []
