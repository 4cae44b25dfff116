"""The template's own locks: resolved as an app resolves its own, then kept under ``template/``.

An app starts with locks that are ready; an ``invoke lock`` in it changes nothing until its team changes
its dependencies. The template holds no ``pyproject.toml`` that uv could read, so one is rendered.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from the_sink.local.uv import LockChange, resolve_lock

LOCKS: dict[str, tuple[str, ...]] = {"requirements.lock": (), "requirements-dev.lock": ("dev",)}
"""An app's locks and the dependency groups in each."""

_APP = "any-app-name"


def resolve_template_locks(
    checkout: Path, *, upgrade: bool = False
) -> dict[Path, tuple[str, list[LockChange]]]:
    """Return each lock of the template by its path, with its new content and what changes by it.

    Nothing is written.

    Args:
        checkout: The platform's repository; its working tree counts, committed or not.
        upgrade: Whether to take the newest versions that the template's ranges allow.

    Raises:
        SinkError: there is no resolution; uv's own words are on standard error.
    """
    with TemporaryDirectory(prefix="the-sink-template-") as scratch:
        app = _render(checkout, Path(scratch)) / "app"
        resolved = {}
        for name, groups in LOCKS.items():
            content, changes = resolve_lock(app, name, groups=groups, upgrade=upgrade)
            # The comments name the project that asked for a package.
            content = content.replace(f"{_APP} (pyproject.toml", "{{ app_name }} (pyproject.toml")
            resolved[checkout / "template" / "app" / f"{name}.jinja"] = (content, changes)
    return resolved


def _render(checkout: Path, scratch: Path) -> Path:
    from copier import run_copy

    # Away from git: a checkout with changes would be committed by copier first, and warned about.
    source = scratch / "platform"
    source.mkdir()
    shutil.copy(checkout / "copier.yml", source)
    shutil.copytree(checkout / "template", source / "template")
    answers = {"app_name": _APP, "platform_repository": "https://example.com/platform"}
    run_copy(str(source), scratch / "app", data=answers, defaults=True, quiet=True)
    return scratch / "app"
