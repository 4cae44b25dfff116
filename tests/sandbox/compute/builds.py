"""Builds of a Dockerfile in this process: what they begin with, and what is in the images that they make."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sink_sandbox.containers.process.images.build import Builder, BuildRequest
from sink_sandbox.containers.process.images.store import Image, ImageStore
from sink_sandbox.containers.registry_client import Registry

BASE = "FROM public.ecr.aws/docker/library/python:3.11-slim\n"


@dataclass(frozen=True)
class Published:
    """A runtime and an app made from it, built and pushed once for all tests."""

    state_dir: Path
    runtime: str
    app: str
    runtime_tree: Path
    app_tree: Path


@dataclass
class Bench:
    """Builds in this process, on a state folder of the test's own."""

    state_dir: Path
    endpoint_url: str
    context: Path

    def __post_init__(self) -> None:
        self.store = ImageStore(self.state_dir)
        self.said: list[str] = []

    def build(self, dockerfile: str, **settings: Any) -> Image:
        (self.context / "Dockerfile").write_text(dockerfile)
        request = BuildRequest(self.context, self.context / "Dockerfile", **settings)
        self.said = []
        registry = Registry(self.store, self.endpoint_url, lambda _host: "")
        return Builder(self.state_dir, self.store, registry, request, self.said.append).build()

    def names(self, image: Image) -> list[str]:
        """The files of the image, as ``ls -p`` would show them."""
        found = []
        for layer in image.layers:
            with tarfile.open(self.store.blob_path(layer["digest"])) as archive:
                found += [header.name + ("/" if header.isdir() else "") for header in archive]
        return found


def build_app(bench: Bench, published: Published, **settings: Any) -> Image:
    text = (bench.context / "Dockerfile").read_text()
    return bench.build(text, arguments={"FROM": published.runtime}, **settings)
