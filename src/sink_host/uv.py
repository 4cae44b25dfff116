"""uv: the app's virtual environment and its locked dependencies.

uv comes with the package, so nobody has to install it; the one beside this interpreter is used.
"""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sink_host.errors import InputError, SinkError
from sink_host.process import run, show

LOCK_COMMAND = "invoke lock"
"""What the first lines of a lock say it was made with."""


@dataclass(frozen=True)
class LockChange:
    """One package whose locked version is to change; "" is where it is not locked."""

    package: str
    before: str
    after: str

    def __str__(self) -> str:
        """Return the line that is printed."""
        if not self.before:
            return f"+ {self.package} {self.after}"
        if not self.after:
            return f"- {self.package} {self.before}"
        return f"~ {self.package} {self.before} → {self.after}"


def find_uv() -> str:
    """Return the uv that this package brought with it, else the one on the PATH, else its bare name."""
    import uv

    try:
        return uv.find_uv_bin()
    except FileNotFoundError:
        return shutil.which("uv") or "uv"


def make_environment(folder: Path, python: Path) -> None:
    """Make the virtual environment ``folder`` anew.

    Raises:
        SinkError: uv could not; its reason is the message.
    """
    done = run([find_uv(), "venv", "--quiet", "--clear", "--python", str(python), str(folder)], folder.parent)
    if done.code:
        raise SinkError(f"uv could not make {folder}: {_last_line(done.error_text)}")


def install_locked(environment: Path, lock: Path) -> None:
    """Make the environment hold exactly what the lock names, each file checked against its hash.

    Raises:
        SinkError: a package is missing or not what the lock says; uv's own words are on standard error.
    """
    python = environment / "bin" / "python"
    command = [find_uv(), "pip", "sync", "--quiet", "--require-hashes", "--python", str(python), lock.name]
    if code := show(command, lock.parent):
        raise SinkError(
            f"{lock.name} could not be installed: uv ended with exit code {code}.", "Its reason is above."
        )


def resolve_lock(
    project: Path, lock: str, *, groups: tuple[str, ...] = (), agree_with: str = "", upgrade: bool = False
) -> tuple[str, list[LockChange]]:
    """Resolve ``project``'s dependencies for every platform, and return the lock and what changes by it.

    Versions that are locked already stay where the dependencies allow it, unless ``upgrade``.

    Args:
        project: The folder of ``pyproject.toml``.
        lock: The lock's file name in that folder; may not exist yet. It is not written.
        groups: Dependency groups or extras that belong in it too.
        agree_with: Another lock, whose versions are kept rather than this one's own.
        upgrade: Whether to take the newest versions.

    Raises:
        InputError: ``pyproject.toml`` is missing or malformed.
        SinkError: there is no resolution; uv's own words are on standard error.
    """
    declared = _read_pyproject(project)
    before = (project / lock).read_text(encoding="utf-8") if (project / lock).exists() else ""
    with TemporaryDirectory(prefix="the-sink-lock-") as scratch:
        target = Path(scratch) / lock
        target.write_text(_preferring(agree_with, before), encoding="utf-8")
        command = [find_uv(), "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        command += ["--no-emit-index-url", "--custom-compile-command", LOCK_COMMAND]
        # Without an interpreter named, uv would look for the oldest Python of the range, and download it.
        command += ["--no-python-downloads", "--python", sys.executable, *_python_version(declared)]
        command += [argument for group in groups for argument in _group(declared, group)]
        command += ["--upgrade"] if upgrade else []
        # uv keeps the versions that stand in the output file, where it can.
        if code := show([*command, "--output-file", str(target), "pyproject.toml"], project):
            raise SinkError(
                f"app/{lock} could not be resolved: uv ended with exit code {code}.", "Its reason is above."
            )
        after = target.read_text(encoding="utf-8")
    return after, compare_locks(before, after)


def compare_locks(before: str, after: str) -> list[LockChange]:
    """Return what differs between two locks, by package."""
    old, new = _versions(before), _versions(after)
    return [
        LockChange(name, old.get(name, ""), new.get(name, ""))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _preferring(first: str, second: str) -> str:
    """Join two locks: all of the first, and of the second what the first does not name."""
    known = _versions(first)
    blocks = re.split(r"^(?=[A-Za-z0-9])", second, flags=re.MULTILINE)
    return first + "".join(block for block in blocks if not _versions(block).keys() & known.keys())


def _versions(lock: str) -> dict[str, str]:
    # A universal lock may name a package several times, each for other platforms.
    found: dict[str, list[str]] = {}
    for match in re.finditer(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", lock, re.MULTILINE):
        found.setdefault(match.group(1).lower(), []).append(match.group(2))
    return {name: " / ".join(sorted(set(versions))) for name, versions in found.items()}


def _read_pyproject(project: Path) -> Mapping[str, object]:
    path = project / "pyproject.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(
            f"There is no {path.name} in {project}.", "Dependencies are declared there."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"app/pyproject.toml: it is not TOML: {error}.") from None


def _python_version(declared: Mapping[str, object]) -> list[str]:
    """The lowest version that the app runs on: a lock for all of them must be resolved for that one."""
    project = declared.get("project")
    requires = str(project.get("requires-python", "")) if isinstance(project, dict) else ""
    match = re.search(r">=\s*(\d+\.\d+)", requires)
    return ["--python-version", match.group(1)] if match else []


def _group(declared: Mapping[str, object], name: str) -> list[str]:
    groups, project = declared.get("dependency-groups"), declared.get("project")
    if isinstance(groups, dict) and name in groups:
        return ["--group", name]
    extras = project.get("optional-dependencies") if isinstance(project, dict) else None
    if isinstance(extras, dict) and name in extras:
        return ["--extra", name]
    return []


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it did not say why."
