"""What one command of a build leaves for those after it: each is a process of its own.

No secret is in it; settings are in ``.env`` alone, which goes before anything is pushed.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, TypeVar

from sink_build.errors import CommandFailed

T = TypeVar("T")


def save(folder: Path, command: str, found: Any) -> None:
    """Keep what a command found: a dataclass of texts and truth values."""
    (folder / f"{command}.json").write_text(json.dumps(dataclasses.asdict(found)), encoding="utf-8")


def load(folder: Path, command: str, kind: type[T]) -> T:
    """Return what a command before this one kept.

    Raises:
        CommandFailed: it was not run in this build.
    """
    file = folder / f"{command}.json"
    if not file.is_file():
        raise CommandFailed(
            f"`sink-build {command}` has not run in this build.",
            "The order in aws/buildspec.yaml is: sink-build login, settings, image, push.",
        )
    return kind(**json.loads(file.read_text(encoding="utf-8")))
