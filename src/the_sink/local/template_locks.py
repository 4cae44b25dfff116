"""The template's own locks: resolved as an app resolves its own, then kept in ``template/app/``.

There is one for each framework with each database; its file's name says for which answers it is there. An app
starts with locks that are ready: an ``invoke lock`` in it changes nothing until its
team changes its dependencies. The template holds no ``pyproject.toml`` that uv could read, so it is
rendered.
"""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from sink_host.uv import LockChange, resolve_lock

ENDINGS = (".lock", "-dev.lock")
"""What production installs, and what tests and lint need besides."""

_APP = "any-app-name"


def list_variants(checkout: Path) -> list[tuple[str, str]]:
    """Return each framework with each database that ``copier.yml`` offers."""
    questions = yaml.safe_load((checkout / "copier.yml").read_text(encoding="utf-8"))
    return list(product(_choices(questions["framework"]), _choices(questions["database"])))


def lock_path(framework: str, database: str, ending: str = ".lock") -> str:
    """Return where the template keeps the lock of a variant, relative to the checkout."""
    condition = f"framework == '{framework}' and database == '{database}'"
    return f"template/app/{{% if {condition} %}}requirements{ending}{{% endif %}}.jinja"


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
    resolved: dict[Path, tuple[str, list[LockChange]]] = {}
    with TemporaryDirectory(prefix="the-sink-template-") as scratch:
        source = _copy(checkout, Path(scratch) / "platform")
        for framework, database in list_variants(checkout):
            app = Path(scratch) / f"{framework}-{database}"
            _render(source, app, framework=framework, database=database)
            production, changes = resolve_lock(app / "app", "requirements.lock", upgrade=upgrade)
            resolved[checkout / lock_path(framework, database)] = (_named(production), changes)
            development, changes = resolve_lock(
                app / "app",
                "requirements-dev.lock",
                groups=("dev",),
                # What is tested is what is deployed.
                agree_with=production,
                upgrade=upgrade,
            )
            path = checkout / lock_path(framework, database, "-dev.lock")
            resolved[path] = (_named(development), changes)
    return resolved


def _named(lock: str) -> str:
    """A lock whose comments name the project that asked for a package, whatever its name."""
    return lock.replace(f"{_APP} (pyproject.toml", "{{ app_name }} (pyproject.toml")


def _choices(question: dict[str, Any]) -> list[str]:
    return [str(choice) for choice in question["choices"].values()]


def _copy(checkout: Path, target: Path) -> Path:
    # Away from git: a checkout with changes would be committed by copier first, and warned about.
    target.mkdir()
    shutil.copy(checkout / "copier.yml", target)
    shutil.copytree(checkout / "template", target / "template")
    # The lock of a variant that is new: empty, as that of an app without one.
    for framework, database in list_variants(checkout):
        for ending in ENDINGS:
            (target / lock_path(framework, database, ending)).touch()
    return target


def _render(source: Path, folder: Path, **answers: str) -> None:
    from copier import run_copy

    answers = {"app_name": _APP, "platform_repository": "https://example.com/platform", **answers}
    run_copy(str(source), folder, data=answers, defaults=True, quiet=True)
