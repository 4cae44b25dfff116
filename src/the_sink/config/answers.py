"""What ``.copier-answers.yml`` says of an app: where its template came from and which version it is at.

Copier keeps ``_src_path`` as it was typed, so from a relative path nothing can ever be updated again (a
traceback, tried with copier 9.19.1). That a commit existed only in a dirty working tree does not show in
``_commit``; :func:`the_sink.local.tool_checks.check_source` looks for it where the source is on this machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from the_sink.config.problems import Problem

FILE = ".copier-answers.yml"

_UPDATABLE_SOURCE = re.compile(r"(/|~|[a-z+]+://|git@|[\w.-]+@[\w.-]+:|gh:|gl:).+")


@dataclass(frozen=True)
class Answers:
    """The part of the answers that the platform acts on.

    Attributes:
        source: ``_src_path``: where ``copier update`` looks for newer versions.
        commit: ``_commit`` as copier wrote it, ``v1.0.0`` or ``v1.0.0-3-gabcdef0``; "" where unknown.
        values: All of the file.
    """

    source: str
    commit: str
    values: dict[str, Any]

    @property
    def template_version(self) -> str:
        """The template's version without the tag's ``v``."""
        return re.sub(r"^v(?=\d)", "", self.commit)


def parse_answers(text: str) -> Answers | None:
    """Return the answers, None where the text is no YAML mapping."""
    import yaml

    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    if not isinstance(values, dict):
        return None
    return Answers(str(values.get("_src_path") or ""), str(values.get("_commit") or ""), values)


def check_answers(text: str) -> list[Problem]:
    """Return what would keep ``copier update`` and ``invoke update`` from ever working."""
    answers = parse_answers(text)
    if answers is None:
        return [Problem(FILE, "it is not a YAML mapping.", f"Restore it: git checkout HEAD -- {FILE}.")]
    problems = []
    if not answers.source:
        problems.append(
            Problem(FILE, "_src_path is missing: nobody knows where the template is.", _REPAIR_SOURCE)
        )
    elif not _UPDATABLE_SOURCE.fullmatch(answers.source):
        problems.append(
            Problem(
                FILE,
                f"_src_path is {answers.source!r}, a relative path: the template cannot be found from here.",
                _REPAIR_SOURCE,
            )
        )
    if not answers.commit:
        problems.append(
            Problem(FILE, "_commit is missing: nobody knows which version this is.", _REPAIR_COMMIT)
        )
    return problems


_REPAIR_SOURCE = "Write the template's URL or absolute path as _src_path, and commit."
_REPAIR_COMMIT = "Write the newest released tag that it was made from as _commit, such as v1.0.0, and commit."
