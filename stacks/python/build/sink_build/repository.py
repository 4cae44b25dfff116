"""What is in a repository: images by their tags and digests."""

from __future__ import annotations

from typing import Any

from sink_build.aws import Aws


def missing_tags(aws: Aws, repository: str, *tags: str) -> set[str]:
    """Return those of some tags that a repository does not have.

    ``batch-get-image`` answers with failures where ``describe-images`` fails: no tag is no error here.
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html

    Raises:
        Refused: there is no such repository, or the role may not read it.
    """
    found = _get(aws, repository, "failures[].imageId.imageTag", *(f"imageTag={tag}" for tag in tags))
    return set(found or ())


def digest_of(aws: Aws, repository: str, tag: str) -> str:
    """Return the digest of the image that a tag names, "" where there is no such tag.

    Raises:
        Refused: there is no such repository, or the role may not read it.
    """
    return str(_get(aws, repository, "images[0].imageId.imageDigest", f"imageTag={tag}") or "")


def has_digest(aws: Aws, repository: str, digest: str) -> bool:
    """Return whether a repository holds an image.

    Raises:
        Refused: there is no such repository, or the role may not read it.
    """
    return bool(_get(aws, repository, "images[0].imageId.imageDigest", f"imageDigest={digest}"))


def _get(aws: Aws, repository: str, query: str, *ids: str) -> Any:
    return aws.call(
        *("ecr", "batch-get-image", "--repository-name", repository, "--image-ids", *ids, "--query", query)
    )
