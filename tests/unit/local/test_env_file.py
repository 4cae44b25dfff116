"""What is written of app/.env, and what is not left beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from the_sink.local import env_file


@pytest.mark.parametrize("end", [OSError, KeyboardInterrupt])
def test_what_ends_the_writing_leaves_no_secret_that_git_would_take_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: type[BaseException]
) -> None:
    (tmp_path / "app").mkdir()

    def replace(_self: Path, _target: Path) -> None:
        raise end

    monkeypatch.setattr(Path, "replace", replace)

    with pytest.raises(end):
        env_file.write(tmp_path, 'TOKEN="hunter2"\n')

    assert list((tmp_path / "app").iterdir()) == []
