"""``client.images`` of the process engine: what ECS asks docker-py about images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from docker.errors import APIError, ImageNotFound, NotFound

from sink_sandbox import errors
from sink_sandbox.containers.process.images.store import Image, ImageStore
from sink_sandbox.containers.references import parse_reference
from sink_sandbox.containers.registry_client import Registry


@contextmanager
def docker_errors() -> Iterator[None]:
    """Turn the platform's errors into those that ministack expects of docker-py."""
    try:
        yield
    except errors.NotFound as exc:
        raise NotFound(exc.message) from exc
    except errors.SinkError as exc:
        raise APIError(exc.message) from exc


class Images:
    """``client.images``."""

    def __init__(self, store: ImageStore, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    def get(self, name: str) -> PulledImage:
        """Return an image of this machine.

        Raises:
            docker.errors.ImageNotFound: it has none of that name.
        """
        image = self._store.find(name)
        if image is None:
            raise ImageNotFound(f"No such image: {name}")
        return PulledImage(self._store, image)

    def pull(self, repository: str, tag: str | None = None, **_options: Any) -> PulledImage:
        """Fetch an image from the sandbox's registry.

        Credentials and platform are accepted and have no effect: the registry is the sandbox's own.

        Raises:
            docker.errors.NotFound: the registry does not have it.
            docker.errors.APIError: it cannot be had for another reason.
        """
        with docker_errors():
            text = f"{repository}:{tag}" if tag else repository
            return PulledImage(self._store, self._registry.pull(parse_reference(text)))

    def get_registry_data(self, name: str, **_options: Any) -> RegistryData:
        """Return the digest that the registry has for a name.

        Raises:
            docker.errors.NotFound: it has none.
        """
        with docker_errors():
            digest = self._registry.digest_of(parse_reference(name))
        if digest is None:
            raise NotFound(f"manifest for {name} not found: manifest unknown")
        return RegistryData(digest)

    def find_or_pull(self, name: str) -> Image:
        """Return an image of this machine, fetched first if it has to be."""
        with docker_errors():
            return self._store.find(name) or self._registry.pull(parse_reference(name))


class RegistryData:
    """docker-py's ``RegistryData``: an image that the registry has."""

    def __init__(self, digest: str) -> None:
        self.id = digest
        self.attrs = {"Descriptor": {"digest": digest}}


class PulledImage:
    """docker-py's ``Image``: an image that this machine has."""

    def __init__(self, store: ImageStore, image: Image) -> None:
        self._store = store
        self.image = image
        self.id = image.id
        self.labels = image.labels
        self.tags = store.names_of(image)[0]
        self.attrs = {"Id": image.id, "RepoDigests": store.names_of(image)[1], "Config": image.settings}

    def tag(self, repository: str, tag: str | None = None, **_options: Any) -> bool:
        """Give the image another name."""
        self._store.tag(parse_reference(f"{repository}:{tag or 'latest'}"), self.image)
        return True
