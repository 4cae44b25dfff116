"""The registry's names and where the engine finds them.

``<account>.dkr.ecr.<region>.amazonaws.com/<repository>`` is, for the engine,
``localhost:<port>/sink-<id>/<account>/<region>/<repository>``: an engine takes a registry on localhost
without TLS, the port is the sandbox's, and the id keeps two sandboxes apart that had one port at different
times. Which account and region is meant stands in the path, because the host can no longer say it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

LABEL = "the-sink.sandbox"
"""On everything that a sandbox makes in the engine; its value is the sandbox's id."""

_ECR = r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?"
_ECR_HOST = re.compile(rf"(?<![\w.-]){_ECR}(?![\w.-])")
_ECR_REFERENCE = re.compile(rf"{_ECR}(?:/[\w./:@-]+)?")
_LOCAL = re.compile(
    r"localhost:\d+/sink-(?P<id>[0-9a-f]{8})/(?P<account>\d{12})/(?P<region>[a-z0-9-]+)(?=[/\s\"'\])]|$)"
)


def sandbox_id(state_dir: Path) -> str:
    """Return what tells the sandbox of a state folder from every other on this machine."""
    return hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Names:
    """The two names of every image of one sandbox."""

    port: int
    sandbox: str
    """Its id."""

    @property
    def prefix(self) -> str:
        """What every image of the sandbox begins with in the engine."""
        return f"localhost:{self.port}/sink-{self.sandbox}/"

    def to_engine(self, text: str) -> str:
        """Return the text with every name of the registry replaced by what the engine calls it."""
        return _ECR_HOST.sub(lambda match: f"{self.prefix}{match['account']}/{match['region']}", text)

    def to_registry(self, text: str) -> str:
        """Return the text with the engine's names of this sandbox turned back."""

        def back(match: re.Match[str]) -> str:
            if match["id"] != self.sandbox:
                return match[0]
            return f"{match['account']}.dkr.ecr.{match['region']}.amazonaws.com"

        return _LOCAL.sub(back, text)

    def is_foreign(self, name: str) -> bool:
        """Whether a name is an image of another sandbox."""
        match = _LOCAL.match(name)
        return match is not None and match["id"] != self.sandbox


def is_reference(word: str) -> bool:
    """Whether a word is the name of the registry, or of an image in it, and nothing else."""
    return _ECR_REFERENCE.fullmatch(word) is not None


def has_reference(text: str) -> bool:
    """Whether the registry is named anywhere in a text."""
    return _ECR_HOST.search(text) is not None
