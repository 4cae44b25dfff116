"""Which layer an instruction made the last time, found by everything that went into it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from sink_sandbox.containers.locks import write_atomically
from sink_sandbox.containers.process.environments import Environments
from sink_sandbox.containers.process.images.store import ImageStore, canonical_json, digest_of


@dataclass(frozen=True)
class Made:
    """What one instruction made: a layer, or "", and the key of a virtual environment, or ""."""

    layer: str
    venv: str = ""


class LayerCache:
    """Lies beside the images; an entry whose layer or environment is gone counts as absent."""

    def __init__(self, store: ImageStore, environments: Environments, enabled: bool) -> None:
        self._store = store
        self._environments = environments
        self._enabled = enabled

    def find(self, parts: list[object]) -> Made | None:
        """Return what an instruction with these inputs made before, or None."""
        if not self._enabled:
            return None
        try:
            found = Made(**json.loads((self._store.root / "cache" / _key(parts)).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        layer_lost = bool(found.layer) and not self._store.has_blob(found.layer)
        venv_lost = bool(found.venv) and not self._environments.is_complete(found.venv)
        return None if layer_lost or venv_lost else found

    def remember(self, parts: list[object], made: Made) -> None:
        """Note what an instruction with these inputs made."""
        write_atomically(self._store.root / "cache" / _key(parts), canonical_json(asdict(made)))


def _key(parts: list[object]) -> str:
    return digest_of(canonical_json(parts)).removeprefix("sha256:")
