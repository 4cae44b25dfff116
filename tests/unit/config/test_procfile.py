"""A Procfile is read here as the runtime reads it in the container."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from the_sink.config.procfile import PROCESSES, check_processes, parse_procfile
from the_sink.resources import resource_path


@pytest.mark.parametrize(
    "text",
    [
        "web: serve\n",
        "# web: no\nrelease: migrate\n\nweb: serve --at http://x:80\ncheck: look\n",
        "  web:   serve  \r\n",
        "web:serve",
        "",
        "web:\n",
        "release: x\n",
        "web: a\nweb: b\n",
        "Web: a\nweb: b\n",
        "web: a\nnonsense\n",
        "web : a\n",
        "my-worker_1: a\nweb: b\n",
    ],
)
def test_both_readers_have_one_rule(text, tmp_path: Path, monkeypatch):
    monkeypatch.syspath_prepend(resource_path("runtimes/python"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    from sink_runtime.layout import Refusal
    from sink_runtime.procfile import read_procfile

    path = tmp_path / "Procfile"
    path.write_bytes(text.encode())
    commands, problems = parse_procfile(text)

    try:
        theirs = read_procfile(path)
    except Refusal:
        assert problems != []
    else:
        assert (commands, problems) == (theirs, [])


def test_a_process_type_that_looks_misspelt_is_a_warning_and_no_reason_to_refuse(monkeypatch):
    commands, problems = parse_procfile("web: a\nrelase: b\nworker: c\n")

    warnings = check_processes(commands)

    assert problems == []
    assert [(each.message, each.is_warning) for each in warnings] == [
        ("every task runs 'relase' beside web. Did you mean 'release'?", True)
    ]
    monkeypatch.syspath_prepend(resource_path("runtimes/python"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    from sink_runtime import procfile

    assert set(PROCESSES) == set(procfile.PROCESSES)


def test_each_line_that_would_not_start_is_named():
    _, problems = parse_procfile("nonsense\nrelease: a\nrelease: b\n")

    assert [problem.message for problem in problems] == [
        "line 1 is not 'name: command'.",
        "line 3 names 'release' a second time.",
        "it has no line 'web: <command>': nothing would serve.",
    ]
