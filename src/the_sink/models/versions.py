"""Versions of the platform: three numbers, as its releases, tags and published templates have them."""

from __future__ import annotations

import re
from typing import NamedTuple


class Version(NamedTuple):
    """A released version; compares as releases follow one another."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        """Return ``1.0.0``."""
        return f"{self.major}.{self.minor}.{self.patch}"


def parse_version(text: str) -> Version | None:
    """Return the version that ``1.0.0`` or ``v1.0.0`` names; None for anything else, pre-releases too."""
    found = re.fullmatch(r"v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})", text)
    return Version(int(found[1]), int(found[2]), int(found[3])) if found else None
