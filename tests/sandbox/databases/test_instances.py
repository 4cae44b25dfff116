"""An RDS instance is a PostgreSQL that answers, made by a stack or by the API, as long as it is there."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

import sink_sandbox
from sink_sandbox.client import lifecycle

from ..helpers import BUCKET, Pipelines, wait_for

PASSWORD = 'it\'s a "secret" \\ $HOME %s'

Aws = Callable[[str], Any]


def template(**properties: Any) -> dict[str, Any]:
    """A generated secret, an instance that has it, and the attachment, as the nested template makes them."""
    resolve = "{{resolve:secretsmanager:${Secret}:SecretString:%s}}"
    return {
        "Resources": {
            "Secret": {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {
                    "Name": "database",
                    "GenerateSecretString": {
                        "SecretStringTemplate": '{"username": "app"}',
                        "GenerateStringKey": "password",
                        "PasswordLength": 40,
                    },
                },
            },
            "Database": {
                "Type": "AWS::RDS::DBInstance",
                "DeletionPolicy": "Snapshot",
                "Properties": {
                    "DBInstanceIdentifier": "my-app-stage-db",
                    "DBInstanceClass": "db.t4g.micro",
                    "Engine": "postgres",
                    "EngineVersion": "16",
                    "DBName": "app",
                    "AllocatedStorage": "20",
                    "MasterUsername": {"Fn::Sub": resolve % "username"},
                    "MasterUserPassword": {"Fn::Sub": resolve % "password"},
                    **properties,
                },
            },
            "Attachment": {
                "Type": "AWS::SecretsManager::SecretTargetAttachment",
                "Properties": {
                    "SecretId": {"Ref": "Secret"},
                    "TargetId": {"Ref": "Database"},
                    "TargetType": "AWS::RDS::DBInstance",
                },
            },
        },
        "Outputs": {"Address": {"Value": {"Fn::GetAtt": ["Database", "Endpoint.Address"]}}},
    }


def secret(aws: Aws) -> dict[str, Any]:
    """The attached secret's value."""
    return json.loads(aws("secretsmanager").get_secret_value(SecretId="database")["SecretString"])


def connect(value: dict[str, Any]) -> psycopg.Connection[Any]:
    """A connection by nothing but what the secret says."""
    return psycopg.connect(
        host=value["host"],
        port=value["port"],
        dbname=value["dbname"],
        user=value["username"],
        password=value["password"],
        autocommit=True,
        connect_timeout=60,
    )


def ask(value: dict[str, Any], statement: str) -> Any:
    """The first row's first column."""
    with connect(value) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


def instance(aws: Aws, identifier: str = "my-app-stage-db") -> dict[str, Any]:
    return aws("rds").describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]


def create(aws: Aws, **more: Any) -> dict[str, Any]:
    """Ask the API for an instance."""
    wanted = {
        "DBInstanceIdentifier": "made",
        "DBInstanceClass": "db.t4g.micro",
        "Engine": "postgres",
        "MasterUsername": "postgres",
        "MasterUserPassword": PASSWORD,
        "DBName": "things",
        "AllocatedStorage": 20,
    }
    return aws("rds").create_db_instance(**{**wanted, **more})["DBInstance"]


def available(aws: Aws, identifier: str = "made") -> dict[str, Any]:
    """Wait for the instance, and return the connection as an attached secret spells it."""

    def is_there() -> Any:
        found = instance(aws, identifier)
        return found if found["DBInstanceStatus"] == "available" else None

    found = wait_for(is_there, f"instance {identifier}")
    return {
        "host": found["Endpoint"]["Address"],
        "port": found["Endpoint"]["Port"],
        "dbname": found["DBName"],
        "username": found["MasterUsername"],
        "password": PASSWORD,
    }


def servers(sandbox: lifecycle.Sandbox) -> list[str]:
    folder = sandbox.state_dir / "databases"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_stacks_database_is_reached_by_its_secret(
    pipelines: Pipelines, aws: Aws, sandbox: lifecycle.Sandbox
) -> None:
    stack = pipelines.stack("data", template())

    value = secret(aws)
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert (value["engine"], value["dbname"], value["username"]) == ("postgres", "app", "app")
    assert [output["OutputValue"] for output in stack["Outputs"]] == [value["host"]]
    assert ask(value, "SELECT current_user || '@' || current_database()") == "app@app"
    assert ask(value, "SHOW is_superuser") == "off"
    with connect(value) as connection:
        connection.execute("CREATE TABLE kept (id int)")
        connection.execute("CREATE ROLE reader")
    assert instance(aws)["DBInstanceStatus"] == "available"
    reasons = {
        event.get("ResourceStatusReason", "")
        for event in pipelines.stacks.describe_stack_events(StackName="data")["StackEvents"]
        if event["LogicalResourceId"] == "Database" and event["ResourceStatus"] == "CREATE_COMPLETE"
    }
    assert reasons == {""}
    assert any("PostgreSQL on this machine" in note for note in sink_sandbox.status("default")["simulated"])


def test_a_nested_stacks_database_has_the_password_of_its_secret(pipelines: Pipelines, aws: Aws) -> None:
    """Inside a nested stack the emulator leaves references to secrets as they are."""
    pipelines.s3.put_object(Bucket=BUCKET, Key="data.yml", Body=json.dumps(template()))
    address = f"https://{BUCKET}.s3.amazonaws.com/data.yml"
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": address}}

    stack = pipelines.stack("parent", {"Resources": {"Child": nested}})

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    value = secret(aws)
    assert ask(value, "SELECT current_user") == "app"
    body = json.dumps(template(DBInstanceClass="db.t4g.small"))
    pipelines.s3.put_object(Bucket=BUCKET, Key="data.yml", Body=body)
    pipelines.stack("parent", {"Resources": {"Child": nested}})
    assert instance(aws)["DBInstanceClass"] == "db.t4g.small"
    assert ask(secret(aws), "SELECT current_user") == "app"


def test_nobody_comes_in_without_the_password(pipelines: Pipelines, aws: Aws) -> None:
    pipelines.stack("data", template())
    value = secret(aws)

    for wrong in ({"password": "wrong"}, {"username": "rdsadmin", "password": ""}):
        with pytest.raises(psycopg.OperationalError, match="password"):
            connect({**value, **wrong})


def test_an_update_changes_the_instance_and_keeps_its_data(pipelines: Pipelines, aws: Aws) -> None:
    pipelines.stack("data", template())
    value = secret(aws)
    with connect(value) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")

    pipelines.stack("data", template(DBInstanceClass="db.t4g.small", AllocatedStorage="30", Port="5432"))

    found = instance(aws)
    assert (found["DBInstanceClass"], found["AllocatedStorage"]) == ("db.t4g.small", 30)
    assert found["Endpoint"]["Port"] == value["port"], "what Port says is not where the server listens"
    assert secret(aws) == value
    assert ask(value, "SELECT seven FROM kept") == 7


def test_a_deleted_stack_leaves_a_snapshot_and_no_server(
    pipelines: Pipelines, aws: Aws, sandbox: lifecycle.Sandbox
) -> None:
    pipelines.stack("data", template())
    value = secret(aws)

    pipelines.stacks.delete_stack(StackName="data")

    wait_for(lambda: not servers(sandbox), "the deletion")
    with pytest.raises(psycopg.OperationalError, match="refused"):
        connect(value)
    (snapshot,) = aws("rds").describe_db_snapshots()["DBSnapshots"]
    assert snapshot["DBInstanceIdentifier"] == "my-app-stage-db"


def test_a_protected_database_stays(pipelines: Pipelines, aws: Aws) -> None:
    pipelines.stack("data", template(DeletionProtection=True))
    value = secret(aws)

    pipelines.stacks.delete_stack(StackName="data")

    stack = wait_for(lambda: pipelines.settled("data"), "the refusal")
    assert stack["StackStatus"] == "DELETE_FAILED"
    assert ask(value, "SELECT 1") == 1


def test_an_identifier_that_is_taken_fails_its_stack(pipelines: Pipelines, aws: Aws) -> None:
    create(aws, DBInstanceIdentifier="my-app-stage-db")
    available(aws, "my-app-stage-db")

    stack = pipelines.stack("data", template())

    events = pipelines.stacks.describe_stack_events(StackName="data")["StackEvents"]
    reasons = [e.get("ResourceStatusReason") for e in events if e["ResourceStatus"] == "CREATE_FAILED"]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "DB instance already exists" in reasons
    assert ask(available(aws, "my-app-stage-db"), "SELECT 1") == 1, "and what was there stays"


def test_an_instance_of_the_api_is_creating_until_it_answers(aws: Aws) -> None:
    assert create(aws)["DBInstanceStatus"] == "creating"

    assert ask(available(aws), "SELECT current_database()") == "things"


def test_a_changed_password_counts_at_once(aws: Aws, sandbox: lifecycle.Sandbox) -> None:
    create(aws)
    value = available(aws)

    aws("rds").modify_db_instance(
        DBInstanceIdentifier="made",
        MasterUserPassword="another 'one' here",
        DBInstanceClass="db.m7g.large",
        AllocatedStorage=50,
        ApplyImmediately=True,
    )

    with pytest.raises(psycopg.OperationalError, match="password"):
        connect(value)
    assert ask({**value, "password": "another 'one' here"}, "SELECT 1") == 1
    assert instance(aws, "made")["DBInstanceClass"] == "db.m7g.large"
    assert instance(aws, "made")["AllocatedStorage"] == 50
    logs = "".join(p.read_text() for p in sandbox.state_dir.glob("databases/*/server.log"))
    logs += (sandbox.state_dir / "server.log").read_text()
    assert "another 'one' here" not in logs and PASSWORD not in logs


def test_a_stopped_instance_does_not_answer_and_comes_back(aws: Aws) -> None:
    create(aws)
    value = available(aws)
    with connect(value) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")

    aws("rds").stop_db_instance(DBInstanceIdentifier="made")

    with pytest.raises(psycopg.OperationalError, match="refused"):
        connect(value)
    assert instance(aws, "made")["DBInstanceStatus"] == "stopped"

    aws("rds").start_db_instance(DBInstanceIdentifier="made")
    assert ask(available(aws), "SELECT seven FROM kept") == 7

    aws("rds").reboot_db_instance(DBInstanceIdentifier="made")
    assert ask(available(aws), "SELECT seven FROM kept") == 7


def test_deleting_an_instance_records_its_final_snapshot(aws: Aws, sandbox: lifecycle.Sandbox) -> None:
    create(aws)
    available(aws)

    aws("rds").delete_db_instance(DBInstanceIdentifier="made", FinalDBSnapshotIdentifier="last")

    assert [s["DBSnapshotIdentifier"] for s in aws("rds").describe_db_snapshots()["DBSnapshots"]] == ["last"]
    assert servers(sandbox) == []
    with pytest.raises(aws("rds").exceptions.ClientError, match="without their data"):
        aws("rds").restore_db_instance_from_db_snapshot(
            DBInstanceIdentifier="again", DBSnapshotIdentifier="last"
        )


def test_a_server_that_is_killed_comes_back(aws: Aws, sandbox: lifecycle.Sandbox) -> None:
    create(aws)
    value = available(aws)
    (folder,) = (sandbox.state_dir / "databases").iterdir()

    os.kill(int((folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def answers() -> Any:
        try:
            return ask(value, "SELECT 1")
        except psycopg.OperationalError:
            return None

    assert wait_for(answers, "the server") == 1
    assert available(aws)["port"] == value["port"]


def test_a_server_that_cannot_run_is_failed_and_says_why(aws: Aws, sandbox: lifecycle.Sandbox) -> None:
    (sandbox.state_dir / "databases").mkdir(exist_ok=True)
    blocked = sandbox.state_dir / "databases" / "000000000000-eu-west-1-made"
    blocked.mkdir()
    (blocked / "data").mkdir()
    (blocked / "data" / "PG_VERSION").write_text("12\n")

    create(aws)

    wait_for(lambda: instance(aws, "made")["DBInstanceStatus"] == "failed", "the failure")
    (note,) = [n for n in sink_sandbox.status("default")["simulated"] if "was made by PostgreSQL 12" in n]
    assert "begin anew" in note


def test_a_name_that_the_engine_keeps_is_refused(aws: Aws) -> None:
    with pytest.raises(aws("rds").exceptions.ClientError, match="reserved word"):
        create(aws, MasterUsername="rdsadmin")


def test_a_reset_leaves_nothing(aws: Aws, sandbox: lifecycle.Sandbox) -> None:
    create(aws)
    value = available(aws)

    lifecycle.reset("default")

    assert servers(sandbox) == []
    assert aws("rds").describe_db_instances()["DBInstances"] == []
    with pytest.raises(psycopg.OperationalError, match="refused"):
        connect(value)


def test_the_state_is_private(aws: Aws, sandbox: lifecycle.Sandbox) -> None:
    create(aws)
    available(aws)
    (folder,) = (sandbox.state_dir / "databases").iterdir()

    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    assert oct(Path(folder / "admin-password").stat().st_mode & 0o777) == "0o600"


def test_a_snapshot_that_cannot_be_restored_here_fails_the_stack_and_is_said_to(pipelines: Pipelines) -> None:
    def reason(snapshot: str, name: str) -> str:
        wanted = template(DBSnapshotIdentifier=snapshot)
        for absent in ("DBName", "MasterUsername"):
            del wanted["Resources"]["Database"]["Properties"][absent]
        pipelines.stack(name, wanted)
        events = pipelines.stacks.describe_stack_events(StackName=name)["StackEvents"]
        (failed,) = [
            event["ResourceStatusReason"]
            for event in events
            if event["ResourceStatus"] == "CREATE_FAILED" and event["LogicalResourceId"] == "Database"
        ]
        return str(failed)

    assert reason("nowhere", "one") == "DBSnapshot nowhere not found."


def test_a_database_is_not_replaced_under_its_own_name(pipelines: Pipelines, aws: Aws) -> None:
    """By a snapshot, above all: its data would be gone."""
    assert pipelines.stack("data", template())["StackStatus"] == "CREATE_COMPLETE"
    with connect(secret(aws)) as connection:
        connection.execute("create table kept (n int)")

    changed = template(DBSnapshotIdentifier="before", MultiAZ=True)
    for absent in ("DBName", "MasterUsername"):
        del changed["Resources"]["Database"]["Properties"][absent]
    assert pipelines.stack("data", changed)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"

    events = pipelines.stacks.describe_stack_events(StackName="data")["StackEvents"]
    assert [e["ResourceStatusReason"] for e in events if e["ResourceStatus"] == "UPDATE_FAILED"] == [
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename "
        "my-app-stage-db and update the stack again."
    ]
    assert ask(secret(aws), "select count(*) from kept") == 0
    assert pipelines.stack("data", template(MultiAZ=True))["StackStatus"] == "UPDATE_COMPLETE"
    assert ask(secret(aws), "select count(*) from kept") == 0
