"""The base image of a runtime: one that is missing, of another Python or for another processor is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from the_sink.errors import InputError, SinkError
from the_sink.local.docker import Docker
from the_sink.verbs.runtimes import apply_build


def test_a_base_with_another_python_is_refused(base_image: Any, engine: Any, tmp_path: Path) -> None:
    name = f"the-sink-test-wrong-{os.getpid()}:3.11"
    with pytest.raises(SinkError) as caught:
        list(apply_build(Docker(tmp_path), {"3.11": name}, "0.0.0", [f"BASE={base_image('3.13')}"]))

    engine.run("image", "rm", name)
    assert caught.value.message == f"The base image of {name} has Python 3.13, not 3.11."


def test_a_base_that_cannot_be_pulled_is_one_sentence_with_the_way_out(tmp_path: Path) -> None:
    base = "registry.invalid/python:3.13"

    with pytest.raises(InputError) as caught:
        list(apply_build(Docker(tmp_path), {"3.13": "the-sink-test-none:3.13"}, "0.0.0", [f"BASE={base}"]))

    assert caught.value.message.startswith(f"The base image {base} is not here and cannot be pulled: ")
    assert "\n" not in caught.value.message
    assert "--build-arg BASE=<image>" in caught.value.hint


def test_where_one_base_is_missing_nothing_is_built_and_the_others_are_named(
    base_image: Any, engine: Any, tmp_path: Path
) -> None:
    base = f"registry.invalid/the-sink-test-some-{os.getpid()}:{{version}}"
    images = {version: f"the-sink-test-some:{version}" for version in ("3.11", "3.12", "3.13")}
    for version in ("3.11", "3.13"):
        engine.run("tag", base_image(version), base.format(version=version))
    try:
        with pytest.raises(InputError) as caught:
            list(apply_build(Docker(tmp_path), images, "0.0.0", [f"BASE={base}"]))
        built = engine.run("images", "--quiet", "the-sink-test-some")
    finally:
        engine.run("image", "rm", *(base.format(version=version) for version in ("3.11", "3.13")))

    assert caught.value.message.startswith(f"The base image {base.format(version='3.12')} is not here")
    assert caught.value.hint.splitlines()[-1] == (
        "Those whose base is here can be built without it: --runtime 3.11 --runtime 3.13"
    )
    assert built == ""


@pytest.fixture
def foreign(engine: Any, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """An image for the processor that the engine has not, and that processor as ``--architecture`` has it.

    What stands for its Python is an ELF file's beginning that only an emulator of it would take.
    """
    own = engine.run("version", "--format", "{{.Server.Arch}}")
    word, name, number = ("arm64", "ARM64", 183) if own == "amd64" else ("amd64", "X86_64", 62)
    python = tmp_path / "foreign" / "python3"
    python.parent.mkdir()
    python.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + bytes([2, 0, number, 0, 1, 0, 0, 0]) + bytes(40))
    python.chmod(0o755)
    (python.parent / "Dockerfile").write_text("FROM scratch\nCOPY python3 /usr/local/bin/\n")
    image = f"the-sink-test-foreign-{os.getpid()}:3.13"
    engine.run("build", "--quiet", "--platform", f"linux/{word}", "-t", image, str(python.parent))
    yield image, name
    engine.run("image", "rm", "--force", image)


def test_another_processor_without_emulation_is_one_sentence_with_the_way_out(
    foreign: tuple[str, str], tmp_path: Path
) -> None:
    base, architecture = foreign
    build = apply_build(Docker(tmp_path), {"3.13": "none:3.13"}, "0", [f"BASE={base}"], None, architecture)

    with pytest.raises(InputError) as caught:
        list(build)

    assert "it has no emulation to run programs for" in caught.value.message
    assert "docker run --privileged --rm tonistiigi/binfmt --install" in caught.value.hint


def test_a_base_for_another_processor_is_never_built_on(foreign: tuple[str, str], tmp_path: Path) -> None:
    """Its image would go into the registry of the engine's own."""
    with pytest.raises(InputError) as caught:
        list(apply_build(Docker(tmp_path), {"3.13": "the-sink-test-none:3.13"}, "0", [f"BASE={foreign[0]}"]))

    assert f"The base image {foreign[0]} is here for " in caught.value.message
    assert " and cannot be pulled for " in caught.value.message
    assert "--build-arg BASE=<image>" in caught.value.hint
