"""The release ledger: what was admitted to an environment, and what was released there.

Objects of the platform's bucket that nobody but the pipeline's role may write, each written once:
``admissions/<app>/<env>/<commit>/<digest>.json`` before a release rolls out, and
``releases/<app>/<env>/<commit>/<execution id>.json`` when it serves.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sink_build.aws import Aws, Refused
from sink_build.errors import CommandFailed

FORMAT = 1

_TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


@dataclass(frozen=True)
class Released:
    """An image that an environment has deployed well.

    Attributes:
        tag: In that environment's repository.
        digest: In that environment's repository.
        finished_at: ISO 8601 in UTC, so that texts follow one another as the times do.
    """

    tag: str
    digest: str
    finished_at: str


class Ledger:
    """The records of one app.

    Args:
        aws: The pipeline's account and region.
        bucket: The platform's.
        app: The app's name.
    """

    def __init__(self, aws: Aws, bucket: str, app: str) -> None:
        self._aws = aws
        self._bucket = bucket
        self._app = app

    def admission_key(self, env: str, commit: str, digest: str) -> str:
        """The key of the record that admits an image."""
        return f"admissions/{self._app}/{env}/{commit}/{digest.partition(':')[2]}.json"

    def release_key(self, env: str, commit: str, execution_id: str) -> str:
        """The key of the record of a release."""
        return f"releases/{self._app}/{env}/{commit}/{execution_id}.json"

    def read(self, key: str) -> Any:
        """Return a record, None if there is none.

        Raises:
            CommandFailed: the record is not one.
        """
        return self._load(key) if key in self._aws.keys(self._bucket, key) else None

    def _load(self, key: str) -> Any:
        try:
            return json.loads(self._aws.read(self._bucket, key))
        except ValueError as error:
            raise CommandFailed(f"s3://{self._bucket}/{key} is not a record: {error}.") from error

    def find_release(self, envs: tuple[str, ...], commit: str, digest: str) -> str:
        """Return the key of a record by which a commit was released as an image, "" if there is none."""
        for env in envs:
            for key in self._aws.keys(self._bucket, f"releases/{self._app}/{env}/{commit}/"):
                record = self.read(key)
                if record["commit"] == commit and record["image"]["digest"] == digest:
                    return key
        return ""

    def read_released(self, env: str, commit: str) -> tuple[Released, ...]:
        """Return the images of a commit that an environment has released, the last one last.

        Raises:
            Refused: the role may not read it.
            CommandFailed: a record is not one.
        """
        keys = self._aws.keys(self._bucket, f"releases/{self._app}/{env}/{commit}/")
        found = (_parse(self._load(key), f"s3://{self._bucket}/{key}") for key in keys)
        return tuple(sorted(found, key=lambda released: released.finished_at))

    def is_admitted(self, env: str, commit: str, digest: str) -> bool:
        """Return whether an environment has admitted an image for a commit before, or released it.

        Raises:
            Refused: the role may not read it.
            CommandFailed: a record is not one.
        """
        key = self.admission_key(env, commit, digest)
        if key in self._aws.keys(self._bucket, key):
            return True
        return any(released.digest == digest for released in self.read_released(env, commit))

    def read_environments(self) -> tuple[str, ...]:
        """Return the environments that this account has releases of."""
        prefix = f"releases/{self._app}/"
        found = self._aws.call(
            *("s3api", "list-objects-v2", "--bucket", self._bucket, "--prefix", prefix, "--delimiter", "/"),
            *("--query", "CommonPrefixes[].Prefix"),
        )
        return tuple(each[len(prefix) :].rstrip("/") for each in found or ())

    def write_once(self, key: str, record: Any) -> bool:
        """Write a record unless there is one; return whether it was written.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "record.json"
            file.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            try:
                self._aws.call(
                    *("s3api", "put-object", "--bucket", self._bucket, "--key", key, "--body", str(file)),
                    *("--content-type", "application/json", "--if-none-match", "*"),
                )
            except Refused as refused:
                if refused.code in _TAKEN:
                    return False
                raise
        return True


def _parse(record: Any, address: str) -> Released:
    try:
        image = record["image"]
        return Released(str(image["tag"]), str(image["digest"]), str(record["finished_at"]))
    except (KeyError, TypeError) as error:
        raise CommandFailed(
            f"{address} is not a record of a release: {type(error).__name__}: {error}.",
            "Only the pipeline writes there; ask the platform's team who else did.",
        ) from error
