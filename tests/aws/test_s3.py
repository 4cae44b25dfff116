"""Objects: written once, compared by content, copied without their bytes passing here."""

from __future__ import annotations

from typing import Any

import pytest

from the_sink.aws.s3 import REVISION_SUMMARY
from the_sink.aws.session import Aws


@pytest.fixture
def bucket(aws: Any) -> str:
    """A versioned bucket."""
    client = aws("s3")
    client.create_bucket(Bucket="archives", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_bucket_versioning(Bucket="archives", VersioningConfiguration={"Status": "Enabled"})
    return "archives"


def test_an_object_that_does_not_exist_is_none(connection: Aws, bucket: str) -> None:
    assert connection.objects.describe(bucket, "my-app/none.zip") is None


def test_a_key_is_written_once(connection: Aws, bucket: str) -> None:
    assert connection.objects.put_once(bucket, "a.zip", b"one", {}) is True
    assert connection.objects.put_once(bucket, "a.zip", b"two", {}) is False
    assert connection.objects.read(bucket, "a.zip") == b"one"


def test_an_object_is_compared_by_its_bytes(connection: Aws, bucket: str) -> None:
    connection.objects.put_once(bucket, "a.zip", b"one", {})
    stored = connection.objects.describe(bucket, "a.zip")

    assert stored is not None
    assert connection.objects.holds(bucket, stored, b"one") is True
    assert connection.objects.holds(bucket, stored, b"two") is False
    assert connection.objects.holds(bucket, stored, b"other length") is False


def test_an_object_without_a_checksum_is_read(connection: Aws, aws: Any, bucket: str) -> None:
    aws("s3").put_object(Bucket=bucket, Key="a.zip", Body=b"one")
    stored = connection.objects.describe(bucket, "a.zip")

    assert stored is not None
    assert connection.objects.holds(bucket, stored, b"one") is True
    assert connection.objects.holds(bucket, stored, b"two") is False


def test_a_copy_has_its_own_version_and_summary(connection: Aws, bucket: str) -> None:
    connection.objects.put_once(bucket, "a.zip", b"one", {REVISION_SUMMARY: "old"})

    first = connection.objects.copy(bucket, "a.zip", "latest.zip", {REVISION_SUMMARY: "abc Start"})
    second = connection.objects.copy(bucket, "a.zip", "latest.zip", {REVISION_SUMMARY: "abc Start"})
    stored = connection.objects.describe(bucket, "latest.zip")

    assert stored is not None
    assert first != second
    assert stored.version_id == second
    assert stored.metadata == {REVISION_SUMMARY: "abc Start"}
    assert connection.objects.read(bucket, "latest.zip", first) == b"one"
