"""S3: archives of releases and templates of stacks, each in a versioned bucket."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from the_sink.aws.target import Target
from the_sink.aws.translation import error_code, translated
from the_sink.models import StoredObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REVISION_SUMMARY = "codepipeline-artifact-revision-summary"
"""Metadata that CodePipeline shows as the revision's summary.

https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-view-cli.html
"""

RELEASED_BY = "the-sink-released-by"
"""Metadata of the archive that an environment follows: who released it, as the client claims.

Nobody checks it; the pipeline takes it into its release record as a claim.
"""

ROLLED_BACK_FROM = "the-sink-rolled-back-from"
"""Metadata of the same archive: the commit that served when somebody went back to this release."""

_MISSING = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchVersion"})


@translated("S3")
class Objects:
    """The objects of the platform's buckets."""

    def __init__(self, client: S3Client, target: Target) -> None:
        self._client = client
        self._target = target

    def describe(self, bucket: str, key: str, version_id: str = "") -> StoredObject | None:
        """Return the newest version of an object, or the one asked for; None if there is none."""
        version: Any = {"VersionId": version_id} if version_id else {}
        try:
            head = self._client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED", **version)
        except ClientError as error:
            if error_code(error) in _MISSING:
                return None
            raise
        return StoredObject(
            key=key,
            version_id=head.get("VersionId", ""),
            size=head["ContentLength"],
            sha256=head.get("ChecksumSHA256", ""),
            metadata=dict(head.get("Metadata", {})),
            stored_at=head.get("LastModified"),
        )

    def read(self, bucket: str, key: str, version_id: str = "") -> bytes:
        """Return an object's bytes."""
        version: Any = {"VersionId": version_id} if version_id else {}
        return self._client.get_object(Bucket=bucket, Key=key, **version)["Body"].read()

    def keys(self, bucket: str, prefix: str) -> tuple[str, ...]:
        """Return the keys that begin with ``prefix``, in S3's order (of their bytes)."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return tuple(each["Key"] for page in pages for each in page.get("Contents", []))

    def holds(self, bucket: str, stored: StoredObject, content: bytes) -> bool:
        """Whether a stored object has exactly these bytes; reads it only if AWS keeps no checksum of it."""
        if stored.size != len(content):
            return False
        if stored.sha256:
            return stored.sha256 == sha256(content)
        return self.read(bucket, stored.key, stored.version_id) == content

    def put_once(self, bucket: str, key: str, content: bytes, metadata: dict[str, str]) -> bool:
        """Store an object unless its key is taken; return whether it was stored.

        ``If-None-Match: *`` makes the check and the write one operation:
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        """
        try:
            self._client.put_object(
                Bucket=bucket,
                Key=key,
                Body=content,
                Metadata=metadata,
                ChecksumSHA256=sha256(content),
                IfNoneMatch="*",
            )
        except ClientError as error:
            # 409 answers a write that lost against another one to the same key at the same time.
            if error_code(error) in {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}:
                return False
            raise
        return True

    def put(self, bucket: str, key: str, content: bytes) -> str:
        """Store a new version of an object and return the version's id."""
        answer = self._client.put_object(Bucket=bucket, Key=key, Body=content, ChecksumSHA256=sha256(content))
        return answer.get("VersionId", "")

    def copy(self, bucket: str, source: str, key: str, metadata: dict[str, str]) -> str:
        """Copy an object inside its bucket without its bytes passing here; return the new version's id."""
        answer = self._client.copy_object(
            Bucket=bucket,
            Key=key,
            CopySource={"Bucket": bucket, "Key": source},
            Metadata=metadata,
            MetadataDirective="REPLACE",
        )
        return answer.get("VersionId", "")


def sha256(content: bytes) -> str:
    """Return the SHA-256 of some bytes the way S3 writes it: base64."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
