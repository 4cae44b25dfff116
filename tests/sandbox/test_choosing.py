"""Which compute a sandbox starts with, and every refusal's sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sink_sandbox.client import lifecycle
from sink_sandbox.client.choosing import check_running, choose_compute
from sink_sandbox.errors import InputError, SandboxUnavailable, SinkError

NOTHING = "unix:///nowhere/docker.sock"
DOES_NOT_RUN = f"The Docker Engine does not run: nothing answers at {NOTHING}"


@pytest.fixture(autouse=True)
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `docker` whose engine does not run; nothing asks for a compute."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("DOCKER_HOST", NOTHING)
    monkeypatch.delenv("THE_SINK_COMPUTE")


@pytest.fixture
def kept(tmp_path: Path) -> Callable[[str], Path]:
    """A function that makes the state of a stopped sandbox with an image made one way."""

    def make(compute: str) -> Path:
        home = tmp_path / "kept"
        blob = home / "registry" / "sha256" / "00"
        blob.parent.mkdir(parents=True)
        blob.write_bytes(b"a layer")
        (home / "compute").write_text(compute)
        (home / "port").write_text("4566")
        return home

    return make


def test_without_an_engine_it_is_processes_and_the_reason_is_said(tmp_path: Path) -> None:
    choice = choose_compute("x", tmp_path)

    assert (choice.engine, choice.reason) == ("", DOES_NOT_RUN)


@pytest.mark.parametrize("host", ["garbage", "ssh://build@far.example"])
def test_an_address_that_cannot_be_used_is_a_reason_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)

    assert host in choose_compute("x", tmp_path).reason


def test_docker_that_was_asked_for_is_refused_with_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable) as caught:
        choose_compute("x", tmp_path, "docker")

    assert caught.value.message == f"{DOES_NOT_RUN}."
    assert caught.value.hint == "Start it, or do without: invoke sandbox.start --compute processes"


def test_processes_that_were_asked_for_need_no_reason(tmp_path: Path) -> None:
    assert choose_compute("x", tmp_path, "processes").reason == ""


@pytest.mark.parametrize(("flag", "variable"), [("podman", ""), ("", "podman"), ("Docker", "")])
def test_another_word_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str, variable: str
) -> None:
    monkeypatch.setenv("THE_SINK_COMPUTE", variable)

    with pytest.raises(InputError) as caught:
        choose_compute("x", tmp_path, flag)

    named = f"--compute {flag}" if flag else f"THE_SINK_COMPUTE {variable}"
    assert caught.value.message == f"{named}: a sandbox plays containers by docker or by processes."


@pytest.mark.parametrize(("made", "asked"), [("docker", "processes"), ("processes", "docker")])
def test_images_of_one_way_are_not_started_the_other_way(kept: Any, made: str, asked: str) -> None:
    with pytest.raises(SandboxUnavailable) as caught:
        choose_compute("x", kept(made), asked)

    assert caught.value.message == (
        f"The sandbox 'x' holds images that were made by {made}, which {asked} cannot start."
    )
    assert caught.value.hint == (
        f"Start it with --compute {made}, or throw away everything in it: "
        f"invoke sandbox.reset --yes && invoke sandbox.start --compute {asked}"
    )


@pytest.mark.parametrize(
    ("word", "message"),
    [
        # Nothing is thrown away for an engine that is not there.
        ("docker", DOES_NOT_RUN),
        ("podman", "--compute podman: a sandbox plays containers by docker or by processes"),
    ],
)
def test_a_running_sandbox_with_images_is_not_emptied_for_nothing(kept: Any, word: str, message: str) -> None:
    with pytest.raises(SinkError) as caught:
        check_running("x", kept("processes"), "processes", word)

    assert caught.value.message == f"{message}."
    assert "reset" not in caught.value.hint


def test_a_running_sandbox_with_images_goes_the_other_way_from_empty(kept: Any) -> None:
    with pytest.raises(SandboxUnavailable) as caught:
        check_running("x", kept("docker"), "docker", "processes")

    assert caught.value.message == (
        "The sandbox 'x' is already running, with compute docker, and holds images that processes cannot "
        "start."
    )
    assert caught.value.hint == (
        "To have processes, throw away everything in it: invoke sandbox.stop && "
        "invoke sandbox.reset --yes && invoke sandbox.start --compute processes"
    )


def test_images_that_processes_made_are_started_by_processes(kept: Any) -> None:
    choice = choose_compute("x", kept("processes"))

    assert (choice.engine, choice.reason) == ("", "its images were made that way")


def test_images_that_docker_made_wait_for_the_engine(kept: Any) -> None:
    with pytest.raises(SandboxUnavailable) as caught:
        choose_compute("x", kept("docker"))

    assert caught.value.message == f"The images of the sandbox 'x' need a Docker Engine. {DOES_NOT_RUN}."
    assert caught.value.hint == "Start it, then: invoke sandbox.start"


def test_images_of_version_1_0_were_made_by_processes(tmp_path: Path) -> None:
    """Their bytes are in the state, and nothing says by what they were made."""
    (tmp_path / "port").write_text("4566")
    (tmp_path / "state").mkdir()
    layers = {"a": {"__bytes__": "aGVsbG8="}}
    (tmp_path / "state" / "ecr.json").write_text(json.dumps({"payload": {"layer_blobs": layers}}))

    with pytest.raises(SandboxUnavailable, match="made by processes, which docker cannot start"):
        choose_compute("x", tmp_path, "docker")


def test_a_sandbox_of_docker_is_not_emptied_without_its_engine(
    kept: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its images would stay in the engine, and nothing would know of them any more."""
    home = kept("docker")
    state = tmp_path / "the-sink" / "x"
    state.parent.mkdir()
    home.rename(state)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    with pytest.raises(InputError) as caught:
        lifecycle.reset("x")

    assert caught.value.message == f"{DOES_NOT_RUN}."
    assert (state / "registry" / "sha256" / "00").exists()


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at before anything is written; the disk itself stays as it is."""
    monkeypatch.setattr(lifecycle, "_LEAST_FREE", 1 << 60)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    with pytest.raises(SandboxUnavailable) as caught:
        lifecycle.start("x", port=4799, compute="processes")

    assert caught.value.message.startswith(f"The sandbox 'x' cannot start: {tmp_path}/the-sink/x has ")
    assert caught.value.hint == "Make room, or set XDG_STATE_HOME to a folder on another disk."
