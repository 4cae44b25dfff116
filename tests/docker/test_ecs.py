"""ECS on an engine: what the task definition says reaches the container, and what becomes of it is told."""

from __future__ import annotations

import http.client
import inspect
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sink_sandbox.authentication import signature
from tests.clients import client_of
from tests.docker.ecs import HOST, Ecs, until


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
        "print(u.urlopen(os.environ['ECS_CONTAINER_METADATA_URI_V4'] + '/task').status)"
    )
    assert told["AWS_ENDPOINT_URL"].endswith(f":{ecs.sandbox.port}")
    assert ecs.engine.run("exec", container, "python3", "-c", program) == "200"


ASK = """
import urllib.error, urllib.request as u
for path in ("/_sandbox/status", "/", "/v2/_catalog", "/v2/app/manifests/one", "/latest/meta-data/", "/v4/a"):
    try:
        print(u.urlopen(ENDPOINT + path).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""


def test_a_container_without_a_role_gets_nothing(ecs: Ecs) -> None:
    """At the address that containers reach it by, where the sandbox listens beside loopback."""
    arn = ecs.run(ecs.register("roleless"))
    told = ecs.told(arn)
    container = ecs.task(arn)["containers"][0]["runtimeId"]

    program = ASK.replace("ENDPOINT", repr(told["AWS_ENDPOINT_URL"]))
    said = ecs.engine.run("exec", container, "python3", "-c", program)

    assert said.split() == ["403", "403", "401", "401", "403", "403"]
    assert not [name for name in told if name.startswith(("AWS_ACCESS", "AWS_SECRET", "AWS_CONTAINER"))]
    assert ecs.sandbox.secret not in json.dumps(told)


CALL = """
import os, urllib.request
url, token = os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_SESSION_TOKEN"]
key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
headers = {"host": url.removeprefix("http://"), "x-amz-date": now, "x-amz-security-token": token}
query = "Action=GetCallerIdentity&Version=2011-06-15"
blank = Signature(key, now[:8], "eu-west-1", "sts", tuple(sorted(headers)), "", now, token, None)
value = expected(Request("GET", "/", query, headers), blank, secret, EMPTY_HASH)
headers["authorization"] = (
    f"{ALGORITHM} Credential={key}/{blank.scope}, "
    f"SignedHeaders={';'.join(blank.signed_headers)}, Signature={value}"
)
print(urllib.request.urlopen(urllib.request.Request(f"{url}/?{query}", headers=headers)).read().decode())
"""
"""A call of AWS by a container that has no SDK: what is computed of a signature goes before it."""


def test_a_container_acts_under_its_task_role(ecs: Ecs) -> None:
    """With the keys in its environment, and with what the role allows."""
    everyone = {
        "Effect": "Allow",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    allowed = {"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}
    iam = ecs.client("iam")
    role = iam.create_role(
        RoleName="of-a-task", AssumeRolePolicyDocument=json.dumps({"Statement": [everyone]})
    )
    iam.put_role_policy(
        RoleName="of-a-task", PolicyName="all", PolicyDocument=json.dumps({"Statement": [allowed]})
    )
    arn = ecs.run(ecs.register("under-a-role", task_role=role["Role"]["Arn"]))
    told = ecs.told(arn)

    names = {"AccessKeyId": "AWS_ACCESS_KEY_ID", "SecretAccessKey": "AWS_SECRET_ACCESS_KEY"}
    session = {name: told[variable] for name, variable in names.items()}
    session["SessionToken"] = told["AWS_SESSION_TOKEN"]
    caller = client_of(ecs.sandbox, "sts", session=session).get_caller_identity()["Arn"]
    assert caller.startswith("arn:aws:sts::000000000000:assumed-role/of-a-task/")
    assert client_of(ecs.sandbox, "sqs", session=session).list_queues()["ResponseMetadata"]
    with pytest.raises(ClientError, match="not authorized to perform: sns:ListTopics"):
        client_of(ecs.sandbox, "sns", session=session).list_topics()
    container = ecs.task(arn)["containers"][0]["runtimeId"]
    program = inspect.getsource(signature) + CALL
    assert f"<Arn>{caller}</Arn>" in ecs.engine.run("exec", container, "python3", "-c", program)


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


def test_the_load_balancer_is_its_network_s_gateway_to_a_task(ecs: Ecs) -> None:
    """Never the task's own loopback, and its checks name the task by its private address and port."""
    balancing, services = ecs.client("elbv2"), ecs.client("ecs")
    (group,) = balancing.create_target_group(
        Name="peer", Protocol="HTTP", Port=8080, VpcId="vpc-1", TargetType="ip", HealthCheckPath="/health"
    )["TargetGroups"]
    (balancer,) = balancing.create_load_balancer(Name="peer", Subnets=["subnet-1", "subnet-2"])[
        "LoadBalancers"
    ]
    balancing.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )
    services.create_service(
        cluster="tests",
        serviceName="peer",
        taskDefinition=ecs.register("peer"),
        desiredCount=1,
        launchType="FARGATE",
        healthCheckGracePeriodSeconds=60,
        loadBalancers=[
            {"targetGroupArn": group["TargetGroupArn"], "containerName": "app", "containerPort": 8080}
        ],
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    )
    told: dict[str, Any] = {}

    def is_answered() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", ecs.sandbox.port, timeout=30)
        connection.request("GET", "/", headers={"Host": balancer["DNSName"]})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status == 200:
            told.update(json.loads(body))
        return answer.status == 200

    try:
        until(is_answered, 60)
        (arn,) = services.list_tasks(cluster="tests", serviceName="peer")["taskArns"]
        (attachment,) = ecs.task(arn)["attachments"]
    finally:
        services.delete_service(cluster="tests", service="peer", force=True)

    details = {each["name"]: each["value"] for each in attachment["details"]}
    (network,) = ecs.engine.networks(ecs.id)
    gateway = ecs.engine.run("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", network)
    assert (told["peer"], told["asked_for"]) == (gateway, balancer["DNSName"])
    assert {(check["peer"], check["asked_for"]) for check in told["checks"]} == {
        (gateway, f"{details['privateIPv4Address']}:8080")
    }


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
