"""An image as a folder, and its programs as processes of this machine.

The layers are unpacked into a root folder. Nothing changes a process's root without privileges, so the
runtime's own scripts are told where it is (``SINK_ROOT``, ``SINK_VENV``), and the paths that the image
itself names (its PATH, its entry point) are translated here. The operating system and the Python below
the image are this machine's.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sink_host.pythons import Interpreter
from sink_host.uv import find_uv
from sink_sandbox.containers.process.images.layers import inside, unpack
from sink_sandbox.containers.process.images.store import Image, ImageStore
from sink_sandbox.errors import InputError, NotFound

_VENV = PurePosixPath("/opt/venv")
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PYTHON_NAME = re.compile(r"python(\d+(\.\d+)*)?")
# Settings of the machine, not of whoever started the sandbox: containers inherit nothing else.
_MACHINE_VARIABLES = ("LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
# What a build needs besides to reach a package registry: proxies, indexes, caches.
_BUILD_PREFIXES = ("UV_", "PIP_", "XDG_")
_BUILD_VARIABLES = (
    "HOME",
    "NETRC",
    "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
)


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine that the image sees under a path of its own."""

    source: Path
    target: str
    read_only: bool


@dataclass(frozen=True)
class Rootfs:
    """An unpacked image.

    Attributes:
        root: The folder that stands for ``/``.
        image: What it was unpacked from; its settings give PATH and working directory.
        python: This machine's Python that stands for the image's.
        venv: The virtual environment that stands for ``/opt/venv``; need not exist.
    """

    root: Path
    image: Image
    python: Interpreter
    venv: Path

    @property
    def workdir(self) -> Path:
        """The image's working directory in the root; made if no layer did."""
        return self.folder("")

    def folder(self, path: str) -> Path:
        """Return a folder of the image, by default its working directory; made if no layer did."""
        folder = self._mapped(path or str(self.image.settings.get("WorkingDir") or "/"))
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def argv(self, words: list[str]) -> list[str]:
        """Translate a command of the image into one of this machine.

        The arguments of this machine's programs are translated where they name a path that the image has.
        The image's own programs get theirs as they are: the runtime's know ``SINK_ROOT`` themselves.

        Raises:
            NotFound: neither the image nor this machine has the program.
        """
        program = self._find(words[0])
        if program.is_relative_to(self.root):
            return [*self._interpreted(program), *words[1:]]
        return [str(program), *map(self._argument, words[1:])]

    def environment(self, extra: Mapping[str, str], *, build: bool = False) -> dict[str, str]:
        """Return the environment of a process: machine, then image, then ``extra``, then the runtime's.

        Args:
            extra: The container's own variables.
            build: Add what reaching a package registry needs.
        """
        found = {name: os.environ[name] for name in _MACHINE_VARIABLES if name in os.environ}
        found["HOME"] = str(self.root)
        if build:
            found |= {name: value for name, value in os.environ.items() if _belongs_to_builds(name)}
        found |= {name: self._translate(name, value) for name, value in self.image.environment.items()}
        found["PATH"] = os.pathsep.join(map(str, self._search_path()))
        return {**found, **extra, "SINK_ROOT": str(self.root), "SINK_VENV": str(self.venv)}

    def mount(self, mount: Mount) -> None:
        """Let a path of the image lead to a file or folder of this machine.

        It is a symbolic link: a read-only mount is not enforced, and the source is never copied, so a
        mounted secret leaves nothing behind.

        Raises:
            NotFound: the source does not exist.
        """
        if not mount.source.exists():
            raise NotFound(f"{mount.source} cannot be mounted: it does not exist.")
        target = self._mapped(mount.target)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)
        target.symlink_to(mount.source.resolve())

    def _find(self, name: str) -> Path:
        if name.startswith("/"):
            candidates = [self._mapped(name)]
        elif "/" in name:
            candidates = [self.workdir / name]
        else:
            candidates = [folder / name for folder in self._image_path()]
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        base = PurePosixPath(name).name
        if _PYTHON_NAME.fullmatch(base):
            return self.python.path
        # The base image's operating system is this machine's.
        found = shutil.which(base) if base == name or name.startswith(("/bin/", "/usr/bin/")) else None
        if found is None:
            raise NotFound(f'exec: "{name}": executable file not found in the image or on this machine.')
        return Path(found)

    def _argument(self, word: str) -> str:
        """Translate an argument that names something the image has."""
        if not word.startswith("/") or word == "/":
            return word
        mapped = self._mapped(word)
        return str(mapped) if mapped.exists() else word

    def _interpreted(self, program: Path) -> list[str]:
        """Put the interpreter of a script in front of it: its first line names a path of the image."""
        with program.open("rb") as stream:
            first = stream.readline(256)
        if not first.startswith(b"#!"):
            return [str(program)]
        words = first[2:].decode(errors="replace").split()
        if PurePosixPath(words[0]).name == "env":
            words = [word for word in words[1:] if not word.startswith("-")]
        name = PurePosixPath(words[0]).name
        if _PYTHON_NAME.fullmatch(name):
            return [str(self.python.path), str(program)]
        return [shutil.which(name) or words[0], *words[1:], str(program)]

    def _mapped(self, path: str) -> Path:
        """Return where a path of the image lies; it may lead on into a mount, so out of the root."""
        absolute = PurePosixPath(posixpath.normpath(posixpath.join("/", path)))
        if absolute.is_relative_to(_VENV):
            return self.venv / absolute.relative_to(_VENV)
        return self.root / absolute.relative_to("/")

    def _image_path(self) -> list[Path]:
        entries = (self.image.environment.get("PATH") or _DEFAULT_PATH).split(":")
        return [self._mapped(entry) for entry in entries if entry.startswith("/")]

    def _search_path(self) -> list[Path]:
        uv = Path(find_uv())
        machine = [Path(entry) for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if entry]
        return [
            *self._image_path(),
            self.python.path.parent,
            *([uv.parent] if uv.is_absolute() else []),
            *machine,
        ]

    def _translate(self, name: str, value: str) -> str:
        if name in {"HOME", "VIRTUAL_ENV"} and value.startswith("/"):
            return str(self._mapped(value))
        if name == "PYTHONPATH":
            return ":".join(str(self._mapped(part)) if part[:1] == "/" else part for part in value.split(":"))
        return value


def _belongs_to_builds(name: str) -> bool:
    return name.upper() in _BUILD_VARIABLES or name.startswith(_BUILD_PREFIXES)


def unpack_image(store: ImageStore, image: Image, root: Path) -> None:
    """Unpack every layer of an image into ``root``, and make the folders of its volumes."""
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o700)
    for layer in image.layers:
        unpack(store.read_blob(layer["digest"]), root)
    for volume in image.settings.get("Volumes") or {}:
        inside(root, volume).mkdir(parents=True, exist_ok=True)


def entry_command(image: Image, entrypoint: list[str] | None, command: list[str] | None) -> list[str]:
    """Return the words that a container of this image runs; another entry point drops the image's command.

    Raises:
        InputError: neither image nor caller names any.
    """
    settings = image.settings
    if entrypoint is not None:
        words = [*entrypoint, *(command or [])]
    else:
        words = [*(settings.get("Entrypoint") or []), *(command or settings.get("Cmd") or [])]
    if not words:
        raise InputError("The image names no command to run.", "Give it an ENTRYPOINT or a CMD.")
    return words


def stop_signal(image: Image) -> int:
    """Return the signal that asks a container of this image to end."""
    return signal_number(str(image.settings.get("StopSignal") or "SIGTERM"))


def signal_number(name: str) -> int:
    """Return the number of a signal as an image names it: SIGTERM, TERM or 15."""
    if name.isdigit():
        return int(name)
    return int(signal.Signals["SIG" + name.upper().removeprefix("SIG")])
