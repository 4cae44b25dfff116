"""Which compute a sandbox starts with: what was asked for, what its state needs, what this machine has.

Imported with ``lifecycle``, so the search for an engine is only imported when a sandbox starts.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sink_sandbox.errors import InputError, SandboxUnavailable

COMPUTES = ("docker", "processes")
VARIABLE = "THE_SINK_COMPUTE"
"""Stands for ``--compute`` where that is not given."""


@dataclass(frozen=True)
class Choice:
    """How a sandbox will play containers.

    Attributes:
        engine: The Docker Engine as JSON, "" for processes.
        reason: Why, in a sentence; "" where it was asked for.
    """

    engine: str
    reason: str


def choose_compute(name: str, home: Path, wanted: str = "") -> Choice:
    """Return the compute to start with.

    Images made one way cannot be started the other way: a state that holds some is only started as it was.

    Args:
        name: The sandbox's, for messages.
        home: Its state folder.
        wanted: ``docker``, ``processes``, or "" for an engine where one answers.

    Raises:
        InputError: ``wanted``, or the variable that stands for it, is something else.
        SandboxUnavailable: what was asked for, or what the state needs, cannot be had.
    """
    wanted = read_wanted(wanted)
    kept = former_compute(home) if has_images(home) else ""
    if wanted and kept and kept != wanted:
        raise SandboxUnavailable(
            f"The sandbox {name!r} holds images that were made by {kept}, which {wanted} cannot start.",
            f"Start it with --compute {kept}, or throw away everything in it: {_from_empty(wanted)}",
        )
    needed = wanted or kept
    if needed == "processes":
        return Choice("", "" if wanted else "its images were made that way")
    from sink_host.docker_engine import EngineUnavailable, find_engine

    try:
        return Choice(find_engine().to_json(), "")
    except EngineUnavailable as error:
        do_this = error.hint.rstrip(".")
        if kept and not wanted:
            raise SandboxUnavailable(
                f"The images of the sandbox {name!r} need a Docker Engine. {error.message}",
                f"{do_this}, then: invoke sandbox.start",
            ) from error
        if needed:
            raise SandboxUnavailable(
                error.message, f"{do_this}, or do without: invoke sandbox.start --compute processes"
            ) from error
        return Choice("", error.message.rstrip("."))


def read_wanted(given: str) -> str:
    """Return the compute that is asked for, by ``--compute`` or by the variable that stands for it, or "".

    Raises:
        InputError: it is something else than a compute.
    """
    wanted = given or os.environ.get(VARIABLE, "")
    _check_word("--compute" if given else VARIABLE, wanted)
    return wanted


def require_compute(given: str) -> None:
    """See that the compute that is asked for can be had, before anything is thrown away for it.

    Raises:
        InputError: it is something else than a compute, or no Docker Engine answers.
    """
    if read_wanted(given) == "docker":
        from sink_host.docker_engine import find_engine

        find_engine()


def check_running(name: str, home: Path, compute: str, wanted: str) -> None:
    """See that a sandbox which runs plays containers as it is asked to.

    Args:
        name: The sandbox's, for messages.
        home: Its state folder.
        compute: What it runs with.
        wanted: ``docker``, ``processes``, or "" for either.

    Raises:
        InputError: ``wanted`` is something else.
        SandboxUnavailable: it runs with the other one; the hint is what leads to ``wanted``.
    """
    _check_word("--compute", wanted)
    if wanted in ("", compute):
        return
    message = f"The sandbox {name!r} is already running, with compute {compute}"
    if not has_images(home):
        raise SandboxUnavailable(
            f"{message}.", f"Start it anew: invoke sandbox.stop && invoke sandbox.start --compute {wanted}"
        )
    require_compute(wanted)
    raise SandboxUnavailable(
        f"{message}, and holds images that {wanted} cannot start.",
        f"To have {wanted}, throw away everything in it: invoke sandbox.stop && {_from_empty(wanted)}",
    )


def _check_word(flag: str, wanted: str) -> None:
    if wanted and wanted not in COMPUTES:
        raise InputError(
            f"{flag} {wanted}: a sandbox plays containers by docker or by processes.",
            "Write --compute docker, --compute processes, or leave it out.",
        )


def _from_empty(wanted: str) -> str:
    return f"invoke sandbox.reset --yes && invoke sandbox.start --compute {wanted}"


def former_compute(home: Path) -> str:
    """Return what the sandbox was last started with, "" if it never was; ``processes`` before 1.1.0."""
    try:
        return (home / "compute").read_text().strip()
    except OSError:
        return "processes" if (home / "port").exists() else ""


def has_images(home: Path) -> bool:
    """Whether anything was pushed to the sandbox's registry."""
    return any((home / "registry").glob("*/*")) or _has_images_of_1_0(home)


def _has_images_of_1_0(home: Path) -> bool:
    """Up to 1.0.0 the bytes of images were in the state itself."""
    try:
        return b'"__bytes__": "' in (home / "state" / "ecr.json").read_bytes().replace(
            b'"__bytes__": ""', b""
        )
    except OSError:
        return False


def forget_engine(home: Path) -> None:
    """Remove what a stopped or killed sandbox has in a Docker Engine.

    Raises:
        SandboxUnavailable: it may have images there, and the engine does not answer.
    """
    if former_compute(home) != "docker":
        return
    from sink_host.docker_engine import find_engine
    from sink_sandbox.containers.docker.orphans import remove_orphans

    remove_orphans(home, find_engine())
