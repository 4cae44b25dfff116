"""The process that keeps a container's: what it has noted and what it obeys from the first moment on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from sink_sandbox.containers.process import supervisor

# The supervisor as it is, on a machine where something takes its time.
SLOW = f"""\
import os, runpy, sys, time
sys.path.insert(0, {str(Path(supervisor.__file__).parent)!r})
import supervisor
{{change}}
sys.exit(supervisor.main(*sys.argv[1:]))
"""


def keep(change: str, record: Path, *program: str, stdin: int = subprocess.PIPE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SLOW.format(change=change), str(record), "1", *program],
        stdin=stdin,
        stdout=subprocess.PIPE,
        text=True,
    )


def keep_to_the_end(change: str, record: Path, *program: str) -> str:
    """Keep a program that ends well by itself; return what it said."""
    # The end of the supervisor's standard input would end the program.
    orders, starter = os.pipe()
    process = keep(change, record, *program, stdin=orders)
    os.close(orders)
    try:
        said, _ = process.communicate(timeout=60)
    finally:
        os.close(starter)
    assert process.returncode == 0
    return said


def test_a_program_begins_once_it_is_noted_who_it_is(tmp_path: Path) -> None:
    """However long noting takes: of what runs, a later sandbox finds the process."""
    record = tmp_path / "process.json"
    slow = (
        "known = supervisor.process_identity\n"
        "supervisor.process_identity = lambda pid: time.sleep(0.2) or known(pid)"
    )

    roles = json.loads(keep_to_the_end(slow, record, "/bin/cat", str(record)))

    assert roles.keys() == {"owner", "supervisor", "main"}
    assert all(identity for _, identity in roles.values())
    assert list(tmp_path.iterdir()) == [record]


def test_a_process_that_leads_no_group_yet_is_killed_all_the_same(tmp_path: Path) -> None:
    process = keep("os.setsid = lambda: None", tmp_path / "process.json", "/bin/sleep", "600")
    process.communicate("K\n", timeout=60)

    assert process.returncode == 137


def test_orphans_are_collected_while_the_program_runs(tmp_path: Path) -> None:
    """container-init waits for those of a command that is several: until nothing is left of them."""
    program = f"""\
        (true & echo $! > {tmp_path}/orphan)
        while kill -0 $(cat {tmp_path}/orphan) 2> /dev/null; do sleep 0.02; done
        """
    said = keep_to_the_end("", tmp_path / "process.json", "/bin/sh", "-c", f"{program}echo collected")

    assert said == "collected\n"
