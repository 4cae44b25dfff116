"""One shell for a build: what carries over from command to command, and how failures are told."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sink_sandbox.services.codebuild.shell import Shell


class Recorded:
    """A shell and what it said."""

    def __init__(self, kind: str, tmp_path: Path) -> None:
        self.lines: list[str] = []
        self.on_line: Callable[[], None] = lambda: None
        (tmp_path / "src" / "sub").mkdir(parents=True)
        self.shell = Shell(
            kind,
            folder=tmp_path / "src",
            scratch=tmp_path / "scratch",
            environment={"PATH": "/usr/bin:/bin", "GIVEN": "a b"},
            emit=self.emit,
        )

    def emit(self, line: str) -> None:
        self.lines.append(line)
        self.on_line()

    def run(self, command: str) -> tuple[int, list[str]]:
        before = len(self.lines)
        return self.shell.run(command), self.lines[before:]


@pytest.fixture(params=["", "bash", "sh"])
def recorded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Recorded]:
    made = Recorded(request.param, tmp_path)
    yield made
    made.shell.close()


def test_exports_variables_and_folder_carry_over(recorded: Recorded) -> None:
    recorded.run("export SHOWN='x y'")
    recorded.run("kept=1; cd sub")

    assert recorded.run('echo "$SHOWN/$kept/$GIVEN"; basename "$PWD"') == (0, ["x y/1/a b", "sub"])


def test_output_is_whole_with_and_without_a_last_newline(recorded: Recorded) -> None:
    assert recorded.run("printf 'no newline'") == (0, ["no newline"])
    assert recorded.run("printf 'one\\n\\nthree\\n'; echo err >&2") == (0, ["one", "", "three", "err"])
    assert recorded.run("true") == (0, [])


def test_an_exit_is_that_commands_failure_and_the_exports_survive_it(recorded: Recorded) -> None:
    recorded.run("export SHOWN=yes; cd sub")

    assert recorded.run("echo before; exit 7; echo after") == (7, ["before"])
    assert recorded.run('echo "$SHOWN"; basename "$PWD"') == (0, ["yes", "sub"])


def test_a_command_of_several_lines_has_the_status_of_its_last(recorded: Recorded) -> None:
    assert recorded.run("false\ntrue\n")[0] == 0
    assert recorded.run("true\nfalse\n")[0] == 1
    assert recorded.run("no-such-command-here")[0] == 127


def test_a_command_cannot_read_the_next_ones(recorded: Recorded) -> None:
    assert recorded.run("cat; echo done") == (0, ["done"])


def test_values_are_read_without_showing_them(recorded: Recorded) -> None:
    recorded.run("""TAG='a "quoted" $value'""")

    assert recorded.shell.value("TAG") == 'a "quoted" $value'
    assert recorded.shell.value("NOTHING") == ""
    assert recorded.lines == []


def test_killing_ends_the_command_and_what_it_started(tmp_path: Path) -> None:
    recorded = Recorded("", tmp_path)
    begun = threading.Event()

    def kill() -> None:
        assert begun.wait(60)
        recorded.shell.kill()

    recorded.on_line = begun.set
    killer = threading.Thread(target=kill)
    killer.start()
    status, lines = recorded.run(f"{LASTING} & echo begun; wait")
    killer.join()

    assert (status, lines) == (137, ["begun"])
    assert recorded.run("echo never") == (137, [])
    recorded.shell.close()
    eventually_none(lambda: running(LASTING))


def test_killing_while_the_shell_is_started_ends_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = Recorded("", tmp_path)
    start = subprocess.Popen

    def start_late(*arguments: Any, **options: Any) -> Any:
        recorded.shell.kill()
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", start_late)

    assert recorded.run("echo never; exit 5") == (137, [])


def test_closing_ends_what_was_left_in_the_background(tmp_path: Path) -> None:
    recorded = Recorded("", tmp_path)
    assert recorded.run(f"{LASTING} >/dev/null 2>&1 &")[0] == 0
    recorded.shell.close()
    eventually_none(lambda: running(LASTING))


LASTING = f"sleep 600.{os.getpid()}"
"""Nobody else's on this machine."""


def running(command: str) -> list[str]:
    table = subprocess.run(["ps", "-eo", "stat=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in table.splitlines() if line.endswith(command) and not line.startswith("Z")]


def eventually_none(find: Callable[[], list[str]]) -> None:
    deadline = time.monotonic() + 60
    while find():
        assert time.monotonic() < deadline
        time.sleep(0.05)
