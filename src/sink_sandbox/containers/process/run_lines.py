"""The ``RUN`` lines of an app that a process can play: ``app-init``, and ``install`` of one file.

Both see the secrets that the line mounts.
https://docs.docker.com/reference/dockerfile/#run---mounttypesecret
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sink_sandbox.containers.process.images.dockerfile import Instruction, split_words
from sink_sandbox.containers.process.images.layers import inside
from sink_sandbox.containers.process.rootfs import Mount, Rootfs
from sink_sandbox.errors import InputError

_NO_ENGINE = "without a Docker Engine"
_TARGETS = ("target", "dst", "destination")
# Nobody but this user can read the file, whatever a line says of its owner and mode.
_NOT_ENFORCED = ("mode", "uid", "gid")
_BOOLEANS = {"": True, "true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class SecretMount:
    """A secret of the build as a file that a ``RUN`` line sees.

    Attributes:
        id: What ``docker build --secret id=…`` calls it.
        target: Its absolute path in the image.
        is_required: Whether the build fails where it was not given; else there is no such file then.
    """

    id: str
    target: str
    is_required: bool


@dataclass(frozen=True)
class RunLine:
    """What a ``RUN`` line asks for: the words of its command, and the secrets that it sees."""

    words: list[str]
    secrets: tuple[SecretMount, ...] = ()

    def translate(self, rootfs: Rootfs, workdir: str) -> list[str]:
        """Return the command with the paths of ``install`` as this machine's; another one is left alone.

        Raises:
            SinkError: a path leads out of the image.
        """
        if self.words[0] != "install":
            return self.words
        *options, source, target = self.words
        secrets = {secret.target for secret in self.secrets}
        absolute = posixpath.normpath(posixpath.join("/", workdir, source))
        found = rootfs.root / absolute.lstrip("/") if absolute in secrets else inside(rootfs.root, absolute)
        return [*options, str(found), str(inside(rootfs.root, posixpath.join("/", workdir, target)))]


def read_run_line(instruction: Instruction) -> RunLine:
    """Take a ``RUN`` line apart.

    Raises:
        InputError: another command, which nobody can run without the image's operating system, or a mount
            that is neither a secret nor a cache.
    """
    refusal = instruction.refuse(
        f"{instruction.text} needs a Docker Engine: of an app's RUN lines only app-init, and "
        "install -m MODE SOURCE TARGET, can be run here.",
        "Move it into the platform's runtime, or deploy with a Docker Engine on this machine.",
    )
    secrets: list[SecretMount] = []
    for name, value in instruction.flags:
        if name != "mount":
            raise refusal
        secrets += _read_mount(instruction, value)
    words = instruction.exec_form()
    if words is None:
        if re.search(r"[;&|<>`$()\n]", instruction.rest):
            raise refusal
        words = split_words(instruction.rest, instruction)
    is_app_init = bool(words) and words[0].rsplit("/", 1)[-1] == "app-init"
    is_install = len(words) == 5 and words[:2] == ["install", "-m"] and _is_mode(words[2])
    if not is_app_init and not (is_install and not any(word.startswith("-") for word in words[3:])):
        raise refusal
    return RunLine(words, tuple(secrets))


def _is_mode(text: str) -> bool:
    return re.fullmatch(r"0?[0-7]{3}", text) is not None


def _read_mount(instruction: Instruction, text: str) -> list[SecretMount]:
    """Return the secret that ``--mount=…`` asks for; nothing for a cache, which only makes builds faster."""
    given = dict(part.partition("=")[::2] for part in text.split(","))
    kind = given.pop("type", "bind")
    if kind == "cache":
        return []
    if kind != "secret":
        raise instruction.refuse(
            f"RUN --mount=type={kind} is not understood {_NO_ENGINE}.",
            "Of mounts the sandbox has type=secret and type=cache.",
        )
    target = next((given.pop(name) for name in _TARGETS if name in given), "")
    required, secret_id = given.pop("required", "false").lower(), given.pop("id", posixpath.basename(target))
    for name in given:
        if name not in _NOT_ENFORCED:
            raise instruction.refuse(f"RUN --mount=type=secret,{name}=… is not understood {_NO_ENGINE}.")
    if required not in _BOOLEANS:
        raise instruction.refuse(f"required of a mount is true or false, not {required!r}.")
    if not secret_id or target.endswith("/"):
        raise instruction.refuse("a secret that is mounted needs an id, and a file as its target.")
    place = posixpath.normpath(posixpath.join("/", target or f"run/secrets/{secret_id}"))
    return [SecretMount(secret_id, place, _BOOLEANS[required])]


@contextmanager
def mounted(line: RunLine, rootfs: Rootfs, given: Mapping[str, Path]) -> Iterator[None]:
    """Let an image see the secrets of a line for a moment; afterwards nothing tells that they were there.

    Args:
        line: What is run.
        rootfs: The unpacked image.
        given: The build's secrets by id, as files of this machine; they are linked to, never copied.

    Raises:
        InputError: a secret that is required was not given, or the image has something in its place.
        SinkError: its place leads out of the image.
    """
    links: list[Path] = []
    folders: list[Path] = []
    try:
        for secret in line.secrets:
            if secret.id not in given:
                if secret.is_required:
                    raise InputError(
                        f"the secret {secret.id} was not given.",
                        f"Build with --secret id={secret.id},src=FILE.",
                    )
                continue
            link = rootfs.root / secret.target.lstrip("/")
            inside(rootfs.root, posixpath.dirname(secret.target))
            if link.exists() or link.is_symlink():
                raise InputError(f"{secret.target}, where a secret is mounted, is in the image already.")
            folders += [each for each in link.parents if not each.exists()]
            links.append(link)
            rootfs.mount(Mount(given[secret.id], secret.target, read_only=True))
        yield
    finally:
        for link in links:
            link.unlink(missing_ok=True)
        for folder in sorted(folders, reverse=True):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def read_secret(text: str) -> tuple[str, Path]:
    """Return id and file of ``--secret id=ID,src=FILE``.

    https://docs.docker.com/reference/cli/docker/buildx/build/#secret

    Raises:
        InputError: it has another form, or there is no such file; what is in the file is never told.
    """
    given = dict(part.partition("=")[::2] for part in text.split(","))
    kind = given.pop("type", "file")
    secret_id, source = given.pop("id", ""), given.pop("src", given.pop("source", ""))
    if kind != "file" or given or not secret_id or not source:
        raise InputError(
            f"docker build: --secret {text} is not understood {_NO_ENGINE}.",
            "Write it as --secret id=ID,src=FILE.",
        )
    path = Path(source)
    if not path.is_file():
        raise InputError(f"docker build: the file of the secret {secret_id}, {source}, does not exist.")
    return secret_id, path.resolve()
