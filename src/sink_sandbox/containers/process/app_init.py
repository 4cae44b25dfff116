"""``app-init``, the runtime's installer, as a process: for ``RUN`` lines and for what a cache has lost."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sink_sandbox.containers.process.environments import Environments, environment_key
from sink_sandbox.containers.process.rootfs import Rootfs
from sink_sandbox.containers.process.supervise import Supervised
from sink_sandbox.containers.progress import Say
from sink_sandbox.errors import SinkError


class AppInit:
    """Runs the image's own app-init; installs into the sandbox's shared virtual environments.

    Args:
        rootfs: The unpacked image.
        environments: Where virtual environments are kept.
        record_dir: Gets the record of the running process.
        variables: The build's arguments, which Docker puts into the environment of ``RUN`` too.
        say: Takes the lines that app-init writes.
    """

    def __init__(
        self,
        rootfs: Rootfs,
        environments: Environments,
        record_dir: Path,
        variables: Mapping[str, str],
        say: Say,
    ) -> None:
        self._rootfs = rootfs
        self._environments = environments
        self._record_dir = record_dir
        self._variables = variables
        self._say = say

    def run(self, words: list[str]) -> str:
        """Do what ``RUN app-init …`` says; return the key of the environment it installed, else "".

        Without an argument it installs and then prepares the app, as the two arguments do.

        Raises:
            SinkError: app-init ended with another exit code than 0.
        """
        program, *arguments = words
        if arguments not in ([], ["dependencies"]):
            self._execute(self._rootfs, words)
            return ""
        key = environment_key(self._rootfs.python.version, self._rootfs.workdir)
        rootfs = replace(self._rootfs, venv=self._environments.path(key))
        if self._environments.ensure(key, lambda _: self._execute(rootfs, [program, "dependencies"])):
            self._say(f"{program} dependencies: CACHED, installed before for Python {rootfs.python.version}")
        if not arguments:
            self._execute(rootfs, [program, "app"])
        return key

    def _execute(self, rootfs: Rootfs, words: list[str]) -> None:
        process = Supervised(
            rootfs.argv(words),
            rootfs.environment(self._variables, build=True),
            rootfs.workdir,
            self._record_dir,
            subprocess.PIPE,
        )
        assert process.stdout is not None  # noqa: S101 - PIPE makes it; for mypy alone
        try:
            with process.stdout as stream:
                for line in stream:
                    self._say(line.decode(errors="replace").rstrip())
        except BaseException:
            process.kill()
            process.wait()
            raise
        code = process.wait()
        if code:
            raise SinkError(f"`{' '.join(words)}` failed with exit code {code}.")
