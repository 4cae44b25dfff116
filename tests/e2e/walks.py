"""A journey that a test walks, and the questions that a person would ask along the way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

from demo.journey import APP, Journey, fetch
from sink_sandbox.client import lifecycle
from tests.e2e import planted
from the_sink.errors import SinkError
from the_sink.naming import Names, platform_export

CHECKOUT = Path(__file__).resolve().parents[2]


class Overheard(Journey):
    """A journey that keeps what every command has said, to look through it in the end."""

    def __init__(self, folder: Path, sandbox: str, compute: str, **more: Any) -> None:
        self.said: list[str] = []
        super().__init__(CHECKOUT, folder, sandbox, self.hear, compute, **more)

    def hear(self, text: str) -> None:
        """Keep and show what was said."""
        self.said.append(text)
        sys.stdout.write(f"{text}\n")

    def run(self, command: Sequence[str], cwd: Path) -> None:
        """Run a command as a journey does; its output is kept too."""
        done = subprocess.run(
            command, cwd=cwd, env=self.environment, capture_output=True, text=True, check=False
        )
        self.hear(f"\n({cwd.name}) $ {' '.join(command)}\n{done.stdout}{done.stderr}")
        self._require(command, done.returncode)


class Walk:
    """A journey and the questions that a person would ask along the way."""

    def __init__(self, journey: Overheard) -> None:
        self.journey = journey
        self.commits: list[str] = []
        self.arguments: set[bytes] = set()
        """Every command line of this machine while the second release was built and rolled out."""

    def client(self, service: str) -> Any:
        sandbox = lifecycle.require(self.journey.sandbox)
        return boto3.client(
            service,
            endpoint_url=sandbox.endpoint_url,
            region_name=self.region,
            aws_access_key_id="000000000000",
            aws_secret_access_key=sandbox.secret,
        )

    @property
    def region(self) -> str:
        return str(
            tomllib.loads((self.journey.app / "sink.toml").read_text())["environments"]["stage"]["region"]
        )

    @cached_property
    def address(self) -> str:
        """The address of stage, by the stack's output."""
        return self.journey.url("stage")

    def version(self, env: str = "stage") -> dict[str, Any]:
        """What the service says of itself through its load balancer."""
        address = self.address if env == "stage" else self.journey.url(env)
        return dict(json.loads(fetch(f"{address}/version")))

    def build_log(self, env: str) -> str:
        """What the environment's newest build wrote."""
        codebuild, names = self.client("codebuild"), Names(APP, env)
        newest = codebuild.list_builds_for_project(projectName=names.build_project)["ids"][0]
        logs = codebuild.batch_get_builds(ids=[newest])["builds"][0]["logs"]
        events = self.client("logs").get_log_events(
            logGroupName=logs["groupName"], logStreamName=logs["streamName"], startFromHead=True
        )
        return "\n".join(event["message"].rstrip("\n") for event in events["events"])

    def log_retention_days(self, env: str) -> int:
        """How long the log of the environment's tasks is kept."""
        group = Names(APP, env).log_group
        found = self.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        return int(next(each["retentionInDays"] for each in found if each["logGroupName"] == group))

    def invoke(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a task in the app, as its own environment answers."""
        done = subprocess.run(
            [str(self.journey.app / ".venv" / "bin" / "invoke"), *arguments],
            cwd=self.journey.app,
            env=self.journey.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        self.journey.said += [done.stdout, done.stderr]
        return done

    def places(self, secret: Any) -> set[str]:
        """Every kind of place in the sandbox's state that has a planted secret; ids are ``*``."""
        state = lifecycle.require(self.journey.sandbox).state_dir
        return {planted.pattern(place) for place in secret.find_below(state)}

    def running_tasks(self, env: str = "stage") -> list[dict[str, Any]]:
        ecs, names = self.client("ecs"), Names(APP, env)
        arns = ecs.list_tasks(cluster=names.cluster, serviceName=names.service)["taskArns"]
        tasks = ecs.describe_tasks(cluster=names.cluster, tasks=arns)["tasks"] if arns else []
        return [task for task in tasks if task["lastStatus"] == "RUNNING"]

    def archive(self, key: str) -> bytes:
        s3 = self.client("s3")
        return bytes(s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    @property
    def bucket(self) -> str:
        exports = self.client("cloudformation").list_exports()["Exports"]
        wanted = platform_export("the-sink", "PipelineS3Bucket")
        return next(str(export["Value"]) for export in exports if export["Name"] == wanted)


def use_port(sandbox: str, port: int) -> None:
    """Let a sandbox that was never started have had this port: others may take the usual one meanwhile."""
    home = lifecycle.state_dir(sandbox)
    home.mkdir(parents=True)
    (home / "port").write_text(str(port))


def eventually(condition: Any, seconds: float) -> None:
    """Poll until ``condition`` holds, and fail when it does not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except SinkError:
            pass
        time.sleep(0.1)
    assert condition()
