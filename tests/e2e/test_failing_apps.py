"""Apps that cannot run: each ends in a sentence of deploy and log, and the release before serves on.

One sandbox, one app, one table. The platform is this checkout's, but for its patience: one failed task rolls
a release back, a task has ten seconds to become healthy and two to end, and container-init says after one,
two and six seconds what it says after five and ten. (A migration that fails: ``test_database.py``.)
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from demo.journey import APP, fetch
from sink_sandbox.client import lifecycle
from tests.clients import client_of
from tests.e2e.walks import CHECKOUT, eventually
from the_sink.naming import Names

# Each sentence has a short test where it is made: tests/runtimes, tests/sandbox, tests/unit.
pytestmark = pytest.mark.long

SANDBOX = "e2e-failing"
NAMES = Names(APP, "stage")
REGION = "eu-west-1"
PLATFORM = (
    "copier.yml",
    "demo",
    "pyproject.toml",
    "releases.toml",
    "runtimes",
    "sink.toml",
    "stacks",
    "tasks.py",
    "template",
)

IMPATIENCE = {
    "stacks/python/cfn-template.yml": {
        "Value: !If [IsStartLong, 2, 3]": "Value: 1",
        "StopTimeout: 30": "StopTimeout: 2",
    },
    "runtimes/python/sink_runtime/watch.py": {
        "_ELSEWHERE_S = 5.0": "_ELSEWHERE_S = 1.0",
        "_REPORTS_S = (10.0, 60.0, 300.0)": "_REPORTS_S = (2.0, 6.0, 300.0)",
    },
}

LISTENS = "socket.create_server(('127.0.0.1', {port}))"
BROKEN = """\
import http.server, os, signal, socket, sys, time

{body}
"""
IGNORES_SIGTERM = """\
signal.signal(signal.SIGTERM, signal.SIG_IGN)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(STATUS)

http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Case:
    """A release that cannot run.

    Attributes:
        name: What is wrong with it.
        told: Patterns in the deploy's last sentence and in the next step after it.
        secret: The secret's text, or its bytes where it is a binary one.
        body: What `web` runs, instead of the service; "" leaves the Procfile alone.
        procfile: A Procfile of its own.
        logged: A pattern in the log of its tasks; "" where none started.
        shown: A line that the deploy shows before its last sentence.
        code: The deploy's exit code; 2 where nothing was sent.
    """

    name: str
    told: tuple[str, ...]
    secret: str | bytes = "{}"
    body: str = ""
    procfile: str = ""
    logged: str = ""
    shown: str = ""
    code: int = 1


MEND_SECRET = f"Mend the secret {NAMES.secret}; nothing needs to be committed"
HEARD = r"Let the `web:` command of the Procfile listen on \$HOST and \$PORT"
SILENT = r"nothing listens on port \d+ \(\$PORT\) \d s after the start of web"
CASES = [
    Case("a secret that is a list", ("the runtime said: The secret is a list;", MEND_SECRET), secret="[1]"),
    Case("a key that is no name", ("The secret's key 'my-key' cannot", MEND_SECRET), secret='{"my-key": ""}'),
    Case(
        "a value that is no string", ("The secret's value of A is a number;", MEND_SECRET), secret='{"A": 1}'
    ),
    Case("a secret without a text", ("The secret has no text;", MEND_SECRET), secret=" "),
    Case("a secret that is binary", ("The secret has no text;", MEND_SECRET), secret=b"{}"),
    Case(
        "a setting that is missing",
        (
            "the last exception: KeyError: 'GREETING'",
            f"value in the secret {NAMES.secret} and run `invoke deploy",
        ),
        procfile="check: python -c \"import os; os.environ['GREETING']\"\nweb: true\n",
        shown="    | KeyError: 'GREETING'",
    ),
    Case("no web", (r"Procfile: it has no line 'web: <command>'",), procfile="release: true\n", code=2),
    Case("a line that is none", (r"Procfile: line 2 is not",), procfile="web: true\nserve it\n", code=2),
    Case(
        "never listens",
        (
            f"container-init said: {SILENT};",
            r"asks .* on port 8080 for /health.* \(port 8080 leads to the task's \$PORT, \d+\)",
            HEARD,
        ),
        body="time.sleep(600)",
        logged=rf"container-init: {SILENT}\.",
    ),
    Case(
        "listens on another port",
        (rf"container-init said: {SILENT}, which listens on port \d+;", HEARD),
        body=f"kept = {LISTENS.format(port=0)}; time.sleep(600)",
        logged=r"container-init: .*, which listens on port \d+\.",
    ),
    Case(
        "exits at once",
        (r"ended with exit code 1: .*; its last exception: ValueError: no licence", "Mend the cause"),
        body="raise ValueError('no licence')",
        logged="no licence",
        shown="    | ValueError: no licence",
    ),
    Case(
        "ends well",
        (r"ended with exit code 0 \(what serves must go on\): ", "stay in the foreground"),
        body="print('done', flush=True)",
        logged=r"done\n\[sandbox\] The task ended with exit code 0, and nobody had told it to\.",
        shown="    | done",
    ),
    Case(
        "ignores SIGTERM",
        (
            r"exit code 137 \(killed, because it had not ended within its stop timeout after SIGTERM\)",
            r"codes: \[500\]",
        ),
        body=IGNORES_SIGTERM.replace("STATUS", "500"),
        logged=r"\[sandbox\] SIGTERM has not ended the task within 2 s: it is killed",
    ),
]


@dataclass
class World:
    """The sandbox, the platform in it, and the app."""

    folder: Path
    state: Path
    commits: int = 0
    served: str = ""
    clients: dict[str, Any] = field(default_factory=dict)

    @property
    def app(self) -> Path:
        return self.folder / APP

    def run(self, *command: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def invoke(
        self, *arguments: str, cwd: Path | None = None, code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        return self.run(
            sys.executable, "-m", "invoke", *arguments, "--sandbox", cwd=cwd or self.app, code=code
        )

    def commit(self, folder: Path, message: str) -> str:
        git = ["git", "-c", "user.name=Tests", "-c", "user.email=tests@example.com"]
        self.run(*git, "add", "--all", cwd=folder)
        self.run(*git, "commit", "--quiet", "--allow-empty", "--message", message, cwd=folder)
        return self.run("git", "rev-parse", "HEAD", cwd=folder).stdout.strip()

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = client_of(lifecycle.require(SANDBOX), service, REGION)
        return self.clients[service]

    def put_secret(self, value: str | bytes) -> None:
        kind = "SecretString" if isinstance(value, str) else "SecretBinary"
        self.client("secretsmanager").put_secret_value(SecretId=NAMES.secret, **{kind: value})

    def version(self) -> str:
        """The commit that answers through the load balancer."""
        outputs = self.client("cloudformation").describe_stacks(StackName=NAMES.app_stack)["Stacks"][0][
            "Outputs"
        ]
        address = next(each["OutputValue"] for each in outputs if each["OutputKey"] == "EcsAlbDNSName")
        return str(json.loads(fetch(f"http://{address}/version"))["commit"])

    def log(self) -> str:
        events = self.client("logs").filter_log_events(logGroupName=NAMES.log_group)["events"]
        return "\n".join(event["message"] for event in events)

    def make_platform(self) -> None:
        platform = self.folder / "platform"
        files = self.run(
            "git", "ls-files", "--cached", "--others", "--exclude-standard", *PLATFORM, cwd=CHECKOUT
        )
        for name in files.stdout.splitlines():
            (platform / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, platform / name)
        for name, edits in IMPATIENCE.items():
            text = (platform / name).read_text()
            for before, after in edits.items():
                assert text.count(before) == 1, before
                text = text.replace(before, after)
            (platform / name).write_text(text)
        self.run("git", "init", "--quiet", "--initial-branch", "main", cwd=platform)
        self.commit(platform, "The platform")
        for task in (["platform.bootstrap"], ["platform.publish"], ["runtimes.publish", "--runtime", "3.13"]):
            self.invoke(*task, cwd=platform)

    def make_app(self) -> None:
        source = str(self.folder / "platform")
        answers = {"app_name": APP, "platform_repository": source, "database": "none"}
        data = [word for name, value in answers.items() for word in ("--data", f"{name}={value}")]
        copier = [sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", "--vcs-ref", "HEAD"]
        self.run(*copier, *data, source, str(self.app), cwd=self.folder)
        with (self.app / "sink.toml").open("a") as settings:
            settings.write(f'\n[sandbox]\nname = "{SANDBOX}"\n')
        configuration = self.app / "aws/cfn-template-configuration-stage.json"
        content = json.loads(configuration.read_text())
        # A good release boots in that time on a busy machine too.
        content["Parameters"]["HealthCheckGracePeriod"] = "10"
        configuration.write_text(json.dumps(content, indent=2))
        self.run("git", "init", "--quiet", "--initial-branch", "main", cwd=self.app)
        self.served = self.commit(self.app, "Generate the service")
        self.invoke("bootstrap", "--env", "stage")
        self.invoke("deploy", "--env", "stage")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, free_port: Any) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        state = tmp_path_factory.mktemp("state")
        patch.setenv("XDG_STATE_HOME", str(state))
        patch.setenv("THE_SINK_SANDBOX", SANDBOX)
        try:
            lifecycle.start(SANDBOX, port=free_port(), compute="processes")
            world = World(tmp_path_factory.mktemp("failing"), state)
            world.make_platform()
            world.make_app()
            yield world
        finally:
            lifecycle.stop(SANDBOX)


@pytest.fixture(autouse=True)
def _sandbox_of_this_module(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_SINK_SANDBOX", SANDBOX)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_app_that_cannot_run_ends_in_a_sentence(world: World, case: Case) -> None:
    procfile = world.app / "app" / "Procfile"
    good = procfile.read_text()
    broken = world.app / "app" / "src" / "broken.py"
    if case.body:
        broken.write_text(BROKEN.format(body=textwrap.dedent(case.body)))
        procfile.write_text("web: python -m broken\n")
    elif case.procfile:
        procfile.write_text(case.procfile)
    world.put_secret(case.secret)
    world.commit(world.app, case.name)
    try:
        failed = world.invoke("deploy", "--env", "stage", code=case.code)
    finally:
        procfile.write_text(good)
        broken.unlink(missing_ok=True)
        world.put_secret("{}")

    *lines, sentence, hint = failed.stderr.splitlines()
    for pattern in case.told:
        assert re.search(pattern, f"{sentence}\n{hint}"), failed.stderr
    ours = [line for line in lines if not line.startswith("    | ")]
    assert "Traceback" not in "\n".join([*ours, sentence, hint])
    assert case.shown in [*lines, ""]
    assert world.version() == world.served
    if case.logged:
        eventually(lambda: re.search(case.logged, world.log()), seconds=60)


def test_a_secret_that_is_spoiled_after_the_deploy_is_told_in_the_task_s_log(world: World) -> None:
    """A new task of the release that serves cannot start any more; the one that runs stays."""
    world.put_secret('{"A": null}')
    world.client("ecs").update_service(cluster=NAMES.cluster, service=NAMES.service, forceNewDeployment=True)

    said = "container-init: The secret's value of A is null; it must be a string."
    eventually(lambda: said in world.log(), seconds=60)
    assert world.version() == world.served
    world.put_secret("{}")


def test_the_app_serves_again_when_it_is_mended(world: World) -> None:
    """Nothing of all that has to be cleared away; {} is a secret."""
    commit = world.commit(world.app, "Mend everything")

    world.invoke("deploy", "--env", "stage")

    assert world.version() == commit

    # Of the commit that serves, too: its newest run failed, and what it failed of is mended.
    world.put_secret("[]")
    world.invoke("deploy", "--env", "stage", "--again", code=1)
    world.put_secret("{}")
    mended = world.invoke("deploy", "--env", "stage")
    assert re.search(r"of this commit failed in .* Deploying it again\.", mended.stderr)
    assert "already serves" not in mended.stdout + mended.stderr


def test_a_release_that_ignores_sigterm_is_told_when_the_next_one_replaces_it(world: World) -> None:
    """It serves well until then; the deploy that ends it waits for that, and says how it went."""
    procfile = world.app / "app" / "Procfile"
    good = procfile.read_text()
    server = world.app / "app" / "src" / "broken.py"
    server.write_text(BROKEN.format(body=textwrap.dedent(IGNORES_SIGTERM.replace("STATUS", "200"))))
    procfile.write_text("web: python -m broken\n")
    world.commit(world.app, "Serve, and hear nothing")
    world.invoke("deploy", "--env", "stage")
    procfile.write_text(good)
    server.unlink()
    world.commit(world.app, "Hear again")

    ended = world.invoke("deploy", "--env", "stage")

    assert re.search(
        r"Warning: Task [0-9a-f-]+ of the release before ended with exit code 137 \(killed, because it had "
        r"not ended within its stop timeout after SIGTERM\)",
        ended.stderr,
    )
