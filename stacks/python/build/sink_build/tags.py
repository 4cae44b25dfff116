"""The names of images: what an image is made of decides its tag, and a tag never moves."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

_CACHE_INPUTS = ("aws/Dockerfile", "app/requirements.lock")
"""What the layers of the dependencies are made of, beside the runtime. A file that another step of
``aws/Dockerfile`` is made of, before the sources come in, would only make that step run again."""

_LAST_ATTEMPT = 9


def release_tag(commit: str, *inputs: str) -> str:
    """Return the tag of a release's image: the commit, and a hash of what else the image is made of.

    Args:
        commit: The release's.
        inputs: The digest of the runtime and, where ``.env`` is inside, the version of the secret.
    """
    return f"{commit}-{_hash(' '.join(inputs))[:8]}"


def attempts(tag: str) -> Iterator[str]:
    """Yield the tags that an image may get, where somebody else's has the ones before: ``…-2``, ``…-3``.

    Args:
        tag: As :func:`release_tag` makes it, or one of the further ones.
    """
    yield tag
    first = first_attempt(tag)
    yield from (further for number in range(2, _LAST_ATTEMPT + 1) if (further := f"{first}-{number}") != tag)


def first_attempt(tag: str) -> str:
    """Return the tag without the number of a further attempt."""
    return re.sub(r"(-[0-9a-f]{8})-\d$", r"\1", tag)


def cache_tag(runtime_digest: str) -> str:
    """Return the tag of the layers of the dependencies, for the sources in this folder."""
    files = (path for name in _CACHE_INPUTS if (path := Path(name)).is_file())
    inputs = (hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    return f"cache-{_hash(' '.join((runtime_digest, *inputs)))[:16]}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
