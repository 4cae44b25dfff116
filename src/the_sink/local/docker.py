"""Building and pushing images with ``docker``, or with the sandbox's stand-in of that name."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from the_sink.errors import InputError, SinkError
from the_sink.local.process import Completed, run, with_path_first


@dataclass(frozen=True)
class Docker:
    """A ``docker`` command.

    Args:
        folder: A folder whose ``docker`` comes before every other one; None takes the machine's.
        config: A folder for the sign-in, so that the person's own ``~/.docker`` stays as it is.
    """

    config: Path
    folder: Path | None = None

    def check(self) -> None:
        """See that there is a ``docker`` and that its engine answers.

        Raises:
            InputError: it is not installed, not running, or this user may not use it.
        """
        if shutil.which("docker", path=self._environment()["PATH"]) is None:
            raise InputError(
                "docker is not installed, or not on the PATH.",
                "Install a Docker Engine, or add --sandbox to work without one.",
            )
        answer = self._run("version")
        if answer.code == 0:
            return
        if "permission denied" in answer.error_text.lower():
            raise InputError(
                "This user may not use the Docker Engine.", "Add the user to the group docker, sign in again."
            )
        raise InputError("The Docker Engine does not run.", "Start it, then run the same command again.")

    def sign_in(self, host: str, user: str, password: str) -> None:
        """Sign in to a registry; the password travels through standard input only."""
        answer = self._run("login", "--username", user, "--password-stdin", host, stdin=password.encode())
        self._expect(answer, f"docker could not sign in to {host}")

    def build(
        self, context: Path, dockerfile: Path, image: str, labels: Mapping[str, str], arguments: Sequence[str]
    ) -> None:
        """Build an image; what the build says goes to standard error as it comes.

        Args:
            context: The folder that the Dockerfile may copy from.
            dockerfile: Its path.
            image: Registry, repository and tag.
            labels: Of the image.
            arguments: Build arguments, as NAME=value.
        """
        # A provenance attestation would turn the tag into an index, whose digest is not the one that a
        # task reports.
        command = ["build", "--provenance=false", "-f", str(dockerfile), "-t", image]
        for name, value in labels.items():
            command += ["--label", f"{name}={value}"]
        for argument in arguments:
            command += ["--build-arg", argument]
        self._show(*command, str(context), failure=f"The image {image} could not be built")

    def push(self, image: str) -> None:
        """Push an image to the registry in its name."""
        self._show("push", image, failure=f"The image {image} could not be pushed")

    def _environment(self) -> dict[str, str]:
        import os

        env = with_path_first(self.folder) if self.folder else dict(os.environ)
        env["DOCKER_CONFIG"] = str(self.config)
        return env

    def _run(self, *arguments: str, stdin: bytes | None = None) -> Completed:
        return run(["docker", *arguments], Path.cwd(), env=self._environment(), stdin=stdin)

    def _show(self, *arguments: str, failure: str) -> None:
        import subprocess

        # Its progress is no data of ours, so even what it writes to standard output goes to our error.
        done = subprocess.run(
            ["docker", *arguments],
            env=self._environment(),
            stdout=sys.stderr,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            raise SinkError(
                f"{failure}: docker ended with exit code {done.returncode}.", "Its words are above."
            )

    def _expect(self, answer: Completed, failure: str) -> None:
        if answer.code:
            last = answer.error_text.splitlines()[-1:] or [f"exit code {answer.code}"]
            raise SinkError(f"{failure}: {last[0].rstrip('.')}.")
