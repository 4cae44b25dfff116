"""ECR: what a tag points at, and a sign-in for ``docker``."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from the_sink.aws.target import Target
from the_sink.aws.translation import error_code, translated
from the_sink.models import Image

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

_MANIFESTS = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
]
_DOWNLOAD_S = 30

_MISSING = frozenset({"ImageNotFoundException", "RepositoryNotFoundException"})


@dataclass(frozen=True)
class RegistrySignIn:
    """A password for ``docker login`` that is good for some hours."""

    host: str
    user: str
    password: str = field(repr=False)


@translated("ECR")
class Registry:
    """The image registry of an account and region."""

    def __init__(self, client: ECRClient, target: Target) -> None:
        self._client = client
        self._target = target

    def exists(self, repository: str) -> bool:
        """Whether a repository of that name exists."""
        try:
            self._client.describe_repositories(repositoryNames=[repository])
        except ClientError as error:
            if error_code(error) in _MISSING:
                return False
            raise
        return True

    def image(self, repository: str, *, tag: str = "", digest: str = "") -> Image | None:
        """Return the image that a tag or a digest names, or None."""
        reference = {"imageTag": tag} if tag else {"imageDigest": digest}
        try:
            answer = self._client.describe_images(repositoryName=repository, imageIds=[reference])  # type: ignore[list-item] # the stubs want a TypedDict
        except ClientError as error:
            if error_code(error) in _MISSING:
                return None
            raise
        found = answer.get("imageDetails", [])
        return _image(found[0]) if found else None

    def images(self, repository: str) -> tuple[Image, ...]:
        """Return every tagged image of a repository; none if the repository does not exist."""
        try:
            pages = self._client.get_paginator("describe_images").paginate(
                repositoryName=repository, filter={"tagStatus": "TAGGED"}
            )
            return tuple(_image(each) for page in pages for each in page["imageDetails"])
        except ClientError as error:
            if error_code(error) in _MISSING:
                return ()
            raise

    def labels(self, repository: str, digest: str) -> Mapping[str, str]:
        """Return an image's labels, none if there is no such image, or it is an index of several.

        They are in its configuration, which ECR hands out as it does layers:
        https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html
        """
        found = self._client.batch_get_image(
            repositoryName=repository, imageIds=[{"imageDigest": digest}], acceptedMediaTypes=_MANIFESTS
        )
        manifest = json.loads(found["images"][0]["imageManifest"]) if found.get("images") else {}
        configuration = manifest.get("config", {}).get("digest", "")
        if not configuration:
            return {}
        granted = self._client.get_download_url_for_layer(
            repositoryName=repository, layerDigest=configuration
        )
        with urllib.request.urlopen(granted["downloadUrl"], timeout=_DOWNLOAD_S) as answer:  # noqa: S310 - ECR names it
            content = json.load(answer)
        return dict(content.get("config", {}).get("Labels") or {})

    def add_tag(self, repository: str, digest: str, tag: str) -> None:
        """Give an image one more tag; no layer travels for that.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-retag.html
        """
        found = self._client.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])
        manifest = found["images"][0]
        kind: Any = {}
        if media_type := manifest.get("imageManifestMediaType"):
            kind = {"imageManifestMediaType": media_type}
        try:
            self._client.put_image(
                repositoryName=repository,
                imageManifest=manifest["imageManifest"],
                imageTag=tag,
                imageDigest=digest,
                **kind,
            )
        except ClientError as error:
            # What ECR answers where the tag names this very image already.
            if error_code(error) != "ImageAlreadyExistsException":
                raise

    def sign_in(self) -> RegistrySignIn:
        """Ask for a password for this account's registry."""
        granted = self._client.get_authorization_token()["authorizationData"][0]
        user, _, password = base64.b64decode(granted["authorizationToken"]).decode().partition(":")
        host = granted.get("proxyEndpoint", "").removeprefix("https://").removeprefix("http://")
        return RegistrySignIn(host=host, user=user, password=password)


def _image(detail: object) -> Image:
    fields = dict(detail)  # type: ignore[call-overload] # a TypedDict is a dict
    return Image(
        digest=fields.get("imageDigest", ""),
        tags=tuple(fields.get("imageTags", [])),
        pushed_at=fields.get("imagePushedAt"),
    )
