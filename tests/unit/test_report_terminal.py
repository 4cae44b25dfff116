"""Text from outside is shown on a terminal and never obeyed by it, whichever way it takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from the_sink.models import Said
from the_sink.report import lines
from the_sink.report.events import PlainDisplay
from the_sink.report.live import LiveDisplay
from the_sink.report.terminal import visible

HOSTILE = "a\x1b]0;owned\x07b\x1b[2Kc\rd\x9b1me\u202ef\u2066g\x7fh\x00i\u2028j\ud800k"
SHOWN = r"a\x1b]0;owned\x07b\x1b[2Kc\rd\x9b1me\u202ef\u2066g\x7fh\x00i\u2028j\ud800k"


def test_control_characters_are_shown_and_text_stays_text() -> None:
    assert visible(HOSTILE) == SHOWN
    assert visible("Zoë 日本 🚀\n\tindented\r\nnext") == "Zoë 日本 🚀\n\tindented\nnext"


def test_no_way_to_the_terminal_lets_one_through(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.readline", lambda: "y\n", raising=False)
    lines.data(HOSTILE)
    lines.say(HOSTILE)
    lines.ask(HOSTILE)
    PlainDisplay().show(Said(HOSTILE))

    out, err = capsys.readouterr()
    assert out == f"{SHOWN}\n"
    assert err == f"{SHOWN}\n{SHOWN} {SHOWN}\n"


def test_the_live_display_lets_none_through(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(force_terminal=True, width=200, color_system=None, legacy_windows=False)
    with LiveDisplay(console) as display:
        display.show(Said(HOSTILE))

    assert SHOWN in capsys.readouterr().out


def test_json_carries_the_same_value_without_them(capsys: pytest.CaptureFixture[str]) -> None:
    lines.data_as_json({"subject": HOSTILE})

    out = capsys.readouterr().out
    assert json.loads(out) == {"subject": HOSTILE}
    assert visible(out) == out


TASKS = """
from invoke.collection import Collection

from the_sink.errors import SinkError
from the_sink.tasks.decorator import task


@task
def fail(_c):
    \"\"\"Fail with words of somebody else's.\"\"\"
    raise SinkError("a\\x1b[2Kb", "c\\rd")


ns = Collection(fail)
"""


def test_an_error_lets_none_through(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    invoke = str(Path(sys.executable).parent / "invoke")

    done = subprocess.run([invoke, "fail"], cwd=tmp_path, capture_output=True, check=False)

    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"a\\x1b[2Kb\nc\\rd\n"
