"""S3, Secrets Manager and ECR: what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class StoredObject:
    """One version of an S3 object."""

    key: str
    version_id: str
    size: int
    sha256: str
    """Base64 of the object's SHA-256, "" where the object was stored without one."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    stored_at: datetime | None = None


@dataclass(frozen=True)
class Secret:
    """A secret without its value."""

    name: str
    arn: str
    is_scheduled_for_deletion: bool
    changed_at: datetime | None = None
    """When it was last modified in any way, its value or its description."""


@dataclass(frozen=True)
class SecretValue:
    """A secret's present value.

    Attributes:
        version_id: Of the version that is ``AWSCURRENT``.
        text: The value itself, in no representation of this object.
    """

    version_id: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class Image:
    """One image of a registry."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime | None = None
