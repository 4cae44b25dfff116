"""The ``docker`` that a build finds first on its PATH where there is a Docker Engine.

It hands every command on to the real one, after it has led the registry's names to the sandbox
(:mod:`.names`), and turns them back in what the real one says. Login to the registry is the sandbox's own
matter. What a build starts carries the sandbox's label, so that nothing of it is left behind.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from sink_host.docker_engine import FoundEngine
from sink_sandbox.containers.docker.names import LABEL, Names, is_reference, sandbox_id
from sink_sandbox.containers.references import is_ecr_host, parse_reference
from sink_sandbox.docker_cli.engine.install import VARIABLES
from sink_sandbox.docker_cli.engine.login import write_login
from sink_sandbox.docker_cli.process.session import Session
from sink_sandbox.errors import InputError, SinkError

_HELD = ("image", "container", "builder", "buildx")
"""Groups whose members are known without them too: ``docker image push`` is ``docker push``."""
_SHORT = {
    "image": {"build": "build", "push": "push", "pull": "pull", "inspect": "inspect", "ls": "images"},
    "container": {"run": "run", "create": "create"},
    "builder": {"build": "build"},
    "buildx": {"build": "build"},
}


class Command:
    """One command line and what it is about."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        try:
            state, endpoint, engine = (environ[name] for name in VARIABLES)
        except KeyError as error:
            raise InputError(f"{error.args[0]} does not say which sandbox to use.") from error
        self.session = Session(Path(state), endpoint)
        self.found = FoundEngine.from_json(engine)
        self.names = Names(int(endpoint.rpartition(":")[2]), sandbox_id(Path(state)))
        self.environment = _real_environment(environ, self.found, Path(state) / "docker")

    def run(self, words: list[str]) -> int:
        """Run one command line and return its exit code."""
        name, rest = _split(words)
        handlers: dict[str, Callable[[list[str]], int]] = {
            "login": self._login,
            "logout": self._logout,
            "build": self._build,
            "run": lambda rest: self._start("run", rest),
            "create": lambda rest: self._start("create", rest),
            "push": lambda rest: self._transfer("push", rest),
            "pull": lambda rest: self._transfer("pull", rest),
            "inspect": self._inspect,
            "images": self._images,
        }
        if name in handlers:
            return handlers[name](rest)
        return self.hand_on([self._mapped(word) for word in words])

    def hand_on(self, words: list[str]) -> int:
        """Run the real command; what it says comes out with the registry's names."""
        process = subprocess.Popen(
            [self.found.command, *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout and process.stderr  # noqa: S101 - Popen was given pipes
        copies = [
            threading.Thread(target=self._copy, args=(process.stdout, sys.stdout.buffer)),
            threading.Thread(target=self._copy, args=(process.stderr, sys.stderr.buffer)),
        ]
        for copy in copies:
            copy.start()
        code = process.wait()
        for copy in copies:
            copy.join()
        return code if code >= 0 else 128 - code

    def ask(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """Run the real command and return what it said, unchanged."""
        return subprocess.run(
            [self.found.command, *words], env=self.environment, capture_output=True, text=True, check=False
        )

    def _copy(self, source: IO[bytes], target: IO[bytes]) -> None:
        for line in source:
            try:
                target.write(
                    self.names.to_registry(line.decode("utf-8", "surrogateescape")).encode(
                        "utf-8", "surrogateescape"
                    )
                )
                target.flush()
            except BrokenPipeError:
                # Whoever read it has seen enough: the real command hears of it as it would without this one
                # between, and what could not be written is not tried once more at the exit.
                source.close()
                os.dup2(os.open(os.devnull, os.O_WRONLY), target.fileno())
                return

    def _mapped(self, word: str) -> str:
        return self.names.to_engine(word) if is_reference(word) else word

    def _login(self, words: list[str]) -> int:
        if not any(is_ecr_host(_host(word)) for word in words):
            return self.hand_on(["login", *words])
        from sink_sandbox.docker_cli.process.images import login

        code = login(self.session, words)
        self._tell_engine(words)
        return code

    def _logout(self, words: list[str]) -> int:
        if not any(is_ecr_host(_host(word)) for word in words):
            return self.hand_on(["logout", *words])
        from sink_sandbox.docker_cli.process.images import logout

        code = logout(self.session, words)
        self._tell_engine(words)
        return code

    def _tell_engine(self, words: list[str]) -> None:
        """Let the real command sign in where it finds the registry: every name of it is one address there."""
        logins = self.session.logins()
        token = next((logins[_host(word)] for word in words if _host(word) in logins), "")
        write_login(Path(self.environment["DOCKER_CONFIG"]), f"localhost:{self.names.port}", token)

    def _build(self, words: list[str]) -> int:
        from sink_sandbox.docker_cli.engine.build import build

        return build(self, words)

    def _inspect(self, words: list[str]) -> int:
        from sink_sandbox.docker_cli.engine.images import inspect

        return inspect(self, words)

    def _images(self, words: list[str]) -> int:
        from sink_sandbox.docker_cli.engine.images import images

        return images(self, words)

    def _transfer(self, name: str, words: list[str]) -> int:
        for word in words:
            if is_reference(word):
                self.session.require_login(parse_reference(word))
        return self.hand_on([name, *(self._mapped(word) for word in words)])

    def _start(self, name: str, words: list[str]) -> int:  # noqa: RET503 - it ends by becoming another
        """The container's output is its own, so the real command takes this one's place."""
        place = next((index for index, word in enumerate(words) if is_reference(word)), None)
        if place is not None:
            reference = parse_reference(words[place])
            image = self._mapped(words[place])
            if self.ask(["image", "inspect", image]).returncode:
                self.session.require_login(reference)
                # Where the image is not here its transfer is this one's to tell, by the registry's names.
                code = subprocess.run(
                    [self.found.command, "pull", "--quiet", image],
                    env=self.environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    check=False,
                )
                if code.returncode:
                    sys.stderr.write(self.names.to_registry(code.stderr))
                    return 125
            words = [*words[:place], image, *words[place + 1 :]]
        label = f"{LABEL}={self.names.sandbox}"
        sys.stdout.flush()
        os.execve(  # noqa: S606 - no shell
            self.found.command, [self.found.command, name, "--label", label, *words], self.environment
        )


def _split(words: list[str]) -> tuple[str, list[str]]:
    """Return the command's name and what follows; a command of a group by its short name."""
    name, *rest = words or [""]
    if name in _HELD and rest and rest[0] in _SHORT[name]:
        return _SHORT[name][rest[0]], rest[1:]
    return name, rest


def _host(word: str) -> str:
    return word.removeprefix("https://").removeprefix("http://").rstrip("/")


def _real_environment(environ: Mapping[str, str], found: FoundEngine, usual: Path) -> dict[str, str]:
    """The build's environment, the engine's address, and the plugins of the user's ``docker``.

    Without a configuration of the build's own, it is the sandbox's, in the folder ``usual``: the sign-in to
    its registry is no business of the user's.
    """
    env = {name: value for name, value in environ.items() if name not in VARIABLES}
    env["DOCKER_HOST"] = found.host
    env.pop("DOCKER_CONTEXT", None)
    env["DOCKER_CONFIG"] = env.get("DOCKER_CONFIG") or str(usual)
    if not found.has_buildx:
        env["DOCKER_BUILDKIT"] = "1"
    elif found.plugins:
        # A build has a configuration of its own, so that no sign-in of the user's reaches it.
        link = Path(env["DOCKER_CONFIG"]) / "cli-plugins"
        link.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            link.symlink_to(found.plugins)
    return env


def main(words: list[str]) -> int:
    """Run one command and return its exit code."""
    try:
        return Command(os.environ).run(words)
    except SinkError as error:
        print(f"docker: {error.message}", file=sys.stderr)  # noqa: T201 - a program of its own
        if error.hint:
            print(f"docker: {error.hint}", file=sys.stderr)  # noqa: T201
        return 1
    except BrokenPipeError:
        sys.stdout = None
        return 0
