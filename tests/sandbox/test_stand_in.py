"""A stand-in ends by Ctrl-C as the program does that it stands for: no traceback, and its exit code."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

_WAITS = "print('waiting', flush=True); __import__('time').sleep(600)"


def run_in(folder: Path, source: str) -> subprocess.Popen[str]:
    (folder / "program.py").write_text(source)
    command = [sys.executable, "-m", "sink_sandbox.shim", "program", "a", "b"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(f"def main(words): {_WAITS}", id="while it runs"),
        pytest.param(f"{_WAITS}", id="while it is imported"),
    ],
)
def test_ctrl_c_ends_it_without_a_traceback(tmp_path: Path, source: str) -> None:
    process = run_in(tmp_path, source)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()

    assert (process.returncode, err) == (130, "")


def test_it_gives_its_words_to_the_program_and_its_exit_code_back(tmp_path: Path) -> None:
    process = run_in(tmp_path, "def main(words): print(words); return 3")
    out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (3, "['a', 'b']\n", "")
