"""Archives of releases in the platform's bucket: each written once, and copied to where pipelines look."""

from __future__ import annotations

import re
import unicodedata

from the_sink.archive import Archive
from the_sink.aws.s3 import RELEASED_BY, REVISION_SUMMARY, ROLLED_BACK_FROM
from the_sink.aws.session import Aws
from the_sink.errors import SinkError
from the_sink.models import Release, StoredObject
from the_sink.naming import release_key

_SUMMARY_LENGTH = 250
"""CodePipeline cuts longer summaries, and an object's metadata ends at 2 KB:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html"""


def describe_archive(aws: Aws, bucket: str, archive: Archive) -> bool | None:
    """Whether the bucket holds this release with the same bytes; None if it does not hold it at all."""
    stored = aws.objects.describe(bucket, _key(archive))
    if stored is None:
        return None
    return aws.objects.holds(bucket, stored, archive.path.read_bytes())


def put_archive(aws: Aws, bucket: str, archive: Archive, release: Release) -> None:
    """Upload a release's archive.

    Raises:
        SinkError: someone else archived the commit with other bytes meanwhile.
    """
    stored = aws.objects.put_once(
        bucket, _key(archive), archive.path.read_bytes(), {REVISION_SUMMARY: encode_summary(release)}
    )
    if not stored and not describe_archive(aws, bucket, archive):
        raise SinkError(
            f"The archive of {release.short} was uploaded by someone else at this moment, with other bytes.",
            "Find out from which files it was made; a release never changes.",
        )


def make_metadata(release: Release, released_by: str, rolled_back_from: str) -> dict[str, str]:
    """Return what the archive says that an environment follows: which release it is, and who put it there.

    Args:
        release: What the archive is of.
        released_by: Who releases it, as they claim.
        rolled_back_from: The commit whose place it takes by a rollback; "" of any other release.
    """
    metadata = {REVISION_SUMMARY: encode_summary(release), RELEASED_BY: encode_metadata(released_by)}
    return {**metadata, ROLLED_BACK_FROM: rolled_back_from} if rolled_back_from else metadata


def encode_summary(release: Release) -> str:
    """Return what CodePipeline shows for a release."""
    # Letters lose their accents here only: the archive's release.json has the true subject.
    return encode_metadata(release.summary)


def encode_metadata(text: str) -> str:
    """Return a text in the characters that S3 metadata may have: ASCII, and none that controls a terminal."""
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    printable = re.sub(r"[^ -~]", "?", plain)
    return printable[:_SUMMARY_LENGTH].strip()


def summary_of(stored: StoredObject) -> str:
    """Return the revision summary that an archive carries."""
    return stored.metadata.get(REVISION_SUMMARY, "")


def _key(archive: Archive) -> str:
    return release_key(archive.manifest.app, archive.manifest.commit)
