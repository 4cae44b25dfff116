"""Building and pushing images with ``docker``: the machine's, or the one that a sandbox's builds use."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sink_host.docker_engine import FoundEngine, find_engine
from sink_host.process import Completed, run, show, with_path_first
from the_sink.errors import InputError, SinkError


class BaseMissing(InputError):
    """The image that a runtime is to be built on is neither here nor can it be pulled."""


@dataclass(frozen=True)
class Docker:
    """A ``docker`` command.

    Args:
        folder: A folder whose ``docker`` comes before every other one; None takes the machine's.
        config: A folder for the sign-in, so that the person's own ``~/.docker`` stays as it is.
        has_engine: False for the sandbox's stand-in, which has no base images and pulls none.
    """

    config: Path
    folder: Path | None = None
    has_engine: bool = True

    @cached_property
    def _engine(self) -> FoundEngine:
        return find_engine(must_be_here=False)

    def check(self) -> None:
        """See that there is a ``docker`` that can build, and that its engine answers.

        Raises:
            InputError: it is not installed, not running, or this user may not use it.
        """
        if self.folder is None:
            _ = self._engine
        elif self.has_engine and self._run("version").code:
            raise InputError("The sandbox's Docker Engine does not answer.", "Look: invoke sandbox.status")

    @cached_property
    def architecture(self) -> str:
        """The engine's own processor, as images name it: ``amd64``, ``arm64``."""
        answer = self._run("version", "--format", "{{.Server.Arch}}")
        self._expect(answer, "The Docker Engine does not say what processor it has")
        return answer.text

    def require_base(self, image: str, version: str, architecture: str) -> str:
        """Have the image that a runtime is built on, pulled where the engine does not have it.

        Args:
            image: Its name.
            version: The Python that it must have.
            architecture: The processor that it must be for, as images name it.

        Returns:
            Its digest in the registry that it is named by; "" for one that comes from none.

        Raises:
            BaseMissing: it cannot be pulled; what a person may do instead.
            InputError: its programs cannot be run here.
        """
        found = self._run("image", "inspect", "--format", "{{.Architecture}}", image)
        if found.code or found.text != architecture:
            self._pull_base(image, version, architecture, found.text if found.code == 0 else "")
        if architecture != self.architecture:
            self._require_emulation(image, architecture)
        answer = self._run("image", "inspect", "--format", "{{json .RepoDigests}}", image)
        self._expect(answer, f"The base image {image} cannot be looked at")
        return find_digest(image, json.loads(answer.text) or [])

    def _pull_base(self, image: str, version: str, architecture: str, here: str) -> None:
        answer = self._run("pull", "--platform", f"linux/{architecture}", image)
        if answer.code:
            last = (answer.error_text.splitlines() or [f"exit code {answer.code}"])[-1]
            where = (
                f"is here for {here}, and cannot be pulled for {architecture}"
                if here
                else ("is not here and cannot be pulled")
            )
            raise BaseMissing(
                f"The base image {image} {where}: {last.rstrip('.')}.",
                f"Name one that this engine has, with Python {version} and pip"
                f"{f', for {architecture}' if here else ''}: --build-arg BASE=<image>, "
                "or THE_SINK_BASE_IMAGE=<image>; {version} in it stands for the Python version.",
            )

    def _require_emulation(self, image: str, architecture: str) -> None:
        """See that the engine runs programs of another processor than its own.

        https://docs.docker.com/build/building/multi-platform/#qemu
        """
        answer = self._python(image, "", architecture)
        if "exec format error" in answer.error_text:
            raise InputError(
                f"The Docker Engine's processor is {self.architecture}, and it has no emulation to run "
                f"programs for {architecture}.",
                f"Give it one (docker run --privileged --rm tonistiigi/binfmt --install {architecture}), or "
                f"run the same command on a machine that is {architecture}.",
            )
        self._expect(answer, f"The base image {image} cannot be started")

    def _python(self, image: str, code: str, architecture: str) -> Completed:
        options = ["--network", "none", "--entrypoint", "/usr/local/bin/python3"]
        if architecture != self.architecture:
            options += ["--platform", f"linux/{architecture}"]
        return self._run("run", "--rm", *options, image, "-c", code)

    def require_built(self, image: str, version: str, architecture: str) -> None:
        """See that a built image has the Python and the processor that its name says.

        Raises:
            SinkError: its base image had another one.
        """
        if not self.has_engine:
            return
        found = self._run("image", "inspect", "--format", "{{.Architecture}}", image)
        self._expect(found, f"The image {image} cannot be looked at")
        if found.text != architecture:
            raise SinkError(
                f"The base image of {image} is for {found.text}, not {architecture}.",
                "Name another: --build-arg BASE=<image>.",
            )
        answer = self._python(image, "import sys; print('%d.%d' % sys.version_info[:2])", architecture)
        self._expect(answer, f"The image {image} cannot be started")
        if answer.text != version:
            raise SinkError(
                f"The base image of {image} has Python {answer.text}, not {version}.",
                "Name another: --build-arg BASE=<image>.",
            )

    def sign_in(self, host: str, user: str, password: str) -> None:
        """Sign in to a registry; the password travels through standard input only."""
        answer = self._run("login", "--username", user, "--password-stdin", host, stdin=password.encode())
        self._expect(answer, f"docker could not sign in to {host}")

    def build(
        self,
        context: Path,
        dockerfile: Path,
        image: str,
        labels: Mapping[str, str],
        arguments: Sequence[str],
        architecture: str = "",
    ) -> None:
        """Build an image; what the build says goes to standard error as it comes.

        Args:
            context: The folder that the Dockerfile may copy from.
            dockerfile: Its path.
            image: Registry, repository and tag.
            labels: Of the image.
            arguments: Build arguments, as NAME=value.
            architecture: The processor it is for, where that is not the engine's own.
        """
        # A provenance attestation would turn the tag into an index, whose digest is not the one that a
        # task reports.
        attest = [] if self.folder is None and not self._engine.has_buildx else ["--provenance=false"]
        platform = ["--platform", f"linux/{architecture}"] if architecture else []
        command = ["build", *attest, *platform, "-f", str(dockerfile), "-t", image]
        for name, value in labels.items():
            command += ["--label", f"{name}={value}"]
        for argument in arguments:
            command += ["--build-arg", argument]
        self._show(*command, str(context), failure=f"The image {image} could not be built")

    def tag(self, image: str, name: str) -> None:
        """Give an image one more name."""
        self._expect(self._run("tag", image, name), f"The image {image} cannot be named {name}")

    def push(self, image: str) -> None:
        """Push an image to the registry in its name."""
        self._show("push", image, failure=f"The image {image} could not be pushed")

    def _environment(self) -> dict[str, str]:
        env = with_path_first(self.folder) if self.folder else dict(os.environ)
        env["DOCKER_CONFIG"] = str(self.config)
        if self.folder is None:
            # The configuration of its own leaves the person's context and plugins behind.
            env["DOCKER_HOST"] = self._engine.host
            env.pop("DOCKER_CONTEXT", None)
            if self._engine.has_buildx and self._engine.plugins:
                with contextlib.suppress(FileExistsError):
                    (self.config / "cli-plugins").symlink_to(self._engine.plugins)
            elif not self._engine.has_buildx:
                env["DOCKER_BUILDKIT"] = "1"
        return env

    @property
    def _program(self) -> str:
        return "docker" if self.folder else self._engine.command

    def _run(self, *arguments: str, stdin: bytes | None = None) -> Completed:
        return run([self._program, *arguments], Path.cwd(), env=self._environment(), stdin=stdin)

    def _show(self, *arguments: str, failure: str) -> None:
        # Its progress is no data of ours, so even what it writes to standard output goes to our error.
        code = show(
            [self._program, *arguments], Path.cwd(), env=self._environment(), is_data=False, reads=False
        )
        if code:
            raise SinkError(f"{failure}: docker ended with exit code {code}.", "Its words are above.")

    def _expect(self, answer: Completed, failure: str) -> None:
        if answer.code:
            last = answer.error_text.splitlines()[-1:] or [f"exit code {answer.code}"]
            raise SinkError(f"{failure}: {last[0].rstrip('.')}.")


def find_digest(image: str, known: Sequence[str]) -> str:
    """Return the digest that an image has in the registry of its name, "" for none.

    Args:
        image: As a person names it, by tag or by digest.
        known: What the engine says of it: name@digest, once for each registry that it came from or went to.
    """
    name, _, digest = image.partition("@")
    if digest:
        return digest
    repository = name if "/" in name.rpartition(":")[2] else name.rpartition(":")[0] or name
    found = [each.partition("@") for each in known]
    return next((digest for named, _, digest in found if named == repository), "")
