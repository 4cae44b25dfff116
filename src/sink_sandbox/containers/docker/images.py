"""``client.images`` on a Docker Engine: names as AWS has them, images from the sandbox's registry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from docker.errors import APIError, ImageNotFound, NotFound
from requests.exceptions import RequestException

from sink_sandbox.authentication.registry_token import USER, make_root_token
from sink_sandbox.containers.docker.names import Names, is_reference
from sink_sandbox.containers.process.engine_images import RegistryData, docker_errors
from sink_sandbox.containers.process.images.store import ImageStore
from sink_sandbox.containers.references import parse_reference
from sink_sandbox.containers.registry_client import Registry


class Images:
    """``client.images``."""

    def __init__(self, client: Any, names: Names, state_dir: Path, endpoint_url: str) -> None:
        self._client = client
        self._names = names
        self._token = partial(make_root_token, state_dir)
        self._registry = Registry(ImageStore(state_dir), endpoint_url, lambda _host: self._token())

    def get(self, name: str) -> EngineImage:
        """Return an image that the engine has.

        Raises:
            docker.errors.ImageNotFound: it has none of that name.
        """
        with self.registry_words():
            return EngineImage(self._client.images.get(self._names.to_engine(name)), self._names)

    def pull(self, repository: str, tag: str | None = None, **_options: Any) -> EngineImage:
        """Fetch an image; from the sandbox's registry where it is named as one of ECR.

        Credentials and platform are accepted and have no effect there: whether the execution role may pull
        was asked before, and the sandbox signs in as itself.

        Raises:
            docker.errors.NotFound: the registry does not have it.
            docker.errors.APIError: it cannot be had for another reason.
        """
        name = f"{repository}:{tag}" if tag else repository
        options = {k: v for k, v in _options.items() if k == "auth_config"}
        if is_reference(name):
            options = {"auth_config": {"username": USER, "password": self._token()}}
        with self.registry_words():
            return EngineImage(self._client.images.pull(self._names.to_engine(name), **options), self._names)

    def get_registry_data(self, name: str, **options: Any) -> Any:
        """Return the digest that the registry has for a name.

        Raises:
            docker.errors.NotFound: it has none.
        """
        if not is_reference(name):
            return self._client.images.get_registry_data(name, **options)
        with docker_errors():
            digest = self._registry.digest_of(parse_reference(name))
        if digest is None:
            raise NotFound(f"manifest for {name} not found: manifest unknown")
        return RegistryData(digest)

    @contextmanager
    def registry_words(self) -> Iterator[None]:
        """Let an error of the engine speak of images by the registry's names."""
        try:
            yield
        except (ImageNotFound, NotFound) as error:
            raise type(error)(self._names.to_registry(_explained(error))) from error
        except APIError as error:
            raise APIError(self._names.to_registry(_explained(error))) from error
        except RequestException as error:
            raise APIError("The Docker Engine does not answer.") from error


class EngineImage:
    """docker-py's ``Image`` with the registry's names."""

    def __init__(self, image: Any, names: Names) -> None:
        self._image = image
        self._names = names
        self.id: str = image.id
        self.labels = image.labels
        self.tags = [names.to_registry(tag) for tag in image.tags]
        self.attrs = image.attrs

    def tag(self, repository: str, tag: str | None = None, **_options: Any) -> bool:
        """Give the image another name."""
        return bool(self._image.tag(self._names.to_engine(repository), tag=tag or "latest"))


def _explained(error: APIError) -> str:
    return str(error.explanation or error)
