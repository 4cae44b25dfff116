"""The roles of one app's delivery reach nothing of another's, whatever the apps are called.

Hyphens make names that begin like others: ``demo-app`` in ``stage`` has what begins with ``demo-app-stage-``,
and so has every app of a name such as ``demo-app-stage-secret``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from the_sink.naming import ENVIRONMENTS

from .policies import ACCOUNT, REGION, allows, as_list, filled, request, role_statements

NEIGHBOURS = [
    ("demo-app", "prod"),
    ("demo-app-two", "stage"),
    ("demo-app-stage", "prod"),
    ("demo-app-stage-pipel", "stage"),
]


def bucket_arn(delivery: Any) -> str:
    return f"arn:aws:s3:::{delivery.properties('ArtifactBucket')['BucketName']}"


@pytest.mark.parametrize("role", ["PipelineRole", "BuildRole"])
def test_artifacts_of_its_own_pipeline_are_all_that_a_role_reaches(
    role: str, stack: Callable[..., Any]
) -> None:
    """The folder is CodePipeline's choice: the pipeline's first 20 characters, which neighbours share."""
    delivery = stack("pipeline")
    own = bucket_arn(delivery)
    may = filled(role_statements(delivery, role), {"ArtifactBucket": own})

    def reached(bucket: str) -> list[str]:
        artifact = f"{bucket}/demo-app-stage-pipel/BuildOutpu/a1B2c3D"
        asked = [
            request(action, artifact) for action in ("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject")
        ]
        return [one.action for one in asked if allows(may, one)]

    assert reached(own) == ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
    for app, env in NEIGHBOURS:
        assert reached(bucket_arn(stack("pipeline", AppName=app, AppEnv=env))) == [], (app, env)
    assert reached("arn:aws:s3:::the-sink-platform-artifactbucket-1a2b3c4d5e6f") == []


def test_the_pipeline_hands_its_artifacts_on_in_its_own_bucket(stack: Callable[..., Any]) -> None:
    delivery = stack("pipeline")

    assert delivery.properties("Pipeline")["ArtifactStore"] == {"Type": "S3", "Location": "<ArtifactBucket>"}


def test_an_artifact_bucket_is_in_no_later_stacks_way(stack: Callable[..., Any]) -> None:
    """It outlives its stack, and the next one's has another name, which fits whatever the app is called."""
    delivery = stack("pipeline", AppName="a" * 24)
    name = delivery.template["Resources"]["ArtifactBucket"]["Properties"]["BucketName"]

    assert "AWS::StackId" in str(name)
    # A stack's id ends in a UUID, whose first part has eight digits.
    assert len(delivery.properties("ArtifactBucket")["BucketName"].removesuffix("0")) + 8 <= 63


def test_artifacts_expire_and_who_read_them_is_logged(stack: Callable[..., Any]) -> None:
    bucket = stack("pipeline").properties("ArtifactBucket")

    assert [rule["ExpirationInDays"] for rule in bucket["LifecycleConfiguration"]["Rules"]] == [30]
    assert bucket["LoggingConfiguration"] == {
        "DestinationBucketName": "<import the-sink-AccessLogsS3Bucket>",
        "LogFilePrefix": "s3/artifact/demo-app/stage/",
    }


def secrets_of(app: str, env: str) -> list[str]:
    """ARNs of the secrets that an app has in an environment."""
    names = ("secret-core", "secret-key-file", "secret-a", "database")
    return [f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{app}-{env}-{name}-AbCdEf" for name in names]


def may_touch(statements: list[dict[str, Any]], arn: str) -> set[str]:
    """What a role may do with a secret."""
    doing = (
        "CreateSecret",
        "DeleteSecret",
        "GetSecretValue",
        "PutSecretValue",
        "TagResource",
        "UpdateSecret",
    )
    return {each for each in doing if allows(statements, request(f"secretsmanager:{each}", arn))}


NAMESAKES = [
    (f"{app}{inner}", env)
    for app in ("demo5-stage", "demo5-stage-secret", "demo5-stage-database", "demo5-prod")
    for inner in ("", "-two")
    for env in ENVIRONMENTS
]
"""Whose names begin as those of ``demo5`` in ``stage`` do, or nearly so."""


@pytest.mark.parametrize(
    ("template", "role"),
    [
        ("pipeline", "PipelineRole"),
        ("pipeline", "BuildRole"),
        ("pipeline", "StackRole"),
        ("pipeline", "EventRole"),
        ("python", "ExecutionRole"),
        ("python", "TaskRole"),
    ],
)
def test_no_role_touches_a_secret_of_a_namesake(template: str, role: str, stack: Callable[..., Any]) -> None:
    """Neither reads one nor makes it before the other app does."""
    resolved = stack(template, AppName="demo5", SecretsDelivery="task")
    statements = role_statements(resolved, role)
    touched = {
        (arn, action)
        for app, env in NAMESAKES
        for arn in secrets_of(app, env)
        for action in may_touch(statements, arn)
    }

    assert touched == set()


def test_a_build_reads_all_secrets_of_its_app_and_environment(stack: Callable[..., Any]) -> None:
    """Not the database's, whose password is for tasks. A further secret may have any name: its parts may be
    hyphenated, and be words that the platform uses."""
    build = role_statements(stack("pipeline", AppName="demo5"), "BuildRole")
    core, *further, database = secrets_of("demo5", "stage")
    more = [
        core.replace("secret-core", f"secret-{name}")
        for name in ("prod", "gcp-prod", "my-secret-key", "old-database", "secret-core")
    ]

    for arn in (core, *further, *more):
        assert may_touch(build, arn) == {"GetSecretValue"}, arn
    assert may_touch(build, database) == set()
    assert may_touch(build, core.replace("-stage-", "-prod-")) == set()


def test_the_denied_names_are_those_of_every_environment(stack: Callable[..., Any]) -> None:
    """So that one that is new is not forgotten."""
    for role, prefix in (("BuildRole", "secret"), ("StackRole", "database")):
        denied = [
            resource.rpartition(":")[2]
            for statement in role_statements(stack("pipeline"), role)
            if statement["Effect"] == "Deny"
            for resource in as_list(statement["Resource"])
            if ":secretsmanager:" in resource
        ]
        assert denied == [
            f"demo-app-stage-{prefix}-*{env}-{kind}-*"
            for env in ENVIRONMENTS
            for kind in ("secret", "database")
        ]
