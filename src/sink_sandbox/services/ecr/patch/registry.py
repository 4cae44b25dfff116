"""ECR's registry: layers on disk instead of in the state; for engines, an address per account and region.

ministack keeps the bytes of every layer in its state, which is copied and written a moment after each
request: with real images that is hundreds of megabytes each time. Here the state holds digests only.

A Docker Engine reaches the registry as ``localhost:<port>/sink-<id>/<account>/<region>/<repository>``
(:mod:`sink_sandbox.containers.docker.names`); what stands before the repository becomes the host's name that
ministack reads account and region from.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

from ministack import app as ministack_app
from ministack.core.responses import (
    AccountRegionScopedDict,
    error_response_json,
    get_account_id,
    get_region,
    json_response,
)
from ministack.services import ecr

from sink_sandbox.authentication.guard import Asks
from sink_sandbox.authentication.signature import presign
from sink_sandbox.containers.docker.names import sandbox_id
from sink_sandbox.server.routes import find_route
from sink_sandbox.server.saver import write_atomically

FOLDER = "registry"
"""Below the sandbox's state folder; what is in it was pushed."""

_DOWNLOAD_S = 3600
"""How long the address of a layer is good, as S3's behind ECR is for a while."""

_SCOPED = re.compile(r"/v2/sink-(?P<id>[0-9a-f]{8})/(?P<account>\d{12})/(?P<region>[a-z0-9-]+)/(?P<rest>.+)")
_MOUNT = re.compile(r"(?<=from=)sink-[0-9a-f]{8}(?:%2F|/)\d{12}(?:%2F|/)[a-z0-9-]+(?:%2F|/)", re.IGNORECASE)


class Registry:
    """The data plane of ECR for one sandbox."""

    def __init__(self, home: Path, port: int, secret: str) -> None:
        self._id = sandbox_id(home)
        self._secret = secret
        self._port = port
        self._blobs = Blobs(home / FOLDER)

    def install(self) -> None:
        """Keep layers on disk, and hand them out where this sandbox is."""
        ecr._get_download_url_for_layer = self._download_url
        ecr._resolve_manifest = _find_what_was_put(ecr._resolve_manifest)
        ecr._put_image = _at_its_moment(ecr._put_image, lambda data: data.get("repositoryName", ""))
        ecr._v2_put_manifest = _at_its_moment(ecr._v2_put_manifest, lambda name, *_: name)
        get_state, reset = ecr.get_state, ecr.reset
        layers = ecr._layer_blobs = Layers(self._blobs)

        def get_state_without_bytes() -> dict[str, Any]:
            state: dict[str, Any] = get_state()
            digests = AccountRegionScopedDict()
            for (account, region, name), held in layers.all_items():
                digests.set_scoped(account, region, name, dict.fromkeys(held, b""))
            state["layer_blobs"] = digests
            return state

        def reset_with_blobs() -> None:
            reset()
            self._blobs.clear()

        ecr.get_state = get_state_without_bytes
        ecr.reset = reset_with_blobs

    def _download_url(self, data: dict[str, Any]) -> Any:
        """GetDownloadUrlForLayer; the emulator's own address is one of AWS."""
        name, digest = data.get("repositoryName", ""), data.get("layerDigest", "")
        if digest not in ecr._layer_blobs.get(name, {}):
            return error_response_json(
                "LayersNotFoundException", f"The layer with digest '{digest}' does not exist", 400
            )
        path = f"/v2/sink-{self._id}/{get_account_id()}/{get_region()}/{name}/blobs/{digest}"
        host = f"127.0.0.1:{self._port}"
        signed = presign(path, host, get_account_id(), self._secret, get_region(), _DOWNLOAD_S)
        return json_response({"downloadUrl": f"http://{host}{signed}", "layerDigest": digest})

    def serves(self, scope: dict[str, Any]) -> bool:
        """Whether a request comes from an engine that names account and region in the path."""
        return scope["path"].startswith("/v2/sink-")

    async def handle(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request of an engine."""
        match = _SCOPED.fullmatch(scope["path"])
        if match is None or match["id"] != self._id:
            body = b'{"errors":[{"code":"NAME_UNKNOWN","message":"an image of another sandbox","detail":{}}]}'
            await ministack_app._send_response(send, 404, {"Content-Type": "application/json"}, body)
            return
        prefix = f"/v2/sink-{self._id}/{match['account']}/{match['region']}/"
        path = f"/v2/{match['rest']}"
        if find_route(path).asks is not Asks.REGISTRY:
            await ministack_app._send_response(send, 404, {"Content-Type": "text/plain"}, b"")
            return
        host = f"{match['account']}.dkr.ecr.{match['region']}.amazonaws.com"
        headers = [pair for pair in scope["headers"] if pair[0].lower() != b"host"]
        inner = {
            **scope,
            "path": path,
            "raw_path": path.encode(),
            "query_string": _MOUNT.sub("", scope.get("query_string", b"").decode("latin-1")).encode(
                "latin-1"
            ),
            "headers": [*headers, (b"host", host.encode())],
        }

        async def send_scoped(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {
                    **message,
                    "headers": [
                        (name, prefix.encode() + value.removeprefix(b"/v2/"))
                        if name.lower() == b"location"
                        else (name, value)
                        for name, value in message.get("headers", [])
                    ],
                }
            await send(message)

        await ministack_app.app(inner, receive, send_scoped)


def _at_its_moment(put: Callable[..., Any], repository_of: Callable[..., str]) -> Callable[..., Any]:
    """Keep the fraction of the second in which an image was pushed.

    A build here takes less than a second: whether it pushed an image, or somebody before it, is told by that.
    """

    def put_now(*arguments: Any) -> Any:
        name = repository_of(*arguments)
        before = {each["imageDigest"] for each in ecr._images.get(name, [])}
        answer = put(*arguments)
        for image in ecr._images.get(name, []):
            if image["imageDigest"] not in before:
                image["imagePushedAt"] = time.time()
        return answer

    return put_now


def _find_what_was_put(resolve: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    """Let an image be pulled by its digest that PutImage has made and no push."""

    def resolve_all(name: str, reference: str) -> Any:
        found = resolve(name, reference)
        if found[0] is not None:
            return found
        images = ecr._images.get(name, [])
        put = next((each for each in images if each["imageDigest"] == reference), None)
        if put is None:
            return found
        return reference, put["imageManifest"].encode(), put["imageManifestMediaType"]

    return resolve_all


class Blobs:
    """Layers by digest, each a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, digest: str) -> Path:
        """Return where a layer is, if it is."""
        algorithm, _, value = digest.partition(":")
        return self._folder / algorithm / value

    def read(self, digest: str) -> bytes:
        """Return a layer's bytes.

        Raises:
            KeyError: it is not there.
        """
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError as error:
            raise KeyError(digest) from error

    def write(self, digest: str, content: bytes) -> None:
        """Keep a layer; one that is there stays as it is."""
        if content and not self.path(digest).exists():
            write_atomically(self.path(digest), content)

    def clear(self) -> None:
        """Remove every layer."""
        for path in self._folder.glob("*/*"):
            path.unlink(missing_ok=True)


class RepositoryLayers(MutableMapping[str, bytes]):
    """A repository's layers: digests here, bytes on disk."""

    def __init__(self, blobs: Blobs, digests: MutableMapping[str, bytes]) -> None:
        self._blobs = blobs
        self._digests: dict[str, None] = {}
        for digest, content in digests.items():
            self[digest] = content

    def __getitem__(self, digest: str) -> bytes:
        if digest not in self._digests:
            raise KeyError(digest)
        return self._blobs.read(digest)

    def __setitem__(self, digest: str, content: bytes) -> None:
        self._blobs.write(digest, content)
        self._digests[digest] = None

    def __delitem__(self, digest: str) -> None:
        del self._digests[digest]  # the bytes may be another repository's too

    def __contains__(self, digest: object) -> bool:
        return digest in self._digests and self._blobs.path(str(digest)).exists()

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._digests))

    def __len__(self) -> int:
        return len(self._digests)

    def __deepcopy__(self, _memo: Any) -> dict[str, bytes]:
        return dict.fromkeys(self._digests, b"")


class Layers(AccountRegionScopedDict):  # type: ignore[misc]
    """``ecr._layer_blobs``: every repository's layers, whoever puts them there."""

    def __init__(self, blobs: Blobs) -> None:
        super().__init__()
        self._blobs = blobs

    def _held(self, value: Any) -> RepositoryLayers:
        return value if isinstance(value, RepositoryLayers) else RepositoryLayers(self._blobs, value or {})

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, self._held(value))

    def set_scoped(self, account_id: str, region: str, key: Any, value: Any) -> None:
        """Put a repository's layers, as restored from the state."""
        super().set_scoped(account_id, region, key, self._held(value))

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Return a repository's layers, which are none at first."""
        if key not in self:
            self[key] = default or {}
        return self[key]

    def update(self, other: Any) -> None:
        """Take up what another such dictionary holds."""
        super().update(other)
        for (account, region, key), value in list(self.all_items()):
            if not isinstance(value, RepositoryLayers):
                super().set_scoped(account, region, key, self._held(value))
