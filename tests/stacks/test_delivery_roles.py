"""The roles of one app's delivery reach nothing of another's, whatever the apps are called.

Hyphens make names that begin like others: ``demo-app`` in ``stage`` has what begins with ``demo-app-stage-``,
and so has every app of a name such as ``demo-app-stage-secret``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .policies import allows, filled, request, role_statements

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
        artifact = f"{bucket}/demo-app-stage-pipel/SourceOutp/a1B2c3D"
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
