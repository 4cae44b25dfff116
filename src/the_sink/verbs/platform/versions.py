"""The channels of what is published: which version each holds, and moving one to another version.

A channel says which version it holds in its metadata, written together with its bytes. The word counts only
where the bytes are those of that version; a channel that was written otherwise is recognised by its bytes.
"""

from __future__ import annotations

from collections.abc import Generator

from the_sink.aws.session import Aws
from the_sink.errors import SinkError
from the_sink.models import Event, Said, StoredObject, Version, parse_version
from the_sink.naming import ENVIRONMENTS, PUBLICATIONS, STACK_TEMPLATE, Publication
from the_sink.plan import ChannelsObserved, Promotion, promoted_channels

VERSION_METADATA = "the-sink-version"
"""Of a channel's object: the version that it was moved to."""


def describe_channels(aws: Aws, bucket: str, major: int) -> ChannelsObserved:
    """Return the published versions of a major and what its channels hold of them."""
    published = {each: published_versions(aws, bucket, each, major) for each in PUBLICATIONS}
    return ChannelsObserved(
        major,
        published,
        {
            key: held_version(aws, bucket, key, publication, published[publication])
            for env in ENVIRONMENTS
            for publication, key in promoted_channels(major, env)
        },
    )


def published_versions(aws: Aws, bucket: str, publication: Publication, major: int) -> tuple[str, ...]:
    """Return every version of a major that has an immutable key, oldest first."""
    # Up to where the version begins: a major, a dot.
    prefix = publication.version_key(f"{major}.").removesuffix(publication.ending)
    found = map(publication.version_of, aws.objects.keys(bucket, prefix))
    return tuple(sorted(filter(None, found), key=_number))


def held_version(
    aws: Aws, bucket: str, key: str, publication: Publication, published: tuple[str, ...]
) -> str | None:
    """Return the version that a channel holds, "" for none of ``published``, None if there is no channel."""
    channel = aws.objects.describe(bucket, key)
    if channel is None:
        return None
    named = channel.metadata.get(VERSION_METADATA, "")
    # The newest first, where several versions have the same bytes and the channel names none of them.
    candidates = [*([named] if named in published else []), *reversed(published)]
    content: bytes | None = None
    for version in candidates:
        stored = aws.objects.describe(bucket, publication.version_key(version))
        if stored is None or stored.size != channel.size:
            continue
        if _have_checksums(channel, stored):
            if channel.sha256 == stored.sha256:
                return version
            continue
        content = content if content is not None else aws.objects.read(bucket, key, channel.version_id)
        if aws.objects.holds(bucket, stored, content):
            return version
    return ""


def newer_in_stage(aws: Aws, bucket: str, version: str) -> str:
    """Return the version that the stage channel holds if it is newer than ``version``, else ""."""
    major = _number(version).major
    key = STACK_TEMPLATE.channel_key(major, ENVIRONMENTS[0])
    published = published_versions(aws, bucket, STACK_TEMPLATE, major)
    held = held_version(aws, bucket, key, STACK_TEMPLATE, published) or ""
    return held if _number(held) > _number(version) else ""


def apply_promotion(aws: Aws, promotion: Promotion) -> Generator[Event, None, None]:
    """Move the channels.

    Raises:
        SinkError: a channel does not hold what was copied into it, because somebody else moved it meanwhile.
    """
    for step in promotion.steps:
        move_channel(aws, step.bucket, step.key, step.publication, step.version)
        if held_version(aws, step.bucket, step.key, step.publication, (step.version,)) != step.version:
            raise SinkError(
                f"s3://{step.bucket}/{step.key} does not hold {step.version}: somebody moved it just now.",
                "Run the same command again.",
            )
        yield Said(f"Moved channel s3://{step.bucket}/{step.key} to version {step.version}")


def move_channel(aws: Aws, bucket: str, key: str, publication: Publication, version: str) -> None:
    """Copy a published version into a channel, inside the bucket.

    A copy keeps the checksum of what it was made from:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    """
    aws.objects.copy(bucket, publication.version_key(version), key, {VERSION_METADATA: version})


def _have_checksums(first: StoredObject, second: StoredObject) -> bool:
    return bool(first.sha256 and second.sha256)


def _number(version: str) -> Version:
    return parse_version(version) or Version(0, 0, 0)
