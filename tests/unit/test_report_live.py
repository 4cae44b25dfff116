"""The live display prints what has ended and redraws what is under way."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from the_sink.models import (
    ActionChanged,
    Event,
    PhaseChanged,
    ResourceChanged,
    Said,
    StackStatus,
    TasksChanged,
)
from the_sink.report import events
from the_sink.report.live import LiveDisplay

TOLD: tuple[Event, ...] = (
    Said("Waiting for the pipeline to begin."),
    ActionChanged("Build", "InProgress", expected_s=12),
    PhaseChanged("PRE_BUILD", "IN_PROGRESS"),
    PhaseChanged("PRE_BUILD", "SUCCEEDED", 3),
    ActionChanged("Build", "Succeeded", elapsed_s=11),
    ActionChanged("Deploy/CloudFormation", "InProgress"),
    ResourceChanged("s", "Service", "AWS::ECS::Service", StackStatus("UPDATE_IN_PROGRESS")),
    TasksChanged(1, 1, 2),
    ActionChanged("Deploy/CloudFormation", "Failed", "No room.", 2),
)


def screen() -> tuple[io.StringIO, Console]:
    out = io.StringIO()
    return out, Console(file=out, force_terminal=True, width=120, color_system=None, legacy_windows=False)


def test_what_ended_stays_on_the_screen() -> None:
    out, console = screen()
    with LiveDisplay(console) as display:
        for event in TOLD:
            display.show(event)

    text = out.getvalue()
    for line in (
        "Waiting for the pipeline to begin.",
        "pre_build: succeeded (3 s)",
        "Build done in 11 s",
        "Deploy/CloudFormation FAILED in 2 s: No room.",
    ):
        assert line in text


def test_what_ended_is_not_said_to_be_at_work() -> None:
    out, console = screen()
    with LiveDisplay(console) as display:
        display.show(ActionChanged("Build", "InProgress", elapsed_s=30))
        display._live.refresh()
        display.show(ActionChanged("Build", "Succeeded", elapsed_s=31))
        before = len(out.getvalue())
        display.show(Said("Next."))
        shown = out.getvalue()[before:]

    assert "Next." in shown
    assert "Build" not in shown


def test_the_line_below_says_what_is_at_work() -> None:
    _, console = screen()
    display = LiveDisplay(console)
    display.show(ActionChanged("Build", "InProgress", elapsed_s=30, expected_s=60))
    display.show(PhaseChanged("PRE_BUILD", "IN_PROGRESS"))

    assert display._footer().plain == "  Build 30 s of about 1 min: pre_build"


def test_a_long_line_has_no_break_in_it() -> None:
    """What is to be copied, an address or a command, is put in whole."""
    out, console = screen()
    line = f"In another terminal: invoke approve --env prod --commit {'0' * 40} --sandbox " + "and go on " * 9
    with LiveDisplay(console) as display:
        display.show(Said(line))

    assert line in out.getvalue()


def test_markup_in_what_aws_says_is_text() -> None:
    out, console = screen()
    with LiveDisplay(console) as display:
        display.show(Said("see [bold]this[/bold] and [/nothing]"))

    assert "see [bold]this[/bold] and [/nothing]" in out.getvalue()


def test_without_a_terminal_there_are_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    def verb():
        yield from TOLD
        return 7

    assert events.watch(verb()) == 7

    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[:3] == [
        "Waiting for the pipeline to begin.",
        "  Build … (usually 12 s)",
        "    pre_build: succeeded (3 s)",
    ]


def test_ci_gets_plain_lines_even_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", type("Terminal", (io.StringIO,), {"isatty": lambda _self: True})())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)

    assert events.is_live()
    monkeypatch.setenv("CI", "true")
    assert not events.is_live()
