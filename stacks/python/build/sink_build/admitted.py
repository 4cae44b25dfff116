"""What the pipelines wrote down of releases, where neither a build nor an app may write.

``releases/<app>/<env>/<commit>/<execution>.json`` is written once by a pipeline's last action,
``admissions/<app>/<env>/<commit>/<digest>.json`` by the one that admits an image to its
rollout.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sink_build.aws import Aws
from sink_build.errors import CommandFailed


@dataclass(frozen=True)
class Record:
    """A release that an environment has deployed well.

    Attributes:
        tag: Of its image, in that environment's repository.
        digest: Of its image.
        finished_at: ISO 8601 in UTC, so that texts follow one another as the times do.
    """

    tag: str
    digest: str
    finished_at: str


def read_releases(aws: Aws, bucket: str, app: str, env: str, commit: str) -> tuple[Record, ...]:
    """Return what an environment's ledger says of a commit, in the order of the rollouts.

    Raises:
        Refused: the role may not read it.
        CommandFailed: a record is not one.
    """
    keys = aws.keys(bucket, f"releases/{app}/{env}/{commit}/")
    records = [_parse(aws.read(bucket, key), f"s3://{bucket}/{key}") for key in keys]
    return tuple(sorted(records, key=lambda record: record.finished_at))


def is_admitted(aws: Aws, bucket: str, app: str, env: str, commit: str, digest: str) -> bool:
    """Return whether an image of this environment was admitted for a commit before.

    Raises:
        Refused: the role may not read it.
        CommandFailed: a record is not one.
    """
    folder = f"admissions/{app}/{env}/{commit}/"
    if f"{folder}{digest.partition(':')[2]}.json" in aws.keys(bucket, folder):
        return True
    return any(record.digest == digest for record in read_releases(aws, bucket, app, env, commit))


def _parse(content: bytes, address: str) -> Record:
    try:
        found = json.loads(content)
        image = found["image"]
        return Record(str(image["tag"]), str(image["digest"]), str(found["finished_at"]))
    except (ValueError, KeyError, TypeError) as error:
        raise CommandFailed(
            f"{address} is not a record of a release: {type(error).__name__}: {error}.",
            "Only the pipeline writes there; ask the platform's team who else did.",
        ) from error
