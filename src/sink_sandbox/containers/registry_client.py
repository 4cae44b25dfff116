"""The OCI distribution protocol, spoken to the sandbox's own registry.

``<account>.dkr.ecr.<region>.amazonaws.com`` is answered by the sandbox at its endpoint: the connection
goes there, the ``Host`` header keeps the registry's name, by which account and region are chosen.
Protocol: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from sink_sandbox.containers.process.images.store import MANIFEST_TYPE, Image, ImageStore, digest_of
from sink_sandbox.containers.progress import Say, quiet
from sink_sandbox.containers.references import Reference
from sink_sandbox.errors import AccessError, InputError, NotFound, SandboxUnavailable, SinkError

_ACCEPTED = f"{MANIFEST_TYPE}, application/vnd.docker.distribution.manifest.v2+json"
_TIMEOUT_S = 60

MESSAGE_HEADER = "x-sandbox-message"
"""Why a request was denied; the answer to HEAD has no body to say it in."""


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Registry:
    """Pushes and pulls images, blob by blob, each checked against its digest.

    Args:
        store: The images of this machine.
        endpoint_url: The sandbox's.
        token_for: Tells the token to sign in with at a registry, "" where nobody has.
    """

    def __init__(self, store: ImageStore, endpoint_url: str, token_for: Callable[[str], str]) -> None:
        parts = urlsplit(endpoint_url)
        self._store = store
        self._token_for = token_for
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._endpoint_url = endpoint_url

    def log_in(self, host: str, username: str, password: str) -> None:
        """Ask the registry whether it knows the credentials.

        Raises:
            AccessError: it does not.
        """
        answer = self._request(host, "GET", "/v2/", headers=_authorization(username, password))
        if username != "AWS" or not password or answer.status != 200:
            raise AccessError(
                f"{host} refused the credentials of {username!r}.",
                "Pipe `aws ecr get-login-password` into `docker login --username AWS --password-stdin`.",
            )

    def digest_of(self, reference: Reference) -> str | None:
        """Return the digest that the registry has for a reference, or None if it has no such image."""
        self._require_ecr(reference)
        path = f"/v2/{reference.repository}/manifests/{reference.digest or reference.tag}"
        answer = self._request(reference.host, "HEAD", path, headers={"Accept": _ACCEPTED})
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self._failure(reference, answer)
        return answer.headers["docker-content-digest"]

    def pull(self, reference: Reference, say: Say = quiet) -> Image:
        """Fetch what the store lacks of an image and name it there, by tag and by digest.

        Raises:
            NotFound: the registry has no such repository or image.
        """
        self._require_ecr(reference)
        wanted = reference.digest or reference.tag
        say(f"{wanted}: Pulling from {reference.repository}")
        path = f"/v2/{reference.repository}/manifests/"
        answer = self._request(reference.host, "GET", path + wanted, headers={"Accept": _ACCEPTED})
        if answer.status != 200:
            raise self._failure(reference, answer)
        digest = digest_of(answer.body)
        if reference.digest and digest != reference.digest:
            raise SinkError(f"{reference.canonical} answered with an image of digest {digest}.")
        manifest: dict[str, Any] = json.loads(answer.body)
        for layer in manifest.get("layers", []):
            state = "Already exists" if self._store.has_blob(layer["digest"]) else "Pull complete"
            self._fetch_blob(reference, layer["digest"])
            say(f"{_short(layer['digest'])}: {state}")
        if "config" in manifest:
            self._fetch_blob(reference, manifest["config"]["digest"])
        known = self._store.has_blob(digest)
        self._store.write_blob(answer.body)
        image = self._store.read_image(digest)
        self._store.tag(reference.at(digest), image)
        if reference.tag:
            self._store.tag(reference, image)
        say(f"Digest: {digest}")
        status = "Image is up to date" if known else "Downloaded newer image"
        say(f"Status: {status} for {reference.canonical}")
        return image

    def push(self, reference: Reference, image: Image, say: Say = quiet) -> None:
        """Send what the registry lacks of an image, then its manifest under the reference's tag.

        Raises:
            NotFound: the repository does not exist.
            SinkError: the registry refused, for example because the tag is immutable.
        """
        self._require_ecr(reference)
        say(f"The push refers to repository [{reference.name}]")
        blobs = [layer["digest"] for layer in image.layers]
        for digest in dict.fromkeys([*blobs, image.id]):
            sent = self._send_blob(reference, digest)
            if digest != image.id:
                say(f"{_short(digest)}: {'Pushed' if sent else 'Layer already exists'}")
        manifest = self._store.read_blob(image.digest)
        path = f"/v2/{reference.repository}/manifests/{quote(reference.tag or image.digest)}"
        headers = {"Content-Type": image.manifest.get("mediaType", MANIFEST_TYPE)}
        answer = self._request(reference.host, "PUT", path, manifest, headers)
        if answer.status != 201:
            raise self._failure(reference, answer)
        if answer.headers.get("docker-content-digest", image.digest) != image.digest:
            raise SinkError(f"{reference.canonical} was stored under another digest than {image.digest}.")
        self._store.tag(reference.at(image.digest), image)
        say(f"{reference.tag or 'manifest'}: digest: {image.digest} size: {len(manifest)}")

    def _fetch_blob(self, reference: Reference, digest: str) -> None:
        if self._store.has_blob(digest):
            return
        answer = self._request(reference.host, "GET", f"/v2/{reference.repository}/blobs/{digest}")
        if answer.status != 200:
            raise self._failure(reference, answer)
        if digest_of(answer.body) != digest:
            raise SinkError(f"{reference.name} answered blob {digest} with other bytes.")
        self._store.write_blob(answer.body)

    def _send_blob(self, reference: Reference, digest: str) -> bool:
        """Upload a blob in one piece; False if the repository has it already."""
        base = f"/v2/{reference.repository}/blobs/"
        known = self._request(reference.host, "HEAD", base + digest)
        if known.status == 403:
            raise self._failure(reference, known)
        if known.status == 200:
            return False
        begun = self._request(reference.host, "POST", base + "uploads/", b"")
        if begun.status != 202:
            raise self._failure(reference, begun)
        location = urlsplit(begun.headers["location"])
        query = f"{location.query}&" if location.query else ""
        target = f"{location.path}?{query}digest={quote(digest)}"
        headers = {"Content-Type": "application/octet-stream"}
        ended = self._request(reference.host, "PUT", target, self._store.read_blob(digest), headers)
        if ended.status != 201:
            raise self._failure(reference, ended)
        return True

    def _request(
        self,
        host: str,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> _Answer:
        token = self._token_for(host)
        signed = {**(_authorization("AWS", token) if token else {}), **(headers or {})}
        connection = http.client.HTTPConnection(*self._address, timeout=_TIMEOUT_S)
        try:
            connection.request(method, path, body, {**signed, "Host": host})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return _Answer(response.status, found, response.read())
        except (OSError, http.client.HTTPException) as exc:
            raise SandboxUnavailable(
                f"The sandbox's registry at {self._endpoint_url} does not answer.",
                "Look with `invoke sandbox.status`, start it with `invoke sandbox.start`.",
            ) from exc
        finally:
            connection.close()

    @staticmethod
    def _require_ecr(reference: Reference) -> None:
        if not reference.is_ecr:
            raise InputError(
                f"{reference.canonical} is not in the sandbox's registry, and without a Docker Engine there "
                "is no other.",
                "Name it <account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>.",
            )

    @staticmethod
    def _failure(reference: Reference, answer: _Answer) -> SinkError:
        """Turn a registry's refusal into an error that says it in Docker's words."""
        try:
            first = json.loads(answer.body)["errors"][0]
            code, text = str(first["code"]), str(first["message"])
        except (ValueError, LookupError, TypeError):
            denied = answer.headers.get(MESSAGE_HEADER, "")
            code, text = ("DENIED", denied) if denied else ("UNKNOWN", f"HTTP status {answer.status}")
        words = code.lower().replace("_", " ")
        if code == "NAME_UNKNOWN":
            message = (
                f"{words}: The repository with name '{reference.repository}' does not exist in the registry "
                f"with id '{reference.account}'."
            )
            return NotFound(message, "Its pipeline stack creates it: run `invoke bootstrap` first.")
        if answer.status == 404:
            return NotFound(f"{words}: {reference.canonical} is not in the registry.", "Push it first.")
        return SinkError(f"{words}: {text} ({reference.canonical}).")


def _authorization(username: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]
