"""The edge to Docker: each command is shown in the log before what it says."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from sink_build.errors import CommandFailed
from sink_build.programs import ask, show


class Docker:
    """The build host's Docker.

    Args:
        environ: The variables that ``docker`` is run with.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def log_in(self, registry: str, password: str) -> None:
        """Log in to a registry; the password is no argument.

        Raises:
            CommandFailed: the registry or Docker refuses.
        """
        answer = ask(
            ["docker", "login", "--username", "AWS", "--password-stdin", registry],
            self._environ,
            given=password,
        )
        if answer.code != 0:
            said = answer.err.strip().splitlines()
            raise CommandFailed(f"Docker cannot log in to {registry}: {said[-1] if said else answer.code}.")

    def do(self, *words: str) -> None:
        """Run a command that has to work, for example ``do("pull", image)``.

        Raises:
            CommandFailed: naming the command and its exit code.
        """
        if code := self.attempt(*words):
            raise CommandFailed(f"docker {words[0]} ended with exit code {code}.")

    def attempt(self, *words: str) -> int:
        """Run a command and return its exit code."""
        print("$", shlex.join(["docker", *words]))
        return show(["docker", *words], self._environ)

    def write(self, file: Path, *words: str, secret: Mapping[str, str]) -> int:
        """Run a command whose output goes to a file of this user's alone; return its exit code.

        Args:
            file: Made or overwritten.
            words: The command; it names the variables of ``secret`` without their values.
            secret: Variables that only this command gets.
        """
        print("$", shlex.join(["docker", *words]))
        file.touch(mode=0o600)
        with file.open("wb") as out:
            return show(["docker", *words], {**self._environ, **secret}, out)

    def labels(self, image: str) -> dict[str, str]:
        """Return the labels of an image that is on this host.

        Raises:
            CommandFailed: it is not.
        """
        answer = ask(["docker", "inspect", "--format", "{{json .Config.Labels}}", image], self._environ)
        if answer.code != 0:
            raise CommandFailed(f"docker inspect ended with exit code {answer.code}: {answer.err.strip()}")
        return {str(key): str(value) for key, value in (json.loads(answer.out) or {}).items()}
