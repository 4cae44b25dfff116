"""A release that takes a database away: asked about, and refused where RDS would not let it go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sink_sandbox.client.process import wait_until
from the_sink.aws.session import Aws
from the_sink.config.files import Tree
from the_sink.errors import ConfigError
from the_sink.models import Stack, StackStatus
from the_sink.naming import Names
from the_sink.verbs.databases import find_taken

from .conftest import APP_FILES, commit
from .deploying import BUILDS

pytestmark = pytest.mark.long  # a further combination of what the journey walks

NAMES = Names("my-app", "stage")
CONFIGURATION = "aws/cfn-template-configuration-stage.json"

PLATFORM_STACK = """
Parameters:
  SecretsDelivery: { Type: String, Default: image }
  RDSInstanceClass: { Type: String, Default: db.t4g.micro }
Conditions:
  HasDatabase: !Not [!Equals [!Ref RDSInstanceClass, none]]
Resources:
  Topic: { Type: AWS::SNS::Topic }
  Database:
    Type: AWS::RDS::DBInstance
    Condition: HasDatabase
    Properties:
      DBInstanceIdentifier: my-app-stage-db
      DBInstanceClass: !Ref RDSInstanceClass
      Engine: postgres
      AllocatedStorage: "20"
      MasterUsername: app
      MasterUserPassword: not-a-secret-here
"""

NESTED = """  StackPython:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: !Sub "https://BUCKET.s3.amazonaws.com/stacks/python/cfn-template-v1-${AppEnv}.yml"
      Parameters: PASSED
Outputs:"""

TAKEN = "/the-sink/my-app/stage/more"
FAILS = f"""  Fails:
    Type: AWS::Logs::LogGroup
    Condition: HasDatabase
    DependsOn: Database
    Properties: {{ LogGroupName: {TAKEN} }}
"""


def template(bucket: str, passed: str) -> str:
    """The app's template, which nests the platform's and passes it what is said."""
    text = APP_FILES["aws/cfn-template.yml"]
    text = text.replace("Outputs:", NESTED.replace("BUCKET", bucket).replace("PASSED", passed))
    return text.replace("Resources:", "  RDSInstanceClass: { Type: String, Default: none }\nResources:")


@pytest.fixture(autouse=True)
def unbounded(app: Path) -> None:
    """The nested stack of these tests is smaller than the platform's: it takes no boundary."""
    settings = app / "sink.toml"
    stage = "[environments.stage]\n"
    settings.write_text(settings.read_text().replace(stage, f'{stage}permissions_boundary = "none"\n'))
    commit(app, "Without a boundary")


@pytest.fixture
def database(invoke: Any, app: Path, platform_bucket: str, aws: Any) -> str:
    """An environment whose stack stands, with a database by the platform's default; its identifier."""
    assert invoke(app, "bootstrap", "--env", "stage", "--sandbox").code == 0
    key = "stacks/python/cfn-template-v1-stage.yml"
    aws("s3").put_object(Bucket=platform_bucket, Key=key, Body=PLATFORM_STACK.encode())
    parameters = json.loads(APP_FILES[CONFIGURATION])["Parameters"]
    aws("cloudformation").create_stack(
        StackName=NAMES.app_stack,
        TemplateBody=template(platform_bucket, "{ SecretsDelivery: task }"),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
    )

    def status() -> str:
        found = aws("cloudformation").describe_stacks(StackName=NAMES.app_stack)["Stacks"][0]
        return str(found["StackStatus"])

    assert wait_until(lambda: not status().endswith("IN_PROGRESS"), 60)
    assert status() == "CREATE_COMPLETE"
    return "my-app-stage-db"


def test_a_release_that_takes_a_database_away_asks_first(
    invoke: Any, app: Path, platform_bucket: str, connection: Aws, aws: Any, database: str
) -> None:
    """Not the one that keeps it; a protected one is refused, whatever was answered."""
    stack = connection.stacks.describe(NAMES.app_stack)

    def taken_by(passed: str, given: dict[str, str]) -> str:
        document = json.loads(APP_FILES[CONFIGURATION])
        document["Parameters"] |= given
        files = {
            "aws/cfn-template.yml": template(platform_bucket, passed).encode(),
            CONFIGURATION: json.dumps(document).encode(),
        }
        return find_taken(connection, NAMES, Tree(files), stack)

    passes = "{ SecretsDelivery: task, RDSInstanceClass: !Ref RDSInstanceClass }"
    assert taken_by("{}", {}) == ""
    assert taken_by(passes, {"RDSInstanceClass": "db.t4g.small"}) == ""
    assert taken_by("{ RDSInstanceClass: none }", {}) == database
    assert taken_by(passes, {}) == database

    (app / "aws/cfn-template.yml").write_text(template(platform_bucket, passes))
    commit(app, "No database")
    ended = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert ended.code == 2
    assert ended.err.splitlines()[-2:] == [
        "The release takes the database my-app-stage-db of stage away: RDSInstanceClass is none. A final "
        "snapshot stays; the instance, its automated backups and its password are lost. Go on? There is no "
        "terminal to ask at.",
        "If you mean it, add --yes.",
    ]

    aws("rds").modify_db_instance(DBInstanceIdentifier=database, DeletionProtection=True)
    refused = invoke(app, "deploy", "--env", "stage", "--sandbox", "--yes")

    assert refused.code == 2
    assert refused.err.splitlines()[-2:] == [
        "stage: the stack has the database my-app-stage-db, and by "
        "aws/cfn-template-configuration-stage.json the release has none. RDS deletes no instance that is "
        "protected: it would stay behind, outside of the stack.",
        "To take it away on purpose make a snapshot, then switch the protection off: aws rds "
        "modify-db-instance --db-instance-identifier my-app-stage-db --no-deletion-protection "
        "(docs/how-to/take-a-database-away.md of the platform).",
    ]
    with pytest.raises(ConfigError):
        taken_by(passes, {})
    assert taken_by("{}", {}) == ""


def test_a_first_creation_that_fails_leaves_a_protected_database_in_the_way(
    invoke: Any, app: Path, platform_bucket: str, aws: Any
) -> None:
    """As in prod. CloudFormation can roll back neither it nor what it is in."""
    assert invoke(app, "bootstrap", "--env", "stage", "--sandbox").code == 0
    (app / "aws/buildspec.yaml").write_text(BUILDS)
    protected = PLATFORM_STACK.replace("Engine: postgres", "Engine: postgres\n      DeletionProtection: true")
    protected = protected.replace("  Topic: { Type: AWS::SNS::Topic }\n", "")  # StackRole may make none
    key = "stacks/python/cfn-template-v1-stage.yml"
    aws("logs").create_log_group(logGroupName=TAKEN)
    aws("s3").put_object(Bucket=platform_bucket, Key=key, Body=f"{protected}{FAILS}".encode())
    (app / "aws/cfn-template.yml").write_text(template(platform_bucket, "{ SecretsDelivery: task }"))
    commit(app, "With a database")
    unprotect = "aws rds modify-db-instance --db-instance-identifier my-app-stage-db --no-deletion-protection"

    failed = invoke(app, "deploy", "--env", "stage", "--sandbox")

    assert failed.code == 1
    message, hint = failed.err.splitlines()[-2:]
    assert "Fails (AWS::Logs::LogGroup) in stack my-app-stage-StackPython-" in message
    assert f"then `{unprotect}` and invoke deploy --env stage --sandbox --yes: it deletes" in hint
    assert aws("cloudformation").describe_stacks(StackName=NAMES.app_stack)["Stacks"][0]["StackStatus"] == (
        "ROLLBACK_FAILED"
    )

    aws("logs").delete_log_group(logGroupName=TAKEN)
    again = invoke(app, "deploy", "--env", "stage", "--sandbox", "--yes")

    assert again.code == 1
    message, hint = again.err.splitlines()[-2:]
    assert message.startswith(
        "Stack my-app-stage could not be deleted: Database (AWS::RDS::DBInstance) in stack "
    )
    assert f"`{unprotect}`. Then run the same command again." in hint

    aws("rds").modify_db_instance(DBInstanceIdentifier="my-app-stage-db", DeletionProtection=False)
    cleared = invoke(app, "deploy", "--env", "stage", "--sandbox", "--yes")

    # The stack is there now; this small app has no service for the next action.
    assert "failed in Deploy/UpdateService: Cluster not found" in cleared.err.splitlines()[-2]
    assert len(aws("rds").describe_db_instances()["DBInstances"]) == 1


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ({"RDSInstanceClass": "db.t4g.micro"}, "a-snapshot", "was made empty"),
        (
            {"RDSInstanceClass": "db.t4g.micro", "RDSSnapshotIdentifier": "a-snapshot"},
            "",
            "was made from a-snapshot",
        ),
        ({"RDSInstanceClass": "db.t4g.micro", "RDSSnapshotIdentifier": "a-snapshot"}, "a-snapshot", ""),
        ({"RDSInstanceClass": "none"}, "a-snapshot", ""),
    ],
)
def test_a_database_that_exists_is_not_made_from_another_snapshot(
    before: dict[str, str], after: str, message: str, connection: Aws
) -> None:
    document = json.loads(APP_FILES[CONFIGURATION])
    document["Parameters"] |= {"RDSInstanceClass": "db.t4g.micro", "RDSSnapshotIdentifier": after}
    passes = "{ RDSInstanceClass: !Ref RDSInstanceClass, RDSSnapshotIdentifier: !Ref RDSSnapshotIdentifier }"
    text = template("bucket", passes).replace(
        "\nResources:", "\n  RDSSnapshotIdentifier: { Type: String }\nResources:", 1
    )
    files = {"aws/cfn-template.yml": text.encode(), CONFIGURATION: json.dumps(document).encode()}
    status = StackStatus("UPDATE_COMPLETE")
    stack = Stack(NAMES.app_stack, "an-id", status, parameters=before)

    if not message:
        assert find_taken(connection, NAMES, Tree(files), stack) == ""
        return
    with pytest.raises(ConfigError) as caught:
        find_taken(connection, NAMES, Tree(files), stack)

    assert caught.value.message == (
        f"stage: the database my-app-stage-db {message}, and by {CONFIGURATION} RDSSnapshotIdentifier is "
        f'"{after}": CloudFormation would have to replace the database, and refuses.'
    )
    snapshot = before.get("RDSSnapshotIdentifier", "")
    assert caught.value.hint.startswith(f'Write "RDSSnapshotIdentifier": "{snapshot}" for as long as')
