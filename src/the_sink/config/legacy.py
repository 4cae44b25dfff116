"""Apps of the legacy platform: how their files are told from those of an app of the template.

They came with their ``aws/`` folder and were given ``sink.toml``, ``tasks.py`` and
``requirements-platform.txt``; docs/how-to/move-an-app-from-the-legacy-platform.md.
"""

from __future__ import annotations

import re

from the_sink.config import procfile
from the_sink.config.files import Files
from the_sink.config.problems import Problem
from the_sink.errors import InputError

SERVER = "app/server"

_MANIFESTS = ("requirements.lock", "pyproject.toml", "requirements.txt")
_MOVING_IMAGE = re.compile(r"imageUri.*ECR_TAG")


def is_legacy(files: Files) -> bool:
    """Say whether an app has the legacy platform's layout, as its container's runtime tells it."""
    has_server = any(files.has(f"{SERVER}/{name}") for name in _MANIFESTS)
    return has_server and not files.has(procfile.FILE)


def check_buildspec(text: str, file: str) -> list[Problem]:
    """Warn of a build that deploys the moving tag, which every build of such an app moves."""
    if not _MOVING_IMAGE.search(text):
        return []
    message = (
        "it pushes the tag $ECR_TAG and deploys it: after a deploy that failed, a task that ECS starts anew "
        "runs the new image all the same."
    )
    return [Problem(file, message, "The buildspec of a generated app pushes a tag for each commit.", True)]


def require_own_layout(files: Files, task: str) -> None:
    """See that a task that works on the layout of generated apps is not asked of another.

    Raises:
        InputError: the app has the legacy platform's layout.
    """
    if is_legacy(files):
        raise InputError(
            f"invoke {task} knows the layout of generated apps; this one has the legacy platform's "
            f"({SERVER}, no {procfile.FILE}).",
            "On the laptop it works as it did before; every task about AWS and the sandbox is there.",
        )
