"""The README's journey, step by step, each step the commands that a person would type.

``invoke demo`` walks it for someone to watch; the end-to-end tests walk the same steps and look, after
each, at what that person would check. No step calls the platform's code: each is a process.
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from demo.load import Load, LoadResult
from demo.platform_change import change_platform, edit_app
from sink_host.interrupts import interrupted_afterwards
from sink_host.process import run, show
from the_sink.errors import InputError, SinkError

APP = "hello-sink"
DEFAULT_PORT = 4566


@dataclass
class Journey:
    """One walk through the platform in a folder of its own, on a sandbox of its own.

    Args:
        checkout: The platform repository that is being shown.
        folder: An empty folder, or none yet; the platform's clone and the app go there.
        sandbox: The sandbox's name; its state is thrown away first.
        say: Receives every line that is not a command's own output.
        compute: What plays containers: ``docker``, ``processes``, or "" for what the sandbox finds.
        runtime: The Python that the app runs on.
        answers: To the template's questions, beyond the app's name and where the platform is.
    """

    checkout: Path
    folder: Path
    sandbox: str
    say: Callable[[str], None]
    compute: str = ""
    runtime: str = "3.13"
    answers: Mapping[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.environment = _environment(self.sandbox)

    @property
    def platform(self) -> Path:
        """The clone that stands for the platform's repository."""
        return self.folder / "platform"

    @property
    def app(self) -> Path:
        """The generated app."""
        return self.folder / APP

    def start_sandbox(self) -> None:
        """Start an empty sandbox on loopback; the usual port if it is free."""
        self.run(["invoke", "sandbox.stop"], cwd=self.checkout)
        self.run(["invoke", "sandbox.reset", "--yes"], cwd=self.checkout)
        port = [] if _is_free(DEFAULT_PORT) else ["--port", str(free_port())]
        compute = ["--compute", self.compute] if self.compute else []
        self.run(["invoke", "sandbox.start", *port, *compute], cwd=self.checkout)

    def publish_platform(self) -> None:
        """Clone the platform, tag the clone with its version, and put it into the sandbox."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.run(["git", "clone", "--quiet", str(self.checkout), str(self.platform)], cwd=self.folder)
        self.run(["git", "tag", "--force", f"v{_version(self.platform)}"], cwd=self.platform)
        self.run(["invoke", "platform.bootstrap", "--sandbox"], cwd=self.platform)
        self.run(["invoke", "platform.publish", "--sandbox"], cwd=self.platform)
        self.run(["invoke", "runtimes.publish", "--runtime", self.runtime, "--sandbox"], cwd=self.platform)

    def generate_app(self) -> None:
        """Generate the app from the clone's tag, show its answers and commit it."""
        # Copier colours its list of files wherever that goes.
        quiet = [] if sys.stderr.isatty() else ["--quiet"]
        source = ["copier", "copy", *quiet, "--vcs-ref", f"v{_version(self.platform)}", "--defaults"]
        given = {
            "app_name": APP,
            "platform_repository": str(self.platform),
            "runtime_version": self.runtime,
            **self.answers,
        }
        answers = [word for name, value in given.items() for word in ("--data", f"{name}={value}")]
        self.run([*source, *answers, str(self.platform), APP], cwd=self.folder)
        self.run(["cat", ".copier-answers.yml"], cwd=self.app)
        self.run(["git", "init", "--quiet", "--initial-branch", "main"], cwd=self.app)
        # So that the commands of the app find this sandbox and never the reader's own.
        with (self.app / "sink.toml").open("a") as settings:
            settings.write(f'\n[sandbox]\nname = "{self.sandbox}"\n')
        self.say(f'[sandbox] name = "{self.sandbox}" added to sink.toml')
        self.commit("Generate the service from the platform's template")
        self.run(["uv", "venv", "--quiet", "--python", sys.executable, ".venv"], cwd=self.app)
        install = ["uv", "pip", "install", "--quiet", "-r", "requirements-platform.txt"]
        self.run(install, cwd=self.app)
        # From here on the app's own environment answers to `invoke`, at the version that the app pins.
        self.environment["PATH"] = os.pathsep.join(
            [str(self.app / ".venv" / "bin"), self.environment["PATH"]]
        )

    def bootstrap(self, env: str) -> None:
        """Create the environment's registry, secret, roles and pipeline; nothing runs in it yet."""
        self.run(["invoke", "bootstrap", "--env", env, "--sandbox"], cwd=self.app)

    def deploy(self, env: str) -> None:
        """Deploy the app's HEAD to stage, or promote to ``env`` what serves in the one before it."""
        self.run(["invoke", "deploy", "--env", env, "--sandbox"], cwd=self.app)

    def change_app(self) -> None:
        """Change a line of the app's source and commit it."""
        source = next((self.app / "app" / "src").glob("*/main.py"))
        text = source.read_text()
        source.write_text(text.replace('"""', '"""Second release. ', 1))
        self.run(["git", "diff", "--stat"], cwd=self.app)
        self.commit("Say that this is the second release")

    def deploy_under_load(self, env: str) -> LoadResult:
        """Deploy the app's HEAD while 50 requests a second arrive, and say how they fared."""
        with Load(f"{self.url(env)}/version") as load:
            self.deploy(env)
            result = load.stop()
        answers = " and ".join(
            f"{count} by {json.loads(body)['commit'][:8]}" for body, count in result.by_answer.items()
        )
        self.say(f"\n{result.sent} requests while it rolled: {answers} answered, {result.failed} failed.")
        if result.failed:
            raise SinkError(f"A rollout lost requests: {result.errors}.", "No release may do that.")
        return result

    def deploy_with_approval(self, env: str) -> None:
        """Deploy where the pipeline waits for a person, and be that person as soon as it says so."""
        command = ["invoke", "deploy", "--env", env, "--sandbox"]
        approve = ["invoke", "approve", "--env", env, "--sandbox"]
        self.say(f"\n({self.app.name}) $ {shlex.join(command)}")
        is_approved = False
        # Interrupted, it has something to say, and is heard to its end.
        with (
            interrupted_afterwards(),
            subprocess.Popen(
                command, cwd=self.app, env=self.environment, stderr=subprocess.PIPE, text=True
            ) as deploy,
        ):
            for line in deploy.stderr or ():
                self.say(line.rstrip("\n"))
                if shlex.join(approve) in line and not is_approved:
                    self.say("\nIn a second terminal:")
                    self.run(approve, cwd=self.app)
                    is_approved = True
        self._require(command, deploy.returncode)

    def edit_app(self) -> None:
        """Make the team's own edits in files that the platform made, and commit them."""
        edit_app(self.app)
        self.run(["git", "diff", "--stat"], cwd=self.app)
        self.commit("Add a task, a build step, an output and memory of our own")

    def change_platform(self) -> None:
        """Write, tag and publish the platform's next version in its clone; stage's channel moves."""
        major, minor, _ = _version(self.platform).split(".")
        version = f"{major}.{int(minor) + 1}.0"
        change_platform(self.platform, version)
        self.run(["git", "diff", "--stat"], cwd=self.platform)
        self.run(
            ["git", "commit", "--quiet", "--all", "--message", f"Version {version}: keep logs for a time"],
            cwd=self.platform,
        )
        self.run(["git", "tag", f"v{version}"], cwd=self.platform)
        self.run(["invoke", "platform.publish", "--sandbox"], cwd=self.platform)

    def update_app(self) -> None:
        """Bring the platform's newest version into the app, take its tools along, and commit."""
        self.run(["invoke", "update"], cwd=self.app)
        self.run(["git", "diff", "HEAD", "--stat"], cwd=self.app)
        install = ["uv", "pip", "install", "--quiet", "-r", "requirements-platform.txt"]
        self.run(install, cwd=self.app)
        self.run(["invoke", "validate"], cwd=self.app)
        self.commit("Update to the platform's newest version")

    def promote_platform(self, env: str) -> None:
        """Let the environment have the platform template that the one before it has."""
        self.run(["invoke", "platform.promote", "--env", env, "--sandbox"], cwd=self.platform)

    def look(self, url: str) -> None:
        """Ask the service for its version the way a person would, and show the answer."""
        address = f"{url}/version"
        if shutil.which("curl"):
            self.run(
                ["curl", "--silent", "--show-error", "--fail", "--max-time", "10", address], cwd=self.app
            )
            self.say("")
        else:
            self.say(f"\nGET {address}\n{fetch(address)}")

    def url(self, env: str) -> str:
        """Return the address of the service, from the stack's outputs."""
        outputs = json.loads(
            self.output(["invoke", "outputs", "--env", env, "--sandbox", "--json"], cwd=self.app)
        )
        return f"http://{outputs['EcsAlbDNSName']}"

    def status(self) -> None:
        """Show where everything is."""
        self.run(["invoke", "status", "--sandbox"], cwd=self.app)

    def stop_sandbox(self) -> None:
        """Stop the sandbox; its state stays."""
        self.run(["invoke", "sandbox.stop"], cwd=self.checkout)

    def commit(self, message: str) -> None:
        """Commit everything in the app, with a stand-in identity where git has none."""
        self.run(["git", "add", "--all"], cwd=self.app)
        self.run(["git", "commit", "--quiet", "--message", message], cwd=self.app)

    def head(self) -> str:
        """Return the full SHA of the app's HEAD."""
        return self.output(["git", "rev-parse", "HEAD"], cwd=self.app).strip()

    def run(self, command: Sequence[str], cwd: Path) -> None:
        """Show a command, run it with its real output, and stop the walk if it fails."""
        self.say(f"\n({cwd.name}) $ {shlex.join(command)}")
        self._require(command, show(command, cwd, env=self.environment))

    def _require(self, command: Sequence[str], code: int) -> None:
        if code:
            raise SinkError(f"The demo stopped: {shlex.join(command)!r} ended with exit code {code}.")

    def output(self, command: Sequence[str], cwd: Path) -> str:
        """Run a command unseen and return what it wrote to standard output."""
        done = run(command, cwd, env=self.environment)
        if done.code:
            self.say(done.error_text)
        self._require(command, done.code)
        return done.text


def fetch(address: str) -> str:
    """Return what a loopback address answers with status 200.

    ``*.localhost`` is loopback wherever it is resolved (RFC 6761, 6.3), but not every resolver knows it:
    the connection goes to 127.0.0.1, the name into the Host header.

    Raises:
        SinkError: it does not answer, or with another status.
    """
    parts = urlsplit(address)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=10)
    try:
        target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        connection.request("GET", target, headers={"Host": parts.netloc})
        response = connection.getresponse()
        body = response.read().decode()
    except OSError as error:
        raise SinkError(f"{address} does not answer: {error}.", "invoke status --sandbox") from error
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise SinkError(f"{address} answers with status {response.status}: {body}", "invoke status --sandbox")
    return body


def free_folder(parent: Path, name: str) -> Path:
    """Return ``parent/name``, or the first of ``name-2``, ``name-3`` … that does not exist yet."""
    for number in range(1, 1000):
        candidate = parent / (name if number == 1 else f"{name}-{number}")
        if not candidate.exists():
            return candidate
    raise InputError(f"{parent} holds a thousand demos.", f"Remove the folders {parent / name}-*.")


def _environment(sandbox: str) -> dict[str, str]:
    """This process's environment with this installation's commands first and the sandbox named."""
    env = dict(os.environ, THE_SINK_SANDBOX=sandbox)
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)])
    # A virtual environment that happens to be active would win over the app's own.
    env.pop("VIRTUAL_ENV", None)
    for person in ("AUTHOR", "COMMITTER"):
        if not _git_identity(env):
            env[f"GIT_{person}_NAME"] = "the-sink demo"
            env[f"GIT_{person}_EMAIL"] = "demo@the-sink.example"
    return env


def _git_identity(env: dict[str, str]) -> bool:
    found = subprocess.run(["git", "config", "user.email"], env=env, check=False, stdout=subprocess.DEVNULL)
    return found.returncode == 0


def _version(checkout: Path) -> str:
    with (checkout / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def free_port() -> int:
    """Return a port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
