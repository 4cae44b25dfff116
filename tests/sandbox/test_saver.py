"""State that cannot be saved is not called saved, and is saved once it can be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sink_sandbox.server.saver import Saver

from .helpers import wait_for


class Service:
    """Its state, which cannot be had the first times."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def snapshot(self) -> dict[str, bytes]:
        self.failures -= 1
        if self.failures >= 0:
            raise OSError("No space left on device")
        return {"s3": b"{}"}


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sink_sandbox.server.saver._SETTLE_S", 0.01)
    monkeypatch.setattr("sink_sandbox.server.saver._LOOK_AGAIN_S", (0.01, 0.01))


@pytest.fixture
def started(tmp_path: Path, hurry: None) -> Iterator[Saver]:
    """One whose first ten attempts fail: more than it looks again of itself."""
    made = Saver(Service(10).snapshot, tmp_path)
    made.start()
    yield made
    made.stop()


def test_what_could_not_be_saved_is_not_called_saved(tmp_path: Path) -> None:
    saver = Saver(Service(1).snapshot, tmp_path)
    saver.touch()

    with pytest.raises(OSError, match="No space left"):
        saver.save()
    assert not saver.is_settled

    saver.save()
    assert saver.is_settled
    assert (tmp_path / "s3.json").read_bytes() == b"{}"


def test_it_is_tried_until_it_is_saved(started: Saver, tmp_path: Path) -> None:
    started.touch()

    wait_for((tmp_path / "s3.json").exists, "the save")
    wait_for(lambda: started.is_settled, "the rest")


def test_a_reset_that_fails_half_way_is_saved_as_it_is(tmp_path: Path) -> None:
    saver = Saver(Service(0).snapshot, tmp_path)
    saver.save()
    (tmp_path / "s3.json").unlink()

    with pytest.raises(ZeroDivisionError), saver.paused():
        raise ZeroDivisionError
    assert not saver.is_settled

    saver.save()
    assert (tmp_path / "s3.json").exists()
