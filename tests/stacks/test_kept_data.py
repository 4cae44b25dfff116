"""How long what people have written is kept, so that it can be had back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

DAYS_OF_AN_APPROVAL = 7
"""How long CodePipeline lets an execution wait for one, which then reads its artifacts
(https://docs.aws.amazon.com/codepipeline/latest/userguide/approvals.html)."""


@pytest.mark.parametrize(("env", "days"), [("stage", 1), ("uat", 1), ("prod", 7)])
def test_a_database_can_be_put_back_to_yesterday_and_in_prod_to_last_week(
    env: str, days: int, stack: Callable[..., Any]
) -> None:
    """0 days would be no backups at all, and the snapshots before a change of its version with them."""
    database = stack("python", AppEnv=env).properties("Database")

    assert days <= database["BackupRetentionPeriod"] <= 35
    assert database["CopyTagsToSnapshot"] is True


@pytest.mark.parametrize(("env", "status"), [("stage", "DISABLED"), ("uat", "DISABLED"), ("prod", "ENABLED")])
def test_the_shared_files_of_prod_have_a_copy(env: str, status: str, stack: Callable[..., Any]) -> None:
    assert stack("python", AppEnv=env).properties("FileSystem")["BackupPolicy"] == {"Status": status}


def test_a_database_follows_the_version_that_was_asked_for_and_its_fixes(stack: Callable[..., Any]) -> None:
    """RDSEngineVersion may name the next major; RDS refuses it without being told."""
    database = stack("python").properties("Database")

    assert database["AllowMajorVersionUpgrade"] is True
    assert database["AutoMinorVersionUpgrade"] is True


def test_what_a_stage_hands_on_outlives_the_longest_approval(stack: Callable[..., Any]) -> None:
    """And the week after, in which somebody may want to retry what failed."""
    expiring = {
        (name, logical_id): rule["ExpirationInDays"]
        for name in ("platform", "pipeline")
        for logical_id, resource in stack(name).resources.items()
        if resource["Type"] == "AWS::S3::Bucket"
        for rule in resource["Properties"].get("LifecycleConfiguration", {}).get("Rules", [])
        if "ExpirationInDays" in rule
    }

    assert ("pipeline", "ArtifactBucket") in expiring
    assert all(days >= 2 * DAYS_OF_AN_APPROVAL for days in expiring.values()), expiring
    assert expiring["platform", "AccessLogsBucket"] >= 365


def test_what_is_said_of_lifetimes_is_done(stack: Callable[..., Any]) -> None:
    """A rule that is off, or a part of an upload that broke off, is a bill that nobody sees."""
    buckets = [
        each["Properties"]
        for name in ("platform", "pipeline")
        for each in stack(name).resources.values()
        if each["Type"] == "AWS::S3::Bucket"
    ]

    assert len(buckets) > 3
    for bucket in buckets:
        for rule in bucket["LifecycleConfiguration"]["Rules"]:
            assert rule["Status"] == "Enabled", rule["Id"]
            assert 1 <= rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] <= 30, rule["Id"]


def test_superseded_versions_outlive_the_runs_that_name_them(stack: Callable[..., Any]) -> None:
    """An execution reads the version of the archive that started it, however often another was put since."""
    for rule in stack("platform").properties("PipelineBucket")["LifecycleConfiguration"]["Rules"]:
        assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] >= 2 * DAYS_OF_AN_APPROVAL
