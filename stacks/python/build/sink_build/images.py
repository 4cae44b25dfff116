"""ECR: which image a name means, when it was pushed, what it is made of, and the moving tag."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sink_build.aws import Aws, Refused
from sink_build.errors import CommandFailed
from sink_build.times import parse_time

_NAME = re.compile(
    r"(?P<name>(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+/(?P<repository>[^:@]+))"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]*))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)

_MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)

_BATCH = 100
"""Images that one call takes: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html"""


@dataclass(frozen=True)
class Image:
    """An image as it lies in a repository.

    Attributes:
        name: Registry and repository, as an address.
        digest: Of its manifest.
        tag: The tag that it was asked for by, "" for its digest.
        pushed_at: When it first came into the repository; a further tag does not change it.
    """

    name: str
    digest: str
    tag: str
    pushed_at: datetime


class Repository:
    """One repository of this account and region."""

    def __init__(self, aws: Aws, name: str) -> None:
        self._aws = aws
        self.name = name

    def resolve(self, uri: str) -> Image:
        """Return the image that a name in ``imagedefinitions.json`` means.

        Raises:
            CommandFailed: it is in another repository, or not there.
        """
        found = _NAME.fullmatch(uri)
        is_elsewhere = CommandFailed(
            f"{uri}, which imagedefinitions.json names, is not an image of the repository {self.name}."
        )
        if found is None or found["repository"] != self.name or found["region"] != self._aws.region:
            raise is_elsewhere
        tag = found["tag"] or ("" if found["digest"] else "latest")
        wanted = f"imageDigest={found['digest']}" if found["digest"] else f"imageTag={tag}"
        try:
            details = self._describe("--image-ids", wanted)
        except Refused as refused:
            if refused.code != "ImageNotFoundException":
                raise
            details = []
        if not details:
            raise CommandFailed(
                f"{uri}, which imagedefinitions.json names, is not in the repository {self.name}."
            )
        if found["account"] != details[0]["registryId"]:
            raise is_elsewhere
        pushed_at = parse_time(details[0]["imagePushedAt"])
        return Image(found["name"], details[0]["imageDigest"], tag, pushed_at)

    def find_copies(self, source: Repository, digest: str) -> tuple[str, ...]:
        """Return the digests of this repository's images that are an image of ``source``.

        The same manifest, or one of the same configuration: a push may pack layers anew, which changes the
        manifest's digest and not the image.
        """
        own = _configuration(source.read_manifest(digest)["imageManifest"])
        return tuple(
            each["imageId"]["imageDigest"]
            for each in self._manifests()
            if each["imageId"]["imageDigest"] == digest or _configuration(each["imageManifest"]) == own != ""
        )

    def read_manifest(self, digest: str) -> Any:
        """Return an image of ``batch-get-image`` by its digest.

        Raises:
            CommandFailed: it is not there.
        """
        return self._get(f"imageDigest={digest}", f"the image {digest}")

    def move_tag(self, tag: str, digest: str) -> bool:
        """Let a tag mean an image; return False if it does already, which ECR would refuse.

        The manifest is put again as it is, so that the digest stays the same
        (https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-retag.html).
        """
        image = self.read_manifest(digest)
        before = self._batch(f"imageTag={tag}")
        if digest in [each["imageId"]["imageDigest"] for each in before]:
            return False
        wanted = {
            "repositoryName": self.name,
            "imageTag": tag,
            "imageDigest": digest,
            "imageManifest": image["imageManifest"],
            "imageManifestMediaType": image["imageManifestMediaType"],
        }
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "put-image.json"
            file.write_text(json.dumps(wanted))
            self._aws.call("ecr", "put-image", "--cli-input-json", f"file://{file}")
        return True

    def _describe(self, *words: str) -> list[Any]:
        answer = self._aws.call("ecr", "describe-images", "--repository-name", self.name, *words)
        return list(answer["imageDetails"])

    def _manifests(self) -> Iterator[Any]:
        try:
            digests = [each["imageDigest"] for each in self._describe()]
        except Refused as refused:
            if refused.code != "RepositoryNotFoundException":
                raise
            return
        for start in range(0, len(digests), _BATCH):
            yield from self._batch(*(f"imageDigest={each}" for each in digests[start : start + _BATCH]))

    def _get(self, image: str, what: str) -> Any:
        found = self._batch(image)
        if not found:
            raise CommandFailed(f"The repository {self.name} does not hold {what} any more.")
        return found[0]

    def _batch(self, *images: str) -> Sequence[Any]:
        answer = self._aws.call(
            *("ecr", "batch-get-image", "--repository-name", self.name, "--image-ids", *images),
            *("--accepted-media-types", *_MEDIA_TYPES),
        )
        return list(answer["images"])


def _configuration(manifest: str) -> str:
    """The digest of an image's configuration, "" for an index, which has none."""
    found = json.loads(manifest).get("config")
    return str(found["digest"]) if isinstance(found, dict) else ""
