"""Copier as a program: an app rendered at one version, and copier's own update of an app in a folder.

A program and not a library, because copier changes the current folder, keeps caches, and prints tracebacks;
what it says comes back as one sentence. Nothing here trusts a template: tasks and migrations do not run.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sink_host.process import run
from the_sink.errors import SinkError
from the_sink.local import git

_COPIER = (sys.executable, "-m", "copier")
_QUIETLY = ("--defaults", "--quiet", "--skip-tasks")


def render_app(source: Path, commit: str, values: Mapping[str, Any], target: Path) -> None:
    """Render the template at a commit with an app's answers into a new folder.

    Args:
        source: A clone of the template's repository.
        commit: Full.
        values: What ``.copier-answers.yml`` holds; questions it does not answer take their defaults.
        target: A folder that does not exist yet.

    Raises:
        SinkError: copier refused; in its own last line.
    """
    import yaml

    given = {name: value for name, value in values.items() if not name.startswith("_")}
    data = target.with_name(f"{target.name}.answers.yml")
    data.write_text(yaml.safe_dump(given, allow_unicode=True), encoding="utf-8")
    _copier(
        target.parent,
        *("copy", *_QUIETLY, "--vcs-ref", commit, "--data-file", str(data), str(source), str(target)),
    )


def update_app(folder: Path, reference: str) -> None:
    """Let copier update an app, a clean working tree, to a tag or commit of the source its answers name.

    Conflicts are left in the files, between markers, and unmerged in git's index.

    Raises:
        SinkError: copier refused; in its own last line.
    """
    _copier(folder, "update", *_QUIETLY, "--conflict", "inline", "--vcs-ref", reference)


def _copier(folder: Path, *arguments: str) -> None:
    env = git.environment() | {"PYTHONWARNINGS": "ignore", "COLUMNS": "10000", "NO_COLOR": "1"}
    # Copier commits in folders of its own; an app's hooks and signing have nothing to do with that.
    env |= _git_settings({"core.hooksPath": os.devnull, "commit.gpgsign": "false", "core.autocrlf": "false"})
    done = run([*_COPIER, *arguments], folder, env=env)
    if done.code:
        lines = [line.strip() for line in done.error_text.splitlines() if line.strip()]
        # The last line of a traceback names a type of copier's, which means nothing to a reader.
        reason = re.sub(r"^[\w.]*(Error|Exception): ", "", lines[-1]) if lines else f"exit code {done.code}"
        raise SinkError(f"copier {arguments[0]} failed: {reason}")


def _git_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Return variables that set git's configuration (git-config(1), GIT_CONFIG_COUNT), after what is set."""
    first = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    env = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for position, (key, value) in enumerate(settings.items(), first):
        env |= {f"GIT_CONFIG_KEY_{position}": key, f"GIT_CONFIG_VALUE_{position}": value}
    return env
