"""What a Dockerfile asks for, judged before anything is built: one FROM, and RUN lines that can be run."""

from __future__ import annotations

import re

from sink_sandbox.containers.process.images.dockerfile import Instruction
from sink_sandbox.containers.references import Reference
from sink_sandbox.errors import InputError

_NO_ENGINE = "without a Docker Engine"


def split_stages(
    instructions: list[Instruction], source: str
) -> tuple[list[Instruction], Instruction, list[Instruction]]:
    """Return the ARGs before FROM, FROM, and what follows it.

    Raises:
        InputError: no FROM, more than one, or something else than ARG before it.
    """
    starts = [index for index, found in enumerate(instructions) if found.keyword == "FROM"]
    if not starts:
        raise InputError(f"{source} has no FROM.")
    if len(starts) > 1:
        raise instructions[starts[1]].refuse(
            f"a second FROM (a multi-stage build) is not built {_NO_ENGINE}."
        )
    before = instructions[: starts[0]]
    for instruction in before:
        if instruction.keyword != "ARG":
            raise instruction.refuse(f"only ARG may stand before FROM, not {instruction.keyword}.")
    return before, instructions[starts[0]], instructions[starts[0] + 1 :]


def base_python(base: Instruction, reference: Reference) -> str:
    """Return the minor version that a Python base image's tag promises, "" if it promises none.

    Raises:
        InputError: the base is not a Python image; this machine stands for no other.
    """
    if "python" not in reference.repository.rsplit("/", 1)[-1]:
        raise base.refuse(
            f"FROM {reference.canonical} cannot be had {_NO_ENGINE}.",
            "Here this machine stands for a base image, and only for a Python one.",
        )
    match = re.match(r"\d+\.\d+", reference.tag)
    return match[0] if match else ""
