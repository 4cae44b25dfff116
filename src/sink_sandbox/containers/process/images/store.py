"""The images on this machine: an OCI image layout below the sandbox's state folder.

``docker build`` and ``docker pull`` put images in, ``docker push`` and the process engine take them
out. The stand-in and the sandbox's own process use it at the same time, so the index is changed under
a lock and every file is written whole. The layout is the one that other tools read:
https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sink_sandbox.containers.locks import exclusive, write_atomically
from sink_sandbox.containers.references import Reference, parse_reference
from sink_sandbox.errors import NotFound, SinkError

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
# Not compressed: compressed bytes differ between versions of zlib, and an image of one release is small.
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_REF_NAME = "org.opencontainers.image.ref.name"
_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def machine_architecture() -> str:
    """Return this machine's processor as images name it: ``amd64``, ``arm64``."""
    return _MACHINES.get(platform.machine(), platform.machine())


@dataclass(frozen=True)
class Image:
    """One image of the store: its manifest's digest and what manifest and configuration say.

    ``id`` is the digest of the configuration, as Docker's image ids are; ``digest`` is the manifest's,
    as registries name images.
    """

    digest: str
    manifest: dict[str, Any]
    config: dict[str, Any]

    @property
    def id(self) -> str:
        """The digest of the configuration."""
        return str(self.manifest["config"]["digest"])

    @property
    def layers(self) -> list[dict[str, Any]]:
        """The descriptors of the layers, lowest first."""
        return list(self.manifest["layers"])

    @property
    def labels(self) -> dict[str, str]:
        """The image's labels."""
        return dict(self.config.get("config", {}).get("Labels") or {})

    @property
    def settings(self) -> dict[str, Any]:
        """What a container takes from the image: Env, WorkingDir, Entrypoint, Cmd, …."""
        return dict(self.config.get("config", {}))

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the image sets."""
        return dict(item.partition("=")[::2] for item in self.settings.get("Env") or [])


def digest_of(content: bytes) -> str:
    """Return the content address of ``content``."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def canonical_json(value: object) -> bytes:
    """Return the one JSON text that stands for ``value``: no spaces, keys sorted, no final newline."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class ImageStore:
    """Blobs by digest, and the names that point at manifests."""

    def __init__(self, state_dir: Path) -> None:
        self.root = state_dir / "images"
        self._blobs = self.root / "blobs" / "sha256"
        self._index = self.root / "index.json"
        self._lock = self.root / ".lock"

    def has_blob(self, digest: str) -> bool:
        """Return whether the store has a blob."""
        return self.blob_path(digest).is_file()

    def blob_path(self, digest: str) -> Path:
        """Return where a blob is or would be."""
        return self._blobs / digest.removeprefix("sha256:")

    def read_blob(self, digest: str) -> bytes:
        """Return the bytes of a blob, checked against its digest.

        Raises:
            SinkError: the file was changed or lost behind the store's back.
        """
        try:
            content = self.blob_path(digest).read_bytes()
        except FileNotFoundError:
            content = b""
        if digest_of(content) != digest:
            raise SinkError(
                f"Blob {digest} of the sandbox's image store is damaged or gone.",
                "Empty the sandbox with `invoke sandbox.reset` and deploy again.",
            )
        return content

    def write_blob(self, content: bytes) -> str:
        """Store bytes and return their digest."""
        digest = digest_of(content)
        if not self.has_blob(digest):
            write_atomically(self.blob_path(digest), content)
        return digest

    def write_image(self, config: dict[str, Any], layers: list[str]) -> Image:
        """Store configuration and manifest over layers that are blobs already; it has no name yet."""
        config_bytes = canonical_json(config)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {
                "mediaType": CONFIG_TYPE,
                "digest": self.write_blob(config_bytes),
                "size": len(config_bytes),
            },
            "layers": [
                {"mediaType": LAYER_TYPE, "digest": layer, "size": self.blob_path(layer).stat().st_size}
                for layer in layers
            ],
        }
        return self.read_image(self.write_blob(canonical_json(manifest)))

    def read_image(self, digest: str) -> Image:
        """Return the image of a manifest's digest.

        Raises:
            SinkError: the manifest is not one of a single image (an index, for example).
        """
        manifest = json.loads(self.read_blob(digest))
        if "config" not in manifest or "layers" not in manifest:
            raise SinkError(
                f"Manifest {digest} is not that of one image.",
                "Build with --provenance=false and for one platform.",
            )
        return Image(digest, manifest, json.loads(self.read_blob(manifest["config"]["digest"])))

    def tag(self, reference: Reference, image: Image) -> None:
        """Let ``reference`` (by tag or by digest) name ``image`` from now on."""
        self._edit(lambda names: names | {reference.canonical: image.digest})

    def names(self) -> dict[str, str]:
        """Return every name with the manifest digest that it points at."""
        try:
            index = json.loads(self._index.read_bytes())
        except FileNotFoundError:
            return {}
        return {entry["annotations"][_REF_NAME]: entry["digest"] for entry in index["manifests"]}

    def names_of(self, image: Image) -> tuple[list[str], list[str]]:
        """Return the image's names by tag and its names by digest, each sorted."""
        names = sorted(name for name, digest in self.names().items() if digest == image.digest)
        return [name for name in names if "@" not in name], [name for name in names if "@" in name]

    def find(self, text: str) -> Image | None:
        """Return the image of a reference, of an id, or of an id's first digits; None if there is none."""
        names = self.names()
        by_id = text.removeprefix("sha256:")
        if len(by_id) >= 6 and all(letter in "0123456789abcdef" for letter in by_id):
            for digest in sorted(set(names.values())):
                image = self.read_image(digest)
                if any(known.removeprefix("sha256:").startswith(by_id) for known in (image.id, image.digest)):
                    return image
        reference = parse_reference(text)
        found = names.get(reference.canonical)
        return self.read_image(found) if found else None

    def get(self, text: str) -> Image:
        """Return the image of a reference or id.

        Raises:
            NotFound: this machine has no such image.
        """
        image = self.find(text)
        if image is None:
            raise NotFound(f"No such image: {text}.", "Build it, or pull it from its registry.")
        return image

    def _edit(self, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        with exclusive(self._lock):
            manifests = [
                {
                    "mediaType": MANIFEST_TYPE,
                    "digest": digest,
                    "size": self.blob_path(digest).stat().st_size,
                    "annotations": {_REF_NAME: name},
                }
                for name, digest in sorted(change(self.names()).items())
            ]
            index = {"schemaVersion": 2, "manifests": manifests}
            write_atomically(self.root / "oci-layout", canonical_json({"imageLayoutVersion": "1.0.0"}))
            write_atomically(self._index, canonical_json(index))
