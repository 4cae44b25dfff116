"""What every plan is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One thing that a verb does; ``str`` is the line that ``--dry-run`` prints."""


@dataclass(frozen=True)
class PutOnce(Step):
    """Store an object under a key that must be free."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"upload s3://{self.bucket}/{self.key}"
