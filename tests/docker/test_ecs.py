"""ECS on an engine: what the task definition says reaches the container, and what becomes of it is told."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from the_sink.sandbox import lifecycle
from the_sink.sandbox.docker_engine.names import sandbox_id

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

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        told = {**os.environ, "cwd": os.getcwd(), "uid": os.getuid(), "argv": sys.argv[1:]}
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
            aws_secret_access_key="sandbox",
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
            (["login", "--username", "AWS", "--password-stdin", HOST], "token"),
            (["build", "-t", IMAGE, str(folder)], ""),
            (["push", IMAGE], ""),
        ):
            done = subprocess.run(
                ["docker", *words], env=env, input=stdin, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr

    def register(self, family: str, *, volumes: Any = (), **container: Any) -> str:
        """Register a task definition of one container and return its ARN."""
        definition = self.client("ecs").register_task_definition(
            family=family,
            networkMode="awsvpc",
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
        connection = http.client.HTTPConnection("127.0.0.1", self.sandbox.port, timeout=30)
        connection.request("GET", "/_sandbox/status")
        return dict(json.loads(connection.getresponse().read()))

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


@pytest.fixture(scope="module")
def start_ecs(
    tmp_path_factory: pytest.TempPathFactory, free_port: Any, base_image: Any, engine: Any
) -> Iterator[Callable[[str], Ecs]]:
    """A function that starts a sandbox, on an engine, with the app's image in it."""
    base_image("3.13")
    state = tmp_path_factory.mktemp("state")
    started: list[str] = []

    def start(name: str, host: str = "") -> Ecs:
        with pytest.MonkeyPatch.context() as patch:
            if host:
                patch.setenv("DOCKER_HOST", host)
            patch.setenv("XDG_STATE_HOME", str(state))
            started.append(name)
            ecs = Ecs(lifecycle.start(name, port=free_port(), compute="docker"), engine)
        ecs.client("ecs").create_cluster(clusterName="tests")
        ecs.client("logs").create_log_group(logGroupName=GROUP)
        ecs.push(tmp_path_factory.mktemp("image"))
        return ecs

    yield start
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state))
        for name in started:
            lifecycle.stop(name)
            lifecycle.reset(name)


@pytest.fixture(scope="module")
def ecs(start_ecs: Callable[[str], Ecs]) -> Ecs:
    return start_ecs("ecs")


def test_everything_of_the_definition_reaches_the_container(ecs: Ecs) -> None:
    """Entry point, command, folder, user, environment and secrets; a secret by key and a parameter."""
    secret = ecs.client("secretsmanager").create_secret(Name="s", SecretString='{"KEY": "it\'s \\"$x\\""}')
    ecs.client("ssm").put_parameter(Name="/p", Value="parameter", Type="String")
    arn = ecs.run(
        ecs.register(
            "everything",
            entryPoint=["python3", "-u", "/payload/app.py"],
            command=["one", "two words"],
            workingDirectory="/tmp",  # noqa: S108 - in a container
            user="4242",
            environment=[{"name": "WHO", "value": "definition"}],
            secrets=[
                {"name": "SECRET", "valueFrom": f"{secret['ARN']}:KEY::"},
                {"name": "PARAMETER", "valueFrom": "/p"},
            ],
        ),
        overrides={
            "containerOverrides": [{"name": "app", "environment": [{"name": "MORE", "value": "yes"}]}]
        },
    )

    told = ecs.told(arn)

    assert told["argv"] == ["one", "two words"]
    assert (told["cwd"], told["uid"]) == ("/tmp", 4242)  # noqa: S108 - in a container
    assert (told["WHO"], told["MORE"]) == ("definition", "yes")
    assert (told["SECRET"], told["PARAMETER"]) == ('it\'s "$x"', "parameter")
    container = ecs.task(arn)["containers"][0]["runtimeId"]
    memory = ecs.engine.run("inspect", "--format", "{{.HostConfig.Memory}}", container)
    assert int(memory) == 512 * 1024 * 1024


def test_a_task_reaches_the_sandbox_s_aws(ecs: Ecs) -> None:
    """By the address in its environment, from inside its network."""
    arn = ecs.run(ecs.register("reaches"))
    told = ecs.told(arn)
    container = ecs.task(arn)["containers"][0]["runtimeId"]

    program = (
        "import os, urllib.request as u\n"
        "print(u.urlopen(os.environ['AWS_ENDPOINT_URL'] + '/_sandbox/status').status)"
    )
    assert told["AWS_ENDPOINT_URL"].endswith(f":{ecs.sandbox.port}")
    assert ecs.engine.run("exec", container, "python3", "-c", program) == "200"


def test_both_outputs_are_in_cloudwatch_by_line(ecs: Ecs) -> None:
    arn = ecs.run(ecs.register("logs"))

    lines = ecs.log(arn, "on standard error")

    assert "serving" in lines


@pytest.mark.parametrize(
    ("command", "code"), [("exit 0", 0), ("exit 7", 7), ("sh -c 'kill -9 $$'; exit $?", 137)]
)
def test_a_task_that_ends_tells_its_exit_code(ecs: Ecs, command: str, code: int) -> None:
    """And its last words are in the log although it lived for a moment only."""
    arn = ecs.run(ecs.register("ends", command=["sh", "-c", f"echo last words; {command}"]))
    deadline = time.monotonic() + 60
    while (task := ecs.task(arn))["lastStatus"] != "STOPPED":
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert task["containers"][0]["exitCode"] == code
    assert (task["stopCode"], task["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container exited",
    )
    assert "last words" in ecs.log(arn, "last words")


def test_an_image_that_is_not_there_is_said_by_its_own_name(ecs: Ecs) -> None:
    arn = ecs.run(ecs.register("missing", image=f"{HOST}/app:none"))
    deadline = time.monotonic() + 60
    while (task := ecs.task(arn))["lastStatus"] != "STOPPED":
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert task["stopCode"] == "TaskFailedToStart"
    assert f"{HOST}/app:none" in task["stoppedReason"]
    assert "/sink-" not in task["stoppedReason"]


def test_a_stubborn_task_is_killed_after_its_stop_timeout(ecs: Ecs) -> None:
    """It heard SIGTERM first."""
    arn = ecs.run(ecs.register("stubborn", stopTimeout=2, environment=[{"name": "STUBBORN", "value": "1"}]))
    ecs.told(arn)

    ecs.client("ecs").stop_task(cluster="tests", task=arn, reason="enough")

    assert ecs.task(arn)["stoppedReason"] == "enough"
    lines = ecs.log(arn, "SIGTERM has not ended the task within 2 s: it is killed")
    assert "asked to stop" in lines


@pytest.mark.parametrize(
    ("name", "port", "codes", "reason", "description"),
    [
        ("elsewhere", 9090, "200", "Target.FailedHealthChecks", "Health checks failed"),
        (
            "wrongly",
            8080,
            "204",
            "Target.ResponseCodeMismatch",
            "Health checks failed with these codes: [200]",
        ),
    ],
)
def test_a_task_that_the_load_balancer_does_not_take(
    ecs: Ecs, name: str, port: int, codes: str, reason: str, description: str
) -> None:
    """The app listens on 8080 and answers 200, whatever its target group expects."""
    balancing, services = ecs.client("elbv2"), ecs.client("ecs")
    (group,) = balancing.create_target_group(
        Name=name,
        Protocol="HTTP",
        Port=port,
        VpcId="vpc-1",
        TargetType="ip",
        HealthCheckPath="/health",
        HealthCheckIntervalSeconds=5,
        Matcher={"HttpCode": codes},
    )["TargetGroups"]
    services.create_service(
        cluster="tests",
        serviceName=name,
        taskDefinition=ecs.register(name, portMappings=[{"containerPort": port}]),
        desiredCount=1,
        launchType="FARGATE",
        healthCheckGracePeriodSeconds=60,
        loadBalancers=[
            {"targetGroupArn": group["TargetGroupArn"], "containerName": "app", "containerPort": port}
        ],
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    )
    asked = {"TargetGroupArn": group["TargetGroupArn"]}
    seen: list[dict[str, Any]] = []

    def is_unhealthy() -> bool:
        seen[:] = balancing.describe_target_health(**asked)["TargetHealthDescriptions"]
        return any(each["TargetHealth"]["State"] == "unhealthy" for each in seen)

    try:
        until(is_unhealthy, 60)
    finally:
        services.delete_service(cluster="tests", service=name, force=True)

    assert [(each["Target"]["Port"], each["TargetHealth"]) for each in seen] == [
        (port, {"State": "unhealthy", "Reason": reason, "Description": description})
    ]


def test_files_outlive_a_task_where_they_should(ecs: Ecs) -> None:
    """A file system of EFS is a folder of the sandbox; a volume without a host is new for each task."""
    shared = ecs.client("efs").create_file_system()["FileSystemId"]
    definition = ecs.register(
        "files",
        volumes=[
            {"name": "shared", "efsVolumeConfiguration": {"fileSystemId": shared}},
            {"name": "own"},
        ],
        mountPoints=[
            {"sourceVolume": "shared", "containerPath": "/mnt/shared"},
            {"sourceVolume": "own", "containerPath": "/tmp"},  # noqa: S108 - in a container
        ],
        readonlyRootFilesystem=True,
        command=["sh", "-c", "ls /mnt/shared /tmp; touch /mnt/shared/kept /tmp/lost /payload/none; sleep 1"],
    )

    first = ecs.log(ecs.run(definition), "Read-only file system")
    second = ecs.log(ecs.run(definition), "kept")

    assert "kept" not in first
    assert "lost" not in second
    assert (ecs.sandbox.state_dir / "efs" / shared / "kept").is_file()


def test_a_sandbox_that_is_killed_takes_its_containers_along(start_ecs: Any) -> None:
    """And comes back with its state: the service starts its task again."""
    ecs = start_ecs("killed")
    ecs.client("ecs").create_service(
        cluster="tests", serviceName="service", taskDefinition=ecs.register("serves"), desiredCount=1
    )
    until(lambda: len(ecs.engine.containers(ecs.id)) == 1, 60)
    until(lambda: bool(ecs.status()["saved"]), 60)

    os.kill(ecs.sandbox.pid, signal.SIGKILL)
    until(lambda: not ecs.engine.containers(ecs.id) and not ecs.engine.networks(ecs.id), 60)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(ecs.sandbox.state_dir.parent.parent))
        again = lifecycle.start("killed", compute="docker")
    assert again.port == ecs.sandbox.port
    until(lambda: len(ecs.engine.containers(ecs.id)) == 1, 60)


class Road:
    """A socket that leads to the engine's until it is closed: an engine that comes and goes."""

    def __init__(self, folder: Path, engine: Any) -> None:
        self.path = folder / "engine.sock"
        self._real = engine.found.host.removeprefix("unix://")
        self._pairs: list[socket.socket] = []
        self.open()

    def open(self) -> None:
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        for end in (self._listener, *self._pairs):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._pairs.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._real)
            self._pairs += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


def test_an_engine_that_stops_and_comes_back(start_ecs: Any, engine: Any, tmp_path: Path) -> None:
    """What runs goes on, what is asked meanwhile fails with its reason, afterwards all is as before."""
    road = Road(tmp_path, engine)
    ecs = start_ecs("road", f"unix://{road.path}")
    lasting = ecs.run(ecs.register("lasts"))
    ecs.told(lasting)

    road.close()
    assert ecs.status()["engine"].endswith(", which does not answer")
    refused = ecs.run(ecs.register("refused"))
    until(lambda: ecs.task(refused)["lastStatus"] == "STOPPED", 60)
    assert ecs.task(refused)["stopCode"] == "TaskFailedToStart"
    assert "The Docker Engine does not answer" in ecs.task(refused)["stoppedReason"]
    assert ecs.told(lasting)["WHO"] == "image"

    road.open()
    assert not ecs.status()["engine"].endswith(", which does not answer")
    ecs.told(ecs.run(ecs.register("again")))
    ecs.client("ecs").stop_task(cluster="tests", task=lasting)
    assert "asked to stop" in ecs.log(lasting, "asked to stop")


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
