"""The platform's own template with a database: what a task of it is given works, and migrations are safe.

The image is small but starts as every app does, by the runtime's ``container-init``: ``release:`` changes the
schema, ``web:`` answers from the database.
"""

from __future__ import annotations

import http.client
import sysconfig
from collections.abc import Callable
from typing import Any

import pytest

from sink_sandbox.client import lifecycle
from the_sink.resources import resource_path

from ..helpers import BUCKET, Pipelines, wait_for
from ..images import push_image

Aws = Callable[[str], Any]

REPOSITORY, CLUSTER, SERVICE = "my-app-stage", "my-app-stage-ecs-cluster", "my-app-stage-ecs-service"


def subnet(number: int, zone: str) -> dict[str, Any]:
    block = {"VpcId": {"Ref": "Vpc"}, "CidrBlock": f"10.0.{number}.0/24", "AvailabilityZone": zone}
    return {"Type": "AWS::EC2::Subnet", "Properties": block}


NETWORK = {
    "Resources": {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "A": subnet(1, "eu-west-1a"),
        "B": subnet(2, "eu-west-1b"),
        "Logs": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "access-logs"}},
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "{}"}},
    },
    "Outputs": {
        "Vpc": {"Value": {"Ref": "Vpc"}, "Export": {"Name": "the-sink-VpcId"}},
        "Subnets": {
            "Value": {"Fn::Join": [",", [{"Ref": "A"}, {"Ref": "B"}]]},
            "Export": {"Name": "the-sink-PrivateSubnetIds"},
        },
        "Logs": {"Value": {"Ref": "Logs"}, "Export": {"Name": "the-sink-AccessLogsS3Bucket"}},
        "Secret": {"Value": {"Ref": "Secret"}, "Export": {"Name": "my-app-stage-SecretArn"}},
    },
}

GOOD = """\
import os, sys
sys.path.append(os.environ["DRIVER"])
import psycopg
with psycopg.connect("") as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS visits (at timestamptz DEFAULT now())")
print("schema is at 1", flush=True)
"""

BAD = """\
import os, sys
sys.path.append(os.environ["DRIVER"])
import psycopg
print("schema goes to 2", flush=True)
with psycopg.connect("") as connection:
    connection.execute("ALTER TABLE visits ADD COLUMN at text")
"""

WEB = """\
import http.server, os, sys
sys.path.append(os.environ["DRIVER"])
import psycopg

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with psycopg.connect("") as connection:
            if self.path == "/":
                connection.execute("INSERT INTO visits DEFAULT VALUES")
            (count,) = connection.execute("SELECT count(*) FROM visits").fetchone()
        same = all(
            os.environ[f"PG{ours}"] == os.environ[f"DATABASE_{theirs}"]
            for ours, theirs in {"HOST": "HOST", "PORT": "PORT", "DATABASE": "NAME", "USER": "USER",
                                 "PASSWORD": "PASSWORD"}.items()
        )
        body = f"{os.environ['VERSION']} {count} {os.environ['DATABASE_ENGINE']} {same}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


def push(sandbox: lifecycle.Sandbox, tag: str, migration: str, version: str) -> None:
    """Push an image that starts as an app does; the driver is this test run's own."""
    runtime = resource_path("runtimes/python")
    files = {
        "opt/the-sink/container-init": (runtime / "container-init").read_text(),
        **{
            f"opt/the-sink/{path.relative_to(runtime)}": path.read_text()
            for path in (runtime / "sink_runtime").rglob("*.py")
        },
        "app/Procfile": "release: python3 migrate.py\nweb: python3 serve.py\n",
        "app/migrate.py": migration,
        "app/serve.py": WEB,
    }
    push_image(
        sandbox,
        REPOSITORY,
        tag,
        version=version,
        files=files,
        entrypoint=("python3", "/opt/the-sink/container-init"),
        environment=[f"DRIVER={sysconfig.get_path('purelib')}"],
    )


class App:
    """The nested template as a stack, and the service in it."""

    def __init__(self, pipelines: Pipelines, sandbox: lifecycle.Sandbox) -> None:
        self.pipelines = pipelines
        self.sandbox = sandbox
        self.ecs = pipelines.aws("ecs")

    def stack(self, **parameters: str) -> dict[str, Any]:
        """Create or update it, and wait."""
        given = {
            "PlatformName": "the-sink",
            "AppName": "my-app",
            "AppEnv": "stage",
            "RuntimeVersion": "3.13",
            "RDSInstanceClass": "db.t4g.micro",
            **parameters,
        }
        names = [stack["StackName"] for stack in self.pipelines.stacks.describe_stacks()["Stacks"]]
        act = self.pipelines.stacks.update_stack if "app" in names else self.pipelines.stacks.create_stack
        template = resource_path("stacks/python/cfn-template.yml").read_bytes()
        self.pipelines.s3.put_object(Bucket=BUCKET, Key="app.yml", Body=template)
        act(
            StackName="app",
            TemplateURL=f"https://{BUCKET}.s3.amazonaws.com/app.yml",
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        stack = wait_for(lambda: self.pipelines.settled("app"), "the stack")
        events = self.pipelines.stacks.describe_stack_events(StackName="app")["StackEvents"]
        failed = [e.get("ResourceStatusReason") for e in events if "FAILED" in e["ResourceStatus"]]
        assert failed == [], self.stopped()
        return stack

    def stopped(self) -> list[str]:
        """Why tasks ended."""
        arns = self.ecs.list_tasks(cluster=CLUSTER, desiredStatus="STOPPED")["taskArns"]
        tasks = self.ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []
        ends = [[c.get("reason") or c.get("exitCode") for c in task["containers"]] for task in tasks]
        return [f"{task.get('stoppedReason')} {end}" for task, end in zip(tasks, ends, strict=True)]

    def outputs(self) -> dict[str, str]:
        (stack,) = self.pipelines.stacks.describe_stacks(StackName="app")["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def get(self, path: str) -> str:
        """What the load balancer answers; "" when nothing does yet."""
        host = self.outputs()["EcsAlbDNSName"].partition(":")[0]
        connection = http.client.HTTPConnection("127.0.0.1", self.sandbox.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.read().decode() if answer.status == 200 else ""
        except OSError:
            return ""
        finally:
            connection.close()

    def rollout(self) -> str:
        """COMPLETED once it is."""
        (service,) = self.ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"]
        (primary,) = [d for d in service["deployments"] if d["status"] == "PRIMARY"]
        return primary["rolloutState"] if primary["rolloutState"] == "COMPLETED" else ""

    def log(self) -> str:
        logs = self.pipelines.aws("logs")
        found = logs.filter_log_events(logGroupName="/the-sink/my-app/stage/app")["events"]
        return "\n".join(event["message"] for event in found)


@pytest.fixture
def app(pipelines: Pipelines, sandbox: lifecycle.Sandbox) -> App:
    """The stacks that the template imports from, its registry, and a first image."""
    assert pipelines.stack("platform", NETWORK)["StackStatus"] == "CREATE_COMPLETE"
    pipelines.aws("ecr").create_repository(repositoryName=REPOSITORY)
    push(sandbox, "latest", GOOD, "1")
    return App(pipelines, sandbox)


def test_a_task_uses_the_database_by_what_it_is_given(app: App, aws: Aws) -> None:
    stack = app.stack()

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert wait_for(lambda: app.get("/"), "the app") == "1 1 postgres True"
    assert app.get("/") == "1 2 postgres True"
    assert app.log().count("schema is at 1") == 1
    (database,) = aws("rds").describe_db_instances()["DBInstances"]
    assert database["DBInstanceIdentifier"] == "my-app-stage-db"
    assert (database["StorageEncrypted"], database["PubliclyAccessible"]) == (True, False)
    assert database["EngineVersion"] == "16"
    assert app.outputs()["DatabaseEndpoint"] == database["Endpoint"]["Address"]
    definition = app.ecs.describe_task_definition(taskDefinition="my-app-stage-app")["taskDefinition"]
    assert all(
        "PASSWORD" not in entry["name"] for entry in definition["containerDefinitions"][0]["environment"]
    )


def test_a_migration_that_fails_leaves_the_old_version_serving(app: App) -> None:
    app.stack()
    wait_for(lambda: app.get("/"), "the app")
    wait_for(app.rollout, "the first deployment")
    push(app.sandbox, "broken", BAD, "2")
    definition = app.ecs.describe_task_definition(taskDefinition="my-app-stage-app")["taskDefinition"]
    container = definition["containerDefinitions"][0]
    container["image"] = container["image"].rpartition(":")[0] + ":broken"
    names = ("family", "networkMode", "requiresCompatibilities", "cpu", "memory", "volumes")
    new = app.ecs.register_task_definition(
        containerDefinitions=[container], **{name: definition[name] for name in names}
    )["taskDefinition"]["taskDefinitionArn"]

    app.ecs.update_service(cluster=CLUSTER, service=SERVICE, taskDefinition=new)
    answers = set()

    def is_rolled_back() -> bool:
        answers.add(app.get("/count").split()[0])
        (service,) = app.ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"]
        return service["taskDefinition"] == definition["taskDefinitionArn"] and bool(app.rollout())

    wait_for(is_rolled_back, "the circuit breaker")
    assert answers == {"1"}
    assert 'column "at" of relation "visits" already exists' in app.log()
    assert "release ended with exit code 1; web is not started." in app.log()


def test_none_means_no_database(app: App, aws: Aws) -> None:
    push(app.sandbox, "latest", "", "1")

    stack = app.stack(RDSInstanceClass="none", InstancesCount="0")

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert aws("rds").describe_db_instances()["DBInstances"] == []
    assert "DatabaseEndpoint" not in app.outputs()
    definition = app.ecs.describe_task_definition(taskDefinition="my-app-stage-app")["taskDefinition"]
    assert definition["containerDefinitions"][0].get("secrets", []) == []


def test_a_data_outlives_the_sandboxs_stop(app: App) -> None:
    app.stack()
    wait_for(lambda: app.get("/"), "the app")
    assert app.get("/").startswith("1 2 ")

    lifecycle.stop("default")
    folders = list((app.sandbox.state_dir / "databases").iterdir())
    assert [(folder / "data" / "postmaster.pid").exists() for folder in folders] == [False]
    lifecycle.start("default")

    assert wait_for(lambda: app.get("/"), "the app").startswith("1 3 ")
