"""The archive that an execution carries: its commit is read from the version in S3, and no build wrote it."""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sink_build.aws import Aws, Refused
from sink_build.errors import CommandFailed

RELEASE_FILE = "release.json"
REVISION_SUMMARY = "codepipeline-artifact-revision-summary"
RELEASED_BY = "the-sink-released-by"
"""Metadata of the archive: what ``invoke deploy`` claims of who ran it."""
ROLLED_BACK_FROM = "the-sink-rolled-back-from"
"""Metadata of the archive: the commit that ``invoke rollback`` says it goes back from."""

UNKNOWN = "unknown"
"""Stands for the commit of an archive of the legacy platform that nothing names."""

_MOST_BYTES = 1024 * 1024
"""Of a ``release.json``; the platform's own has some 300."""


@dataclass(frozen=True)
class Source:
    """What an execution carries.

    Attributes:
        key: Of the archive in the platform's bucket.
        version_id: Of the object.
        commit: 40 hexadecimal digits; :data:`UNKNOWN` for an archive of the legacy platform without a label.
        subject: The commit message's first line.
        template_version: Of the template that the app is at, "" where the archive does not say.
        released_by: As the client claims; "" where it does not.
        rolled_back_from: The commit that it takes the place of by a rollback, as the client claims; "" of any
            other release.
    """

    key: str
    version_id: str
    commit: str
    subject: str
    template_version: str
    released_by: str
    rolled_back_from: str


def read_source(aws: Aws, bucket: str, app: str, key: str, version_id: str) -> Source:
    """Read one version of an archive, and hold it against the archive of its commit, byte for byte.

    Raises:
        CommandFailed: it is not the archive of the commit that it names.
    """
    place = ("--bucket", bucket, "--key", key, "--version-id", version_id)
    metadata = aws.call("s3api", "head-object", *place)["Metadata"]
    summary = metadata.get(REVISION_SUMMARY, "")
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive.zip"
        aws.call("s3api", "get-object", *place, str(archive))
        content = _read_release(archive, app)
        if content is None:
            labelled = re.match(r"[0-9a-f]{40}\b", summary)
            commit = labelled[0] if labelled else UNKNOWN
            content = {"commit": commit, "subject": summary[40:].strip() if labelled else summary}
        commit = content["commit"]
        if commit != UNKNOWN:
            _compare(aws, bucket, f"{app}/{commit}.zip", archive)
    return Source(
        key=key,
        version_id=version_id,
        commit=commit,
        subject=str(content.get("subject", "")),
        template_version=str(content.get("template_version", "")),
        released_by=metadata.get(RELEASED_BY, ""),
        rolled_back_from=metadata.get(ROLLED_BACK_FROM, ""),
    )


def _read_release(archive: Path, app: str) -> Any:
    """Return what ``release.json`` says, None if there is none."""
    try:
        with zipfile.ZipFile(archive) as packed:
            if RELEASE_FILE not in packed.namelist():
                return None
            if packed.getinfo(RELEASE_FILE).file_size > _MOST_BYTES:
                raise ValueError(f"its {RELEASE_FILE} is larger than {_MOST_BYTES} bytes")
            content = json.loads(packed.read(RELEASE_FILE))
        is_ours = content["app"] == app and re.fullmatch("[0-9a-f]{40}", content["commit"])
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError) as error:
        raise CommandFailed(f"The archive that this execution carries cannot be read: {error}.") from error
    if not is_ours:
        raise CommandFailed(
            f"The archive that this execution carries is not a release of {app}: its {RELEASE_FILE} names "
            f"the app {content['app']!r} and the commit {content['commit']!r}."
        )
    return content


def _compare(aws: Aws, bucket: str, key: str, archive: Path) -> None:
    try:
        own = aws.read(bucket, key)
    except Refused as refused:
        raise CommandFailed(
            f"The archive that this execution carries cannot be held against s3://{bucket}/{key}: {refused}."
        ) from refused
    if own != archive.read_bytes():
        raise CommandFailed(
            f"The archive that this execution carries is another one than s3://{bucket}/{key}, whose commit "
            "it names.",
            "Somebody has put it there past `invoke deploy`.",
        )
