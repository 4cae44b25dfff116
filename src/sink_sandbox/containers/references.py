"""Image references: which registry, repository, tag and digest a name such as ``host/app:1.2`` means.

The names are Docker's; the one rule added here is that ``<account>.dkr.ecr.<region>.amazonaws.com``
is the sandbox's own registry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from sink_sandbox.errors import InputError

_ECR_HOST = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Reference:
    """One image name, taken apart.

    Attributes:
        host: The registry, or "" for a name that only this machine's image store knows.
        repository: The path below the registry.
        tag: "" only when ``digest`` is given without a tag.
        digest: ``sha256:…`` of a manifest, or "".
    """

    host: str
    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """Registry and repository, as ``docker images`` prints them."""
        return f"{self.host}/{self.repository}" if self.host else self.repository

    @property
    def canonical(self) -> str:
        """The whole name: by digest where there is one, else by tag."""
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"

    @property
    def is_ecr(self) -> bool:
        """Whether the sandbox's own registry holds it."""
        return bool(_ECR_HOST.fullmatch(self.host))

    @property
    def account(self) -> str:
        """The account of an ECR reference, or ""."""
        match = _ECR_HOST.fullmatch(self.host)
        return match["account"] if match else ""

    def at(self, digest: str) -> Reference:
        """The same repository's image with that digest."""
        return replace(self, tag="", digest=digest)


def is_ecr_host(host: str) -> bool:
    """Return whether ``host`` is the name of a private ECR registry."""
    return bool(_ECR_HOST.fullmatch(host))


def parse_reference(text: str) -> Reference:
    """Take an image name apart; a name without tag and digest means ``:latest``.

    Raises:
        InputError: quoting a name that no image can have.
    """
    rest, _, digest = text.partition("@")
    head, slash, tail = rest.partition("/")
    host = head if slash and ("." in head or ":" in head or head == "localhost") else ""
    path = tail if host else rest
    repository, _, tag = path.partition(":")
    valid = (
        _REPOSITORY.fullmatch(repository)
        and (not digest or _DIGEST.fullmatch(digest))
        and (":" not in path or _TAG.fullmatch(tag))
        and ("@" not in text or digest)
    )
    if not valid:
        raise InputError(f"{text!r} is not an image reference.", "Write it as registry/repository:tag.")
    return Reference(host, repository, tag or ("" if digest else "latest"), digest)
