"""The release ledger in the platform's bucket, which pipelines write and everybody else reads."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from the_sink.aws.target import Target
from the_sink.aws.translation import translated
from the_sink.errors import SinkError
from the_sink.models import ReleaseRecord
from the_sink.naming import ledger_prefix

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_FORMAT = 1


@translated("S3")
class Ledger:
    """The records of releases of an account and region."""

    def __init__(self, client: S3Client, target: Target) -> None:
        self._client = client
        self._target = target

    def releases(
        self, bucket: str, app: str, env: str, limit: int | None = None
    ) -> tuple[ReleaseRecord, ...]:
        """Return the releases of an app in an environment, newest first by when they served.

        Args:
            bucket: The platform's.
            app: The app.
            env: The environment.
            limit: How many at most; each costs a call. None for all of them.

        Raises:
            SinkError: a record is not one, or is of a format that this version does not know.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=ledger_prefix(app, env)
        )
        # A record is written once, when its release serves: that is when its object was.
        found = sorted(
            (each for page in pages for each in page.get("Contents", [])),
            key=lambda each: each["LastModified"],
            reverse=True,
        )
        records = (self._read(bucket, each["Key"]) for each in found[:limit])
        return tuple(sorted(records, key=lambda record: record.finished_at, reverse=True))

    def commits(self, bucket: str, app: str, env: str) -> frozenset[str]:
        """Return the commits that were released to an environment; no record is read for it."""
        prefix = ledger_prefix(app, env)
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, Delimiter="/"
        )
        folders = (each["Prefix"] for page in pages for each in page.get("CommonPrefixes", []))
        return frozenset(folder[len(prefix) :].rstrip("/") for folder in folders)

    def _read(self, bucket: str, key: str) -> ReleaseRecord:
        content = self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
        try:
            return _parse(json.loads(content))
        except (ValueError, KeyError, TypeError) as error:
            raise SinkError(
                f"s3://{bucket}/{key} is not a record of a release: {_describe(error)}.",
                "Only pipelines write there; look at the object's versions for who else did.",
            ) from error


def _parse(found: Any) -> ReleaseRecord:
    if found["format"] != _FORMAT:
        raise ValueError(f"its format is {found['format']!r}, and this version knows {_FORMAT}")
    return ReleaseRecord(
        app=found["app"],
        env=found["env"],
        commit=found["commit"],
        subject=found["subject"],
        execution_id=found["execution_id"],
        archive_key=found["archive"]["key"],
        archive_version=found["archive"]["version_id"],
        repository=found["image"]["repository"],
        tag=found["image"]["tag"] or "",
        digest=found["image"]["digest"],
        runtime_digest=found["runtime_digest"] or "",
        template_version=found["template_version"] or "",
        released_by=found["released_by"] or "",
        approved_by=found["approved_by"] or "",
        admitted_by=found["admitted_by"],
        started_at=datetime.fromisoformat(found["started_at"]),
        finished_at=datetime.fromisoformat(found["finished_at"]),
        # Records of before there was a rollback do not have it.
        rolled_back_from=found.get("rolled_back_from") or "",
    )


def _describe(error: Exception) -> str:
    return re.sub(r"\s+", " ", f"it has no {error}" if isinstance(error, KeyError) else str(error))
