"""``docker build`` without a Docker Engine: a small Dockerfile interpreter.

Two kinds of image exist. One whose ``FROM`` lies outside the sandbox is a runtime: this machine stands
for that base, so its ``RUN`` lines, which prepare an operating system, are not run, and each is said. One
whose ``FROM`` is in the sandbox's registry is an app: of ``RUN`` only ``app-init`` exists, started as a
process in the unpacked image, and ``install``, which puts a secret of the build where the app reads it.
Anything else is refused with its line: it needs a Docker Engine.

Equal input gives an equal digest. Layers of unchanged instructions are found again by a key over
everything that went into them, and said to be CACHED.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sink_host.pythons import find_python
from sink_sandbox.containers.process.app_init import AppInit
from sink_sandbox.containers.process.environments import VENV_LABEL, Environments
from sink_sandbox.containers.process.images.copying import Context
from sink_sandbox.containers.process.images.dockerfile import Instruction, parse_dockerfile, split_words
from sink_sandbox.containers.process.images.dockerignore import read_ignored
from sink_sandbox.containers.process.images.layer_cache import LayerCache, Made
from sink_sandbox.containers.process.images.layers import CREATED_AT, changes, has_folder, list_tree, pack
from sink_sandbox.containers.process.images.settings import Settings
from sink_sandbox.containers.process.images.stages import base_python, split_stages
from sink_sandbox.containers.process.images.store import (
    Image,
    ImageStore,
    canonical_json,
    digest_of,
    machine_architecture,
)
from sink_sandbox.containers.process.launch import BUILDS
from sink_sandbox.containers.process.pythons import BASE_LABEL, PYTHON_LABEL, wanted_version
from sink_sandbox.containers.process.rootfs import Rootfs, unpack_image
from sink_sandbox.containers.process.run_lines import RunLine, mounted, read_run_line
from sink_sandbox.containers.progress import Say
from sink_sandbox.containers.references import Reference, parse_reference
from sink_sandbox.containers.registry_client import Registry
from sink_sandbox.errors import InputError, SinkError

_BASE_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class BuildRequest:
    """What ``docker build`` was asked for.

    Attributes:
        architecture: As images name it (``amd64``, ``arm64``); "" means this machine's.
        secrets: Files that ``RUN --mount=type=secret`` may see, by id; their content decides no cache.
    """

    context: Path
    dockerfile: Path
    tags: tuple[Reference, ...] = ()
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    use_cache: bool = True
    architecture: str = ""
    secrets: Mapping[str, Path] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The Dockerfile's name as messages show it."""
        inside = self.dockerfile.is_relative_to(self.context)
        return str(self.dockerfile.relative_to(self.context) if inside else self.dockerfile)


class Builder:
    """Builds one image; every instance is used once.

    Args:
        state_dir: The sandbox's.
        store: Gets the layers and the image.
        registry: Where bases are looked for.
        request: What to build.
        say: Takes the lines of progress.
    """

    def __init__(
        self, state_dir: Path, store: ImageStore, registry: Registry, request: BuildRequest, say: Say
    ) -> None:
        self._state_dir = state_dir
        self._store = store
        self._registry = registry
        self._request = request
        self._say = say
        self._environments = Environments(state_dir)
        self._cache = LayerCache(store, self._environments, request.use_cache)
        self._context = Context(request.context, read_ignored(request.context, request.dockerfile))
        self._settings = Settings({})
        self._layers: list[str] = []
        self._history: list[dict[str, Any]] = []
        self._global_arguments: dict[str, str] = {}
        self._arguments: dict[str, str] = {}
        self._is_runtime = False
        self._chain = ""  # the digest of everything that was said so far
        self._step = 0
        self._total = 0

    def build(self) -> Image:
        """Interpret the Dockerfile; store and tag the image.

        Raises:
            InputError: naming the line of what cannot be built here.
            SinkError: app-init failed.
        """
        try:
            text = self._request.dockerfile.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as exc:
            raise InputError(f"{self._request.dockerfile} cannot be read as a Dockerfile.") from exc
        instructions = parse_dockerfile(text, self._request.source)
        arguments, base, body = split_stages(instructions, self._request.source)
        self._total = len(body) + 1
        for argument in arguments:
            self._declare(argument, self._global_arguments, self._global_arguments)
        self._start(base)
        for instruction in body:
            self._apply(instruction)
            self._chain = digest_of(canonical_json([self._chain, instruction.text]))
        self._settings.labels.update(self._request.labels)
        return self._finish()

    def _start(self, base: Instruction) -> None:
        """``FROM``: begin with an image of the sandbox, or with this machine for one that lies outside."""
        words = split_words(base.rest, base, self._global_arguments)
        if not words[0] or not (len(words) == 1 or (len(words) == 3 and words[1].upper() == "AS")):
            raise base.refuse(f"FROM names no image: `{base.rest}` came out as `{' '.join(words)}`.")
        for name, _ in base.flags:
            if name != "platform":
                raise base.refuse(f"FROM --{name} is not understood.")
        reference = parse_reference(words[0])
        image = self._find_base(reference)
        suffix = f"@{image.digest}" if image and not reference.digest else ""
        self._announce(f"FROM {reference.canonical}{suffix}")
        if image is not None:
            self._settings = Settings(image.settings)
            self._layers = [layer["digest"] for layer in image.layers]
            self._history = list(image.config.get("history") or [])
            self._chain = image.digest
            return
        version = base_python(base, reference)
        python = find_python(version)
        self._is_runtime = True
        self._chain = reference.canonical
        self._settings.set_environment("PATH", _BASE_PATH)
        self._settings.labels.update({BASE_LABEL: reference.canonical, PYTHON_LABEL: version})
        self._note(
            f"this machine with its Python {python.version} stands for the base; RUN lines are not run"
        )
        if python.notice:
            self._note(python.notice)

    def _find_base(self, reference: Reference) -> Image | None:
        """Return the base from the sandbox's registry or this machine's store; None if it lies outside."""
        if not reference.is_ecr:
            return self._store.find(reference.canonical)
        digest = self._registry.digest_of(reference)
        known = self._store.find((reference.at(digest) if digest else reference).canonical)
        return known or self._registry.pull(reference)

    def _apply(self, instruction: Instruction) -> None:
        if instruction.keyword == "ARG":
            self._announce(instruction.text)
            self._declare(instruction, self._arguments, self._variables())
        elif instruction.keyword == "RUN":
            self._run(instruction)
        elif instruction.keyword == "COPY":
            self._copy(instruction)
        else:
            self._announce(instruction.text)
            self._settings.apply(instruction, self._variables())
            self._record(instruction, "")

    def _declare(self, instruction: Instruction, scope: dict[str, str], variables: Mapping[str, str]) -> None:
        """``ARG``: a value from the command line, else the default, else that of an ARG before FROM."""
        for word in split_words(instruction.rest, instruction, variables):
            name, equals, default = word.partition("=")
            if name in self._request.arguments:
                scope[name] = self._request.arguments[name]
            elif equals:
                scope[name] = default
            elif name in self._global_arguments:
                scope[name] = self._global_arguments[name]

    def _variables(self) -> dict[str, str]:
        return self._arguments | self._settings.environment

    def _copy(self, instruction: Instruction) -> None:
        if self._is_runtime and any(name == "from" for name, _ in instruction.flags):
            self._announce(f"{instruction.text}: not copied, this machine has its own")
            self._record(instruction, "")
            return
        self._announce(instruction.text)
        words = instruction.exec_form() or split_words(instruction.rest, instruction, self._variables())
        layer = pack(self._context.copy(instruction, words, self._settings.workdir, self._is_folder))
        digest = digest_of(layer)
        parts = self._inputs(instruction, digest)
        if self._cache.find(parts):
            self._note("CACHED")
        else:
            self._store.write_blob(layer)
            self._cache.remember(parts, Made(digest))
        self._record(instruction, digest)

    def _run(self, instruction: Instruction) -> None:
        if self._is_runtime:
            shown = f"{instruction.text[:100]}{'…' if len(instruction.text) > 100 else ''}"
            self._announce(f"{shown}: not run, the operating system is this machine's")
            self._record(instruction, "")
            return
        self._announce(instruction.text)
        line = read_run_line(instruction)
        python = find_python(wanted_version(self._image()))
        if python.notice:
            self._note(python.notice)
        parts = self._inputs(instruction, python.version, self._arguments)
        made = self._cache.find(parts)
        if made:
            self._note("CACHED")
        else:
            made = self._execute(instruction, line)
            self._cache.remember(parts, made)
        if made.venv:
            self._settings.labels[VENV_LABEL] = made.venv
        self._record(instruction, made.layer)

    def _execute(self, instruction: Instruction, line: RunLine) -> Made:
        """Run a command in the unpacked image, and make a layer of what it left there."""
        image = self._image()
        builds = self._state_dir / BUILDS
        builds.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=builds))
        try:
            root = folder / "rootfs"
            unpack_image(self._store, image, root)
            venv = self._environments.path(image.labels.get(VENV_LABEL, "none"))
            rootfs = Rootfs(root, image, find_python(wanted_version(image)), venv)
            before = list_tree(root)
            app_init = AppInit(rootfs, self._environments, folder, self._arguments, self._note)
            with mounted(line, rootfs, self._request.secrets):
                installed = app_init.run(line.translate(rootfs, self._settings.workdir))
            # What a command writes belongs to the user that runs it.
            owner = str(image.settings.get("User") or "")
            made = [replace(entry, owner=owner) for entry in changes(root, before)]
            return Made(self._store.write_blob(pack(made)) if made else "", installed)
        except SinkError as exc:
            raise SinkError(f"{instruction.place}: {exc.message}", exc.hint) from exc
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _inputs(self, instruction: Instruction, *content: object) -> list[object]:
        """Return everything that decides what an instruction makes."""
        return [self._chain, instruction.text, self._settings.config, self._layers, *content]

    def _image(self) -> Image:
        """The image so far; only its settings and layers are looked at."""
        layers = [{"digest": layer} for layer in self._layers]
        return Image("", {"layers": layers}, {"config": self._settings.config})

    def _is_folder(self, path: str) -> bool:
        relative = path.lstrip("/")
        if path == self._settings.workdir or not relative:
            return True
        return any(has_folder(self._store.read_blob(layer), relative) for layer in self._layers)

    def _record(self, instruction: Instruction, layer: str) -> None:
        entry: dict[str, Any] = {"created": CREATED_AT, "created_by": instruction.text}
        if layer:
            self._layers.append(layer)
        else:
            entry["empty_layer"] = True
        self._history.append(entry)

    def _finish(self) -> Image:
        config = {
            "architecture": self._request.architecture or machine_architecture(),
            "os": "linux",
            "created": CREATED_AT,
            "config": self._settings.config,
            # Layers are not compressed, so the digest of the blob is that of the archive in it.
            "rootfs": {"type": "layers", "diff_ids": self._layers},
            "history": self._history,
        }
        image = self._store.write_image(config, self._layers)
        self._say(f"writing image {image.id}")
        for reference in self._request.tags:
            self._store.tag(reference, image)
            self._say(f"naming to {reference.canonical}")
        return image

    def _announce(self, text: str) -> None:
        self._step += 1
        self._say(f"#{self._step} [{self._step}/{self._total}] {text}")

    def _note(self, text: str) -> None:
        self._say(f"#{self._step} {text}")
