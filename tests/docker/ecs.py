"""A sandbox with an engine whose ECS runs a small app, and how its tasks are asked."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from sink_sandbox.client import lifecycle
from sink_sandbox.containers.docker.names import sandbox_id
from tests.clients import ask, registry_password, root_of

HOST = "000000000000.dkr.ecr.eu-west-1.amazonaws.com"
IMAGE = f"{HOST}/app:one"
GROUP = "/app"

DOCKERFILE = """\
FROM local/python:3.13
RUN useradd --uid 1000 app && mkdir /payload
COPY app.py /payload/
ENV WHO=image
USER app
EXPOSE 8080
CMD ["python3", "-u", "/payload/app.py"]
"""

APP = '''\
"""Serves its environment; SIGTERM is said and then ends it, unless STUBBORN is set."""
import http.server, json, os, signal, sys

checks = []

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = {"peer": self.client_address[0], "asked_for": self.headers["Host"]}
        if self.path == "/health":
            checks.append(asked)
        told = {**os.environ, "cwd": os.getcwd(), "uid": os.getuid(), "argv": sys.argv[1:]}
        told.update(asked, checks=checks)
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

def stop(*_):
    print("asked to stop", flush=True)
    if "STUBBORN" not in os.environ:
        sys.exit(0)

signal.signal(signal.SIGTERM, stop)
print("serving", flush=True)
print("on standard error", file=sys.stderr, flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
'''


class Ecs:
    """A sandbox with an engine and an image of the app above in its registry."""

    def __init__(self, sandbox: lifecycle.Sandbox, engine: Any) -> None:
        self.sandbox = sandbox
        self.engine = engine
        self.id = sandbox_id(sandbox.state_dir)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.sandbox.endpoint_url,
            region_name="eu-west-1",
            aws_access_key_id="000000000000",
            aws_secret_access_key=self.sandbox.secret,
        )

    def push(self, folder: Path) -> None:
        """Build and push the image as a build does."""
        (folder / "Dockerfile").write_text(DOCKERFILE)
        (folder / "app.py").write_text(APP)
        self.client("ecr").create_repository(repositoryName="app")
        env = {
            "PATH": f"{self.sandbox.state_dir}/docker/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "DOCKER_CONFIG": str(folder / ".docker"),
        }
        for words, stdin in (
            (["login", "--username", "AWS", "--password-stdin", HOST], registry_password(self.sandbox)),
            (["build", "-t", IMAGE, str(folder)], ""),
            (["push", IMAGE], ""),
        ):
            done = subprocess.run(
                ["docker", *words], env=env, input=stdin, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr

    def register(self, family: str, *, volumes: Any = (), task_role: str = "", **container: Any) -> str:
        """Register a task definition of one container and return its ARN."""
        definition = self.client("ecs").register_task_definition(
            family=family,
            networkMode="awsvpc",
            **({"taskRoleArn": task_role} if task_role else {}),
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            volumes=list(volumes),
            containerDefinitions=[
                {
                    "name": "app",
                    "image": IMAGE,
                    "essential": True,
                    "portMappings": [{"containerPort": 8080}],
                    "logConfiguration": {
                        "logDriver": "awslogs",
                        "options": {
                            "awslogs-group": GROUP,
                            "awslogs-region": "eu-west-1",
                            "awslogs-stream-prefix": "tasks",
                        },
                    },
                    **container,
                }
            ],
        )
        return str(definition["taskDefinition"]["taskDefinitionArn"])

    def status(self) -> dict[str, Any]:
        """What the sandbox says of itself."""
        _, _, body = ask(self.sandbox, "GET", "/_sandbox/status", signed_by=root_of(self.sandbox))
        return dict(json.loads(body))

    def run(self, definition: str, **options: Any) -> str:
        """Start a task and return its ARN."""
        answer = self.client("ecs").run_task(
            cluster="tests", taskDefinition=definition, launchType="FARGATE", **options
        )
        return str(answer["tasks"][0]["taskArn"])

    def task(self, arn: str) -> dict[str, Any]:
        return dict(self.client("ecs").describe_tasks(cluster="tests", tasks=[arn])["tasks"][0])

    def until(self, arn: str, status: str, seconds: float = 60) -> dict[str, Any]:
        """Wait until a task has a status and return it."""
        deadline = time.monotonic() + seconds
        while (task := self.task(arn))["lastStatus"] != status:
            assert time.monotonic() < deadline, task
            assert task["lastStatus"] != "STOPPED", task
            time.sleep(0.1)
        return task

    def told(self, arn: str) -> dict[str, Any]:
        """What the app of a running task says of itself."""
        task = self.until(arn, "RUNNING")
        details = {each["name"]: each["value"] for each in task["attachments"][0]["details"]}
        deadline = time.monotonic() + 60
        while True:
            connection = http.client.HTTPConnection(details["privateIPv4Address"], 8080, timeout=5)
            try:
                connection.request("GET", "/")
                return dict(json.loads(connection.getresponse().read()))
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            finally:
                connection.close()

    def log(self, arn: str, words: str) -> list[str]:
        """Wait for words in a task's log and return its lines."""
        stream = f"tasks/app/{arn.rpartition('/')[2]}"
        logs = self.client("logs")
        deadline = time.monotonic() + 60
        while True:
            try:
                events = logs.get_log_events(logGroupName=GROUP, logStreamName=stream)["events"]
            except logs.exceptions.ResourceNotFoundException:
                events = []
            lines = [str(event["message"]) for event in events]
            if any(words in line for line in lines):
                return lines
            assert time.monotonic() < deadline, lines
            time.sleep(0.1)


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
