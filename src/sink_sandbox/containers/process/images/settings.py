"""What the instructions without a layer say about an image: its ``config`` object.

https://github.com/opencontainers/image-spec/blob/main/config.md, with Docker's ``Healthcheck`` and
``Shell`` beside it.
"""

from __future__ import annotations

import copy
import posixpath
import re
import signal
from collections.abc import Mapping
from typing import Any

from sink_sandbox.containers.process.images.dockerfile import Instruction, split_pairs, split_words

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_DEFAULT_SHELL = ["/bin/sh", "-c"]


class Settings:
    """The configuration of an image that is being built."""

    def __init__(self, inherited: Mapping[str, Any]) -> None:
        self.config: dict[str, Any] = copy.deepcopy(dict(inherited))
        self._command_is_own = False

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the image sets."""
        return dict(item.partition("=")[::2] for item in self.config.get("Env") or [])

    @property
    def workdir(self) -> str:
        """The working directory, absolute."""
        return str(self.config.get("WorkingDir") or "/")

    @property
    def labels(self) -> dict[str, str]:
        """The labels; a change of this dictionary is a change of the image."""
        found: dict[str, str] = self.config.setdefault("Labels", {})
        return found

    def apply(self, instruction: Instruction, variables: Mapping[str, str]) -> None:
        """Let one instruction take effect.

        Raises:
            InputError: its arguments make no sense.
        """
        apply = getattr(self, f"_{instruction.keyword.lower()}")
        if instruction.flags and instruction.keyword != "HEALTHCHECK":
            name = instruction.flags[0][0]
            raise instruction.refuse(f"{instruction.keyword} --{name} is not understood.")
        apply(instruction, variables)

    def set_environment(self, name: str, value: str) -> None:
        """Set one variable; it keeps its place if it was set before."""
        merged = self.environment | {name: value}
        self.config["Env"] = [f"{key}={text}" for key, text in merged.items()]

    def command(self, instruction: Instruction) -> list[str]:
        """Return the words of an instruction's exec form, or its shell form wrapped in the shell."""
        words = instruction.exec_form()
        return (
            words if words is not None else [*(self.config.get("Shell") or _DEFAULT_SHELL), instruction.rest]
        )

    def _env(self, instruction: Instruction, variables: Mapping[str, str]) -> None:
        for name, value in split_pairs(instruction.rest, instruction, variables):
            self.set_environment(name, value)

    def _label(self, instruction: Instruction, variables: Mapping[str, str]) -> None:
        self.labels.update(split_pairs(instruction.rest, instruction, variables))

    def _workdir(self, instruction: Instruction, variables: Mapping[str, str]) -> None:
        path = " ".join(split_words(instruction.rest, instruction, variables))
        self.config["WorkingDir"] = posixpath.normpath(posixpath.join("/", self.workdir, path))

    def _user(self, instruction: Instruction, variables: Mapping[str, str]) -> None:
        self.config["User"] = " ".join(split_words(instruction.rest, instruction, variables))

    def _expose(self, instruction: Instruction, variables: Mapping[str, str]) -> None:
        for port in split_words(instruction.rest, instruction, variables):
            if not re.fullmatch(r"\d{1,5}(/(tcp|udp))?", port):
                raise instruction.refuse(f"{port!r} is not a port.")
            self.config.setdefault("ExposedPorts", {})[port if "/" in port else f"{port}/tcp"] = {}

    def _volume(self, instruction: Instruction, variables: Mapping[str, str]) -> None:
        words = instruction.exec_form()
        for path in words if words is not None else split_words(instruction.rest, instruction, variables):
            self.config.setdefault("Volumes", {})[path] = {}

    def _entrypoint(self, instruction: Instruction, _variables: Mapping[str, str]) -> None:
        self.config["Entrypoint"] = self.command(instruction)
        if not self._command_is_own:
            # The inherited command belonged to the inherited entry point.
            self.config.pop("Cmd", None)

    def _cmd(self, instruction: Instruction, _variables: Mapping[str, str]) -> None:
        self.config["Cmd"] = self.command(instruction)
        self._command_is_own = True

    def _shell(self, instruction: Instruction, _variables: Mapping[str, str]) -> None:
        words = instruction.exec_form()
        if not words:
            raise instruction.refuse('SHELL is written as a list, such as SHELL ["/bin/sh", "-c"].')
        self.config["Shell"] = words

    def _stopsignal(self, instruction: Instruction, variables: Mapping[str, str]) -> None:
        name = " ".join(split_words(instruction.rest, instruction, variables))
        if not name.isdigit() and "SIG" + name.upper().removeprefix("SIG") not in signal.Signals.__members__:
            raise instruction.refuse(f"{name!r} is not a signal.")
        self.config["StopSignal"] = name

    def _healthcheck(self, instruction: Instruction, _variables: Mapping[str, str]) -> None:
        kind, rest = (*instruction.rest.split(None, 1), "", "")[:2]
        if kind.upper() == "NONE":
            self.config["Healthcheck"] = {"Test": ["NONE"]}
            return
        if kind.upper() != "CMD" or not rest.strip():
            raise instruction.refuse("HEALTHCHECK is followed by CMD and a command, or by NONE.")
        words = Instruction("CMD", rest.strip(), (), instruction.line, instruction.source).exec_form()
        check: dict[str, Any] = {"Test": ["CMD-SHELL", rest.strip()] if words is None else ["CMD", *words]}
        for name, value in instruction.flags:
            if name == "retries" and value.isdigit():
                check["Retries"] = int(value)
            elif name in {"interval", "timeout", "start-period", "start-interval"}:
                key = "".join(part.capitalize() for part in name.split("-"))
                check[key] = _nanoseconds(instruction, value)
            else:
                raise instruction.refuse(f"HEALTHCHECK --{name}={value} is not understood.")
        self.config["Healthcheck"] = check


def _nanoseconds(instruction: Instruction, text: str) -> int:
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise instruction.refuse(f"{text!r} is not a duration such as 30s.")
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in match.groups())
    return (((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds) * 1_000_000
